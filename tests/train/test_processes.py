"""Several processes: each reads its own part of the shards, and together they read every sequence once; none waits for
ever."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

LISTENING = """
import json, os, sys, weakref
from pathlib import Path
import torch.distributed as dist
from train import pretrain
from train.config import Train
from train.stream import Stream
from registry.configuration import load
real, read = Stream.batch, []
def batch(self, index, size):
    read.append([index, size])
    return real(self, index, size)
Stream.batch = batch
end = dist.destroy_process_group
def watched():
    global group
    group = weakref.ref(dist.group.WORLD)
    end()
dist.destroy_process_group = watched
workplace = Path(sys.argv[1])
pretrain.train(load(workplace / "train.yaml", Train), workplace, workplace / "run")
assert group() is None, "held by DDP, whose end may wait for ever"
(workplace / f"read-{os.environ['RANK']}.json").write_text(json.dumps(read))
"""


@pytest.mark.slow  # 15 s, nearly all of it imports
def test_each_process_reads_its_own_part_and_all_of_them_everything(workplace: Path) -> None:
    (workplace / "listening.py").write_text(LISTENING)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*command, str(workplace / "listening.py"), str(workplace)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((workplace / f"read-{rank}.json").read_text()) for rank in (0, 1))
    assert first == [[4 * step, 2] for step in range(8)]  # 8 steps of 4 sequences, 2 at a time
    assert second == [[4 * step + 2, 2] for step in range(8)]


@pytest.mark.slow  # 20 s each
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_process_whose_fellow_stands_still_or_is_gone_ends_and_says_where_it_waited(workplace, parallel, how):
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("corpus")), "train", str(workplace / "train.yaml")]
    for change in (f"out={workplace / 'run'}", f"parallel={parallel}", "steps=100000", "patience=5"):
        command += ["--set", change]
    several = {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    started = [
        subprocess.Popen(command, env={**os.environ, **several, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (workplace / "run" / "step-00000003").is_dir():
            time.sleep(0.1)
        started[1].send_signal(how)
        told = started[0].communicate(timeout=60)[1]
    finally:
        for process in started:
            process.kill()
            process.communicate()
    assert started[0].returncode == 1
    assert "process 0 of 2 had no answer from the others in " in told
    assert "stood still for 5 s (`patience`). The same command goes on from the last checkpoint" in told
    assert "Traceback" not in told
