"""A running `corpus build`, followed by what it says: so a campaign knows the stage that it is in.

In: a command, an environment. Out: the moment at which a stage began, the lines it said, its exit status.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("inventory", "extract", "refine", "dedup", "survey", "write", "report")
LONGEST = 300  # seconds after which a build counts as hanging


class Building:
    """``corpus build`` with `arguments`; the inventory is told from the start, the report from the end of `write`."""

    def __init__(self, arguments: list[str], env: Mapping[str, str], before: Callable[[], None] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "corpus", "build", *arguments],
            env={**env, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # noqa: PLW1509 - it writes one file
        )
        self.stage, self.lines, self.times = "inventory", list[str](), {"inventory": time.monotonic()}
        self._moved = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """All of it."""
        return "".join(self.lines)

    def reach(self, stage: str) -> bool:
        """Wait until a stage has begun; whether it has, before the build ended."""
        with self._moved:
            self._moved.wait_for(lambda: stage in self.times or "end" in self.times, LONGEST)
        return stage in self.times and self.process.poll() is None

    def children(self) -> list[int]:
        """The processes that it has started."""
        try:
            return [
                int(pid)
                for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            ]
        except OSError:
            return []

    def end(self) -> int:
        """Its exit status; TimeoutExpired where it hangs."""
        try:
            return self.process.wait(LONGEST)
        finally:
            self.process.kill()
            self._reader.join(5)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            stage = line.partition(":")[0].partition(",")[0]  # "dedup, paragraphs: 1 task"
            if stage in STAGES:
                self._enter("report" if line.startswith("write: done") else stage)
        self._enter("end")

    def _enter(self, stage: str) -> None:
        with self._moved:
            self.stage = self.stage if stage == "end" else stage
            self.times.setdefault(stage, time.monotonic())
            self._moved.notify_all()
