"""The faults of a campaign, by engine: each strikes one build at a random moment and gives its exit status."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from clusters import family, kill, wait_until
from object_store import lacking

from benchmarks.faults.building import STAGES, Building
from benchmarks.faults.campaign import Case

_CGROUPS = Path("/sys/fs/cgroup/memory")
WITH_WORKERS = ("extract", "refine", "dedup", "survey", "write")
Blow = Callable[[Case], int]


def kill_worker(case: Case) -> int:
    """SIGKILL of one worker."""
    build = case.start()
    if workers := _workers(case, build):
        kill([case.random.choice(workers)])
    return case.ended(build)


def starve_worker(case: Case) -> int:
    """What a worker holds already becomes all that it may have: its next allocation is refused."""
    build = case.start()
    if workers := _workers(case, build):
        pid = case.random.choice(workers)
        try:
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            resource.prlimit(pid, resource.RLIMIT_DATA, (int(status["VmData"].split()[0]) * 1024, -1))
        except (OSError, KeyError):
            case.hit = ""
    return case.ended(build)


def _workers(case: Case, build: Building) -> list[int]:
    """The workers at the moment of the blow; none where there was no moment, or nobody at work."""
    found = build.children() if case.moment(build) else []
    case.hit = case.hit if found else ""
    return found


def signal_driver(number: int, case: Case) -> int:
    """A signal to the process of the command: SIGKILL, or SIGTERM as a scheduler sends it."""
    build = case.start()
    if case.moment(build):
        build.process.send_signal(number)
    return case.ended(build)


def out_of_memory(case: Case) -> int:
    """A kernel limit on the memory of the whole build, under which its largest process is killed."""
    group = _CGROUPS / f"faults-{os.getpid()}"
    group.mkdir()
    try:
        build = case.start(before=lambda: (group / "tasks").write_text(str(os.getpid())) and None)
        if case.moment(build):
            share = case.random.uniform(0.5, 1.0)
            while not _limited(group, share):  # what is in use cannot be pressed below that
                share += 0.1
        return case.ended(build)
    finally:
        time.sleep(0.2)
        group.rmdir()


def _limited(group: Path, share: float) -> bool:
    used = int((group / "memory.usage_in_bytes").read_text())
    try:
        (group / "memory.limit_in_bytes").write_text(str(int(used * share)))
    except OSError:
        return False
    return True


def full_disk(case: Case) -> int:
    """A small file system that fills, wherever that comes; it has room again when the build is resumed."""
    size = int(case.campaign.bytes * case.random.uniform(0.05, 0.95))
    Path(case.out).mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", case.out], check=True)
    build = case.start()
    code = case.ended(build)
    case.hit = build.stage if code else ""
    subprocess.run(["mount", "-o", "remount,size=1g", case.out], check=True)
    return code


def disturb_storage(faults: dict[str, float], case: Case, *, killed: bool = False) -> int:
    """An S3 store whose network goes bad at some moment, or a driver that is killed while it writes to one."""
    store = case.campaign.store
    assert store is not None
    case.out, case.env = f"s3://bucket/{Path(case.out).name}", store.env
    build = case.start()
    if case.moment(build):
        store.faults = faults
        if killed:
            build.process.kill()
    code = case.ended(build)
    store.faults = {}
    if case.random.random() < 0.5:  # as if it were taken up on another machine
        shutil.rmtree(case.campaign.folder / "scratch", ignore_errors=True)
    return code


def kill_ray_node(case: Case) -> int:
    """Everything of one of the two nodes of a Ray, at once; a new node joins when the build has ended."""
    cluster, build = case.campaign.cluster, case.start()
    if case.moment(build):
        cluster.kill_node(-1)
    code = case.ended(build)
    if case.hit:
        cluster.start_node()
        wait_until(lambda: cluster.up() == 2, 90, "the node did not come back")
    return code


def kill_ray_worker(case: Case) -> int:
    """SIGKILL of a Ray worker that performs tasks, and of the child that does the work."""
    build = case.start()
    if case.moment(build):
        words = "pipelines.engine.worker"
        found = [one for node in case.campaign.cluster.nodes for one in family(node.pid) if words in _command(one)]
        case.hit = case.hit if found else ""
        kill([_parent(pid) for pid in found[:1]])
    return case.ended(build)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill_slurm_node(case: Case) -> int:
    """The daemon of a node, its jobs and their processes; it is started again when the build has ended."""
    cluster, build = case.campaign.cluster, case.start()
    if case.moment(build):
        cluster.kill_node("n2")
    code = case.ended(build)
    if case.hit:
        cluster.start_node("n2")
        wait_until(lambda: cluster.idle() == 2, 90, "the node did not come back")
    return code


BLOWS: dict[str, dict[str, tuple[Blow, tuple[str, ...]]]] = {
    "local": {
        "SIGKILL of a worker": (kill_worker, WITH_WORKERS),
        "SIGKILL of the driver": (partial(signal_driver, signal.SIGKILL), STAGES),
        "SIGTERM": (partial(signal_driver, signal.SIGTERM), STAGES),
        "out of memory: a worker's limit": (starve_worker, WITH_WORKERS),
        "out of memory: the kernel's": (out_of_memory, STAGES),
        "disk full": (full_disk, STAGES),
        "storage errs": (partial(disturb_storage, {"refuse": 0.15, "reset": 0.15}), STAGES),
        "storage goes away": (partial(disturb_storage, {"reset": 1.0}), STAGES),
        "storage hangs now and then": (partial(disturb_storage, {"hang": 0.03}), WITH_WORKERS),
        "storage hangs": (partial(disturb_storage, {"hang": 1.0}), ("inventory", "extract", "report")),
        "storage, SIGKILL of the driver": (partial(disturb_storage, {}, killed=True), STAGES),
    },
    "ray": {
        "Ray: SIGKILL of a node": (kill_ray_node, STAGES),
        "Ray: SIGKILL of a worker": (kill_ray_worker, WITH_WORKERS),
        "Ray: SIGKILL of the driver": (partial(signal_driver, signal.SIGKILL), STAGES),
    },
    "slurm": {
        "Slurm: SIGKILL of a node": (kill_slurm_node, STAGES),
        "Slurm: SIGKILL of the driver": (partial(signal_driver, signal.SIGKILL), STAGES),
    },
}


def possible(engine: str) -> dict[str, tuple[Blow, tuple[str, ...]]]:
    """The faults that this machine can be made to have; the others are told."""
    blows = dict(BLOWS[engine])
    lacks: dict[str, str] = {}
    if os.geteuid() != 0:
        lacks |= dict.fromkeys(("disk full", "out of memory: the kernel's"), "needs root")
    elif not (_CGROUPS / "memory.limit_in_bytes").is_file():
        lacks["out of memory: the kernel's"] = "needs the memory controller of cgroup v1"
    if missing := lacking():
        lacks |= {name: f"needs {', '.join(missing)}" for name in blows if name.startswith("storage")}
    for name, why in lacks.items():
        if blows.pop(name, None):
            print(f"not run: {name}: {why}", flush=True)
    return blows
