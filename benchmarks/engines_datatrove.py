"""The peer of benchmarks/engines.py: the same function on the same tasks, by datatrove's LocalPipelineExecutor.

python benchmarks/engines_datatrove.py FOLDER      with tasks.json in it
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep


class Perform(PipelineStep):
    """One task of ours per rank."""

    name = "perform"

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:  # noqa: ARG002
        """The task whose number is the rank."""
        from pipelines.engine.worker import perform

        task, spec, folder = json.loads(Path(self.path).read_text())[rank]
        perform("pipelines.stages.extract:task", task, spec, folder, lambda _amount: None)
        yield from data or ()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    count = len(json.loads((where / "tasks.json").read_text()))
    LocalPipelineExecutor(
        [Perform(str(where / "tasks.json"))], tasks=count, workers=2, logging_dir=str(where / "logs")
    ).run()
