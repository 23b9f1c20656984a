"""Several processes: each reads its own part of the shards, and together they read every sequence once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

LISTENING = """
import json, os, sys
from pathlib import Path
from train import pretrain
from train.config import Train
from train.stream import Stream
from registry.configuration import load
real, read = Stream.batch, []
def batch(self, index, size):
    read.append([index, size])
    return real(self, index, size)
Stream.batch = batch
workplace = Path(sys.argv[1])
pretrain.train(load(workplace / "train.yaml", Train), workplace, workplace / "run")
(workplace / f"read-{os.environ['RANK']}.json").write_text(json.dumps(read))
"""


@pytest.mark.slow  # 15 s, nearly all of it imports
def test_each_process_reads_its_own_part_and_all_of_them_everything(workplace: Path) -> None:
    (workplace / "listening.py").write_text(LISTENING)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29617"]
    done = subprocess.run(
        [*command, str(workplace / "listening.py"), str(workplace)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((workplace / f"read-{rank}.json").read_text()) for rank in (0, 1))
    assert first == [[4 * step, 2] for step in range(8)]  # 8 steps of 4 sequences, 2 at a time
    assert second == [[4 * step + 2, 2] for step in range(8)]
