"""Clusters of two nodes on this machine, for the tests: a real Ray, a real Slurm, on loopback and ended for certain.

Each is a context manager that gives the names of its nodes and can kill one as a failing machine would. What cannot be
started here skips the test with the reason.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
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
def ray_cluster(**env: str) -> Iterator[RayCluster]:
    """A Ray of two nodes; they have this environment and `env`, and a driver needs `RAY_TOKEN` in its own."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'corpus-foundry[ray]'")
    short = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # Ray's socket names have to be short
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


@dataclass
class SlurmCluster:
    """A controller and the nodes n1 and n2 of one CPU each, all of them daemons of this machine."""

    folder: Path
    env: dict[str, str]

    def start_node(self, name: str) -> None:
        subprocess.run(["slurmd", "-f", self.folder / "slurm.conf", "-N", name], env=self.env, check=True)

    def kill_node(self, name: str) -> None:
        """As a machine that fails: the daemon, its steps and their processes at once."""
        pid = int((self.folder / "run" / f"slurmd.{name}.pid").read_text())
        steps = [int(p) for p in self._pids() if f"[{name}]" in command_line(int(p)) or name in stepd_node(int(p))]
        kill([one for parent in (pid, *steps) for one in family(parent)])

    def said(self, *command: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout

    def idle(self) -> int:
        return self.said("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split().count("idle")

    def jobs(self) -> list[str]:
        """Jobs that are in the queue, as JOB_INDEX."""
        return self.said("squeue", "-h", "-r", "-o", "%F_%K").split()

    def running_on(self, name: str) -> bool:
        return bool(self.said("squeue", "-h", "-r", "-t", "R", "-w", name, "-o", "%F").split())

    def _pids(self) -> list[str]:
        return [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]


def stepd_node(pid: int) -> str:
    """The node in whose name a `slurmstepd` works; empty for anything else."""
    try:
        if "slurmstepd" not in Path(f"/proc/{pid}/comm").read_text():
            return ""
        names = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        children = b"".join(Path(f"/proc/{child}/environ").read_bytes() for child in family(pid)[1:])
    except OSError:
        return ""
    found = re.search(rb"SLURMD_NODENAME=(\S+?)\0", names + children)
    return found[1].decode() if found else ""


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[SlurmCluster]:
    """A Slurm of two nodes, which is found by the commands while `SLURM_CONF` is `folder`/slurm.conf."""
    missing = [name for name in SLURM if shutil.which(name) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True, timeout=300)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "slurm-wlm", "munge"]
        subprocess.run(command, check=False, capture_output=True, timeout=600)
        missing = [name for name in SLURM if shutil.which(name) is None]
    if missing:
        pytest.skip(f"there is no {missing[0]} here: apt-get install slurm-wlm munge")
    if os.geteuid() != 0:
        pytest.skip("a Slurm of this machine's own is started as root")
    write_slurm_conf(folder)
    cluster = SlurmCluster(folder, {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")})
    try:
        munge = [f"--{name}={folder}/{path}" for name, path in MUNGE.items()]
        subprocess.run(["munged", "--force", *munge], check=True, capture_output=True)
        subprocess.run(["slurmctld", "-f", folder / "slurm.conf"], env=cluster.env, check=True, capture_output=True)
        for name in ("n1", "n2"):
            cluster.start_node(name)
        wait_until(lambda: cluster.idle() == 2, 60, "Slurm's nodes did not come up")
        yield cluster
    finally:
        cluster.said("scancel", "--me")
        pids = [int(path.read_text()) for path in (folder / "run").glob("*.pid")]
        kill([one for pid in pids for one in family(pid)])
        kill([int(p) for p in cluster._pids() if stepd_node(int(p)) in {"n1", "n2"}])


MUNGE = {
    "key-file": "munge.key", "socket": "run/munge.sock", "pid-file": "run/munged.pid", "log-file": "log/munged.log",
    "seed-file": "run/munge.seed",
}  # fmt: skip


def write_slurm_conf(folder: Path) -> None:
    """Everything in one folder, everything on loopback."""
    for name in ("state", "spool", "log", "run"):
        (folder / name).mkdir(parents=True)
    for path in (folder, folder / "run", *folder.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(
                path.stat().st_mode & ~0o022 | 0o111
            )  # munged wants a socket that all can reach and none replace
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    controller, first, second = free_ports(3)
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\n")
    (folder / "slurm.conf").write_text(f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/run/munge.sock
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={controller}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MaxArraySize=1001
KillWait=5
SlurmdTimeout=10
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=1 RealMemory=4000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=1 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes=n[1-2] MaxTime=1 State=UP
""")
