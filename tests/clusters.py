"""Clusters of two nodes on this machine, for the tests: a real Ray, a real Slurm, on loopback and ended for certain.

Each is a context manager that gives the names of its nodes and can kill one as a failing machine would. What cannot be
started here skips the test with the reason.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

RAY_TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # of the clusters of this test run
SLURM = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")


def family(pid: int) -> list[int]:
    """A process and all that it started, itself first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in family(int(child)))]


def command_line(pid: int) -> str:
    """Of a process that may have ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def kill(pids: list[int]) -> None:
    """SIGKILL to each that is still there."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens at."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_until(true: object, seconds: float, what: str) -> None:
    """Wait until `true()`; the test fails with `what` where it does not come."""
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            pytest.fail(f"{what} within {seconds:g} s")
        time.sleep(0.1)


@dataclass
class RayCluster:
    """Two nodes of one CPU each, `ray start --block` in the foreground of a session of its own."""

    address: str
    folder: Path
    env: dict[str, str]
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_node(self, *, head: bool = False) -> None:
        port = self.address.rpartition(":")[2]
        host = "127.0.0.1"
        first = 20000 + 400 * len(self.nodes)
        where = [f"--port={port}", "--head", f"--temp-dir={self.folder}"] if head else [f"--address={self.address}"]
        command = [
            sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *where, f"--node-ip-address={host}", "--num-cpus=1",
            "--object-store-memory=100000000", f"--min-worker-port={first}", f"--max-worker-port={first + 399}",
            "--disable-usage-stats", *(["--include-dashboard=false"] if head else []),
        ]  # fmt: skip
        log = (self.folder / f"node-{len(self.nodes)}.log").open("wb")
        self.nodes.append(
            subprocess.Popen(command, env=self.env, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)
        )

    def up(self) -> int:
        """How many nodes have joined, by asking as a driver does."""
        script = "import ray, sys; ray.init(sys.argv[1], logging_level='critical', log_to_driver=False);"
        script += "print(sum(node['Alive'] for node in ray.nodes()))"
        command = [sys.executable, "-c", script, self.address]
        asked = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False, timeout=60)
        return int(asked.stdout or 0)

    def kill_node(self, number: int) -> None:
        """As a machine that fails: everything of it, at once."""
        kill(family(self.nodes[number].pid))

    def works(self, number: int, seconds: float = 60) -> bool:
        """Whether a task comes to run on a node, a second before this returns."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any("pipelines.engine.worker" in command_line(pid) for pid in family(self.nodes[number].pid)):
                time.sleep(1)
                return True
            time.sleep(0.05)
        return False

    def node_with(self, words: str) -> int | None:
        """The node one of whose processes has `words` in its command line."""
        for number, node in enumerate(self.nodes):
            if any(words in command_line(pid) for pid in family(node.pid)):
                return number
        return None


@contextmanager
def ray_cluster(folder: Path, **env: str) -> Iterator[RayCluster]:
    """A Ray of two nodes; they have this environment and `env`, and a driver needs `RAY_TOKEN` in its own."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'corpus-foundry[ray]'")
    short = Path(f"/tmp/ray-{os.getpid()}")  # Ray's socket names have to be short
    shutil.rmtree(short, ignore_errors=True)
    short.mkdir()
    cluster = RayCluster(f"127.0.0.1:{free_ports(1)[0]}", short, {**os.environ, **env, **RAY_TOKEN})
    try:
        cluster.start_node(head=True)
        wait_until(lambda: cluster.up() == 1, 90, "Ray's head did not start")
        cluster.start_node()
        wait_until(lambda: cluster.up() == 2, 90, "Ray's second node did not start")
        yield cluster
    finally:
        for node in cluster.nodes:
            kill(family(node.pid))
            node.wait(timeout=10)
        shutil.rmtree(short, ignore_errors=True)
