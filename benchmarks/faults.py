"""A campaign of faults: builds are disturbed at random points, and must end in the bytes of an undisturbed build.

    python benchmarks/faults.py [--runs 110] [--engine local] [--argument=--ray-address=...] [--only FAULT]

Each run builds a small corpus with one fault in one of its stages. It passes where the build ends by itself with the
right bytes, or stops with one clear message, shows no manifest, and has the right bytes after one ``--resume``. A
fault is a function under `FAULTS`; an engine's own are added there under its name. The table says how often each ended
how, by fault and by the stage that it hit. Faults that need a file system or a memory limit of their own need root.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
ROOT = Path(__file__).resolve().parents[1]
DOMAIN = ROOT / "registry" / "domains" / "ja_finance"
PUBLISHED = ("documents", "ledger", "rejects", "shards", "signatures", "tokenizer", "manifest.json")
STAGES = ("inventory", "extract", "refine", "dedup", "survey", "write", "report")
DONE = {0, 3}
LONGEST = 420  # seconds after which a build counts as hanging
CGROUPS = Path("/sys/fs/cgroup/memory")


@dataclass
class Campaign:
    """What all runs share."""

    folder: Path
    engine: list[str]
    random: random.Random
    seconds: dict[str, float] = field(default_factory=dict)  # of each stage, undisturbed
    bytes: int = 0  # of an undisturbed build, intermediates too
    wanted: dict[str, bytes] = field(default_factory=dict)
    store: Store | None = None


@dataclass
class Case:
    """One run: its build, the stage that is to be hit, and what came of it."""

    campaign: Campaign
    out: str
    stage: str
    hit: str = ""
    options: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    said: str = ""


class Build:
    """A running ``corpus build``; follows what it says, and so knows the stage that it is in."""

    def __init__(self, case: Case, *more: str, before: Callable[[], None] | None = None) -> None:
        command = [sys.executable, "-m", "corpus", "build", str(case.campaign.folder / "domain"), "--out", case.out]
        self.process = subprocess.Popen(
            [*command, *case.campaign.engine, *more],
            cwd=ROOT,
            env={**os.environ, **case.env, "CORPUS_HOME": str(case.campaign.folder / "home")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # noqa: PLW1509 - it writes one file
        )
        self.stage, self.lines, self.times = "inventory", list[str](), {"inventory": time.monotonic()}
        self._moved = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            stage = line.partition(":")[0]
            if stage in STAGES:
                with self._moved:
                    self.stage = "report" if line.startswith("write: done") else stage
                    self.times.setdefault(self.stage, time.monotonic())
                    self._moved.notify_all()
        with self._moved:
            self.times.setdefault("end", time.monotonic())
            self._moved.notify_all()

    def reach(self, case: Case) -> None:
        """Wait for a random moment within the stage that is to be hit, as long as the build runs."""
        with self._moved:
            self._moved.wait_for(lambda: case.stage in self.times or "end" in self.times, LONGEST)
        time.sleep(case.campaign.random.uniform(0, case.campaign.seconds.get(case.stage, 1.0)))
        case.hit = self.stage if self.process.poll() is None else "after"

    def end(self) -> int:
        """Its exit status; TimeoutExpired where it hangs."""
        try:
            return self.process.wait(LONGEST)
        finally:
            self.process.kill()
            self._reader.join(5)


def kill_worker(case: Case) -> int:
    """SIGKILL of one worker."""
    build = Build(case)
    build.reach(case)
    children = Path(f"/proc/{build.process.pid}/task/{build.process.pid}/children")
    pids = [int(pid) for pid in (children.read_text().split() if children.is_file() else [])]
    if pids:
        os.kill(case.campaign.random.choice(pids), signal.SIGKILL)
    else:
        case.hit += ", no worker"
    return _ended(case, build)


def kill_driver(case: Case) -> int:
    """SIGKILL of the whole run."""
    return _signalled(case, signal.SIGKILL)


def terminate(case: Case) -> int:
    """SIGTERM, as a scheduler sends it."""
    return _signalled(case, signal.SIGTERM)


def _signalled(case: Case, number: int) -> int:
    build = Build(case)
    build.reach(case)
    build.process.send_signal(number)
    return _ended(case, build)


def out_of_memory(case: Case) -> int:
    """A kernel limit on the memory of the whole run, under which its largest process is killed."""
    group = CGROUPS / f"faults-{os.getpid()}"
    group.mkdir()
    try:
        build = Build(case, before=lambda: (group / "tasks").write_text(str(os.getpid())) and None)
        build.reach(case)
        used = int((group / "memory.usage_in_bytes").read_text())
        limit = int(used * case.campaign.random.uniform(0.5, 1.0))
        try:
            (group / "memory.limit_in_bytes").write_text(str(limit))
        except OSError:  # what is in use cannot be pressed below it at once: the next allocation is refused
            (group / "memory.limit_in_bytes").write_text(str(used))
        return _ended(case, build)
    finally:
        time.sleep(0.2)
        group.rmdir()


def memory_limit(case: Case) -> int:
    """`engine.memory` of the recipe, close to the least there is."""
    case.hit = "all"
    return _ended(case, Build(case, "--set", f"engine.memory={case.campaign.random.randint(512, 700)}MB"))


def full_disk(case: Case) -> int:
    """A small file system that fills."""
    size = int(case.campaign.bytes * case.campaign.random.uniform(0.05, 0.95))
    Path(case.out).mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", case.out], check=True)
    build = Build(case)
    code = _ended(case, build)
    case.hit = build.stage
    subprocess.run(["mount", "-o", "remount,size=1g", case.out], check=True)
    return code


def storage_errors(case: Case) -> int:
    """An S3 store behind a network that breaks requests off and answers 503."""
    return _stored(case, {"refuse": 0.15, "reset": 0.15})


def storage_outage(case: Case) -> int:
    """An S3 store that goes away at some moment."""
    return _stored(case, {"reset": 1.0})


def storage_hangs(case: Case) -> int:
    """An S3 store that now and then never answers."""
    return _stored(case, {"hang": 0.03})


def storage_kill_driver(case: Case) -> int:
    """SIGKILL of a run that writes to an S3 store."""
    return _stored(case, {}, kill=True)


def _stored(case: Case, faults: dict[str, float], *, kill: bool = False) -> int:
    store = case.campaign.store
    assert store is not None
    case.out = f"s3://bucket/{Path(case.out).name}"
    case.env = {**store.env, "CORPUS_SCRATCH": str(case.campaign.folder / "scratch")}
    build = Build(case)
    build.reach(case)
    store.faults = faults
    if kill:
        build.process.kill()
    code = _ended(case, build)
    store.faults = {}
    if case.campaign.random.random() < 0.5:  # as if it were taken up on another machine
        shutil.rmtree(case.campaign.folder / "scratch", ignore_errors=True)
    return code


def _ended(case: Case, build: Build) -> int:
    code = build.end()
    case.said = "".join(build.lines)
    return code


class Store:
    """An S3 server (moto) behind a proxy that can disturb it."""

    def __init__(self, folder: Path) -> None:
        import boto3

        self.faults: dict[str, float] = {}
        self.random = random.Random(7)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        with (folder / "store.log").open("w") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.env = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._listener.getsockname()[1]}",
        }
        threading.Thread(target=self._accept, daemon=True).start()
        _wait_for(self._port)
        self.client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{self._port}", region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        self.client.create_bucket(Bucket="bucket")

    def close(self) -> None:
        """End the server."""
        self._server.kill()
        self._server.wait()

    def contents(self, prefix: str) -> dict[str, bytes]:
        """Every published object of a build."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=f"{prefix}/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        names = {key: key.removeprefix(f"{prefix}/") for key in keys}
        return {
            name: self.client.get_object(Bucket="bucket", Key=key)["Body"].read()
            for key, name in names.items()
            if name.partition("/")[0] in PUBLISHED
        }

    def _accept(self) -> None:
        while True:
            theirs, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()

    def _serve(self, theirs: socket.socket) -> None:
        """Pass bytes on, both ways; each piece that the client sends may be what meets a fault."""
        with theirs, socket.create_connection(("127.0.0.1", self._port)) as ours:
            threading.Thread(target=_pump, args=(ours, theirs), daemon=True).start()
            while data := _received(theirs):
                chance = self.random.random()
                for fault, share in self.faults.items():
                    chance -= share
                    if chance < 0:
                        if fault == "hang":
                            time.sleep(25)
                        elif fault == "refuse":
                            theirs.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                        return
                try:
                    ours.sendall(data)
                except OSError:
                    return


def _pump(source: socket.socket, target: socket.socket) -> None:
    while data := _received(source):
        try:
            target.sendall(data)
        except OSError:
            return


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(1 << 16)
    except OSError:
        return b""


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(port)


FAULTS: dict[str, dict[str, Callable[[Case], int]]] = {
    "all": {
        "SIGKILL of the driver": kill_driver,
        "SIGTERM": terminate,
        "disk full": full_disk,
        "storage: errors": storage_errors,
        "storage: outage": storage_outage,
        "storage: hangs": storage_hangs,
        "storage: SIGKILL of the driver": storage_kill_driver,
    },
    "local": {
        "SIGKILL of a worker": kill_worker,
        "out of memory (kernel)": out_of_memory,
        "out of memory (recipe)": memory_limit,
    },
}


def contents(case: Case) -> dict[str, bytes]:
    """Every published file of a build."""
    if case.out.startswith("s3://"):
        assert case.campaign.store is not None
        return case.campaign.store.contents(case.out.rpartition("/")[2])
    root = Path(case.out)
    files = (path for name in PUBLISHED for path in (root / name, *(root / name).rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def run(case: Case, fault: Callable[[Case], int]) -> tuple[str, str]:
    """How a run ended, and what was wrong, if anything."""
    try:
        code = fault(case)
        if code in DONE and fault is not memory_limit:  # whose manifest tells the limit
            return "ended by itself", _difference(case)
        wrong = "" if code in DONE else _unclear(case, code)
        return ("stopped", wrong) if wrong else ("resumed", _resumed(case))
    except subprocess.TimeoutExpired:
        return "hung", f"nothing ended within {LONGEST} s"
    finally:
        if os.path.ismount(case.out):
            subprocess.run(["umount", "-l", case.out], check=False)
        if not case.out.startswith("s3://"):
            shutil.rmtree(case.out, ignore_errors=True)


def _unclear(case: Case, code: int) -> str:
    """What is wrong with the way in which a build stopped."""
    if "manifest.json" in contents(case):
        return "a manifest of an unfinished build is visible"
    if "Traceback" in case.said or (code != -signal.SIGKILL and "corpus: " not in case.said):
        return f"no clear message, status {code}: {case.said[-300:]}"
    return ""


def _resumed(case: Case) -> str:
    """What is wrong after one more command."""
    again = Build(case, "--resume")
    code = again.end()
    if code == 2 and "there is no build to resume" in "".join(again.lines):  # it was killed before it began
        again = Build(case)
        code = again.end()
    return _difference(case) if code in DONE else f"status {code}: {''.join(again.lines)[-300:]}"


def _difference(case: Case) -> str:
    found, wanted = contents(case), case.campaign.wanted
    names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    return f"other bytes in {names[:3]}" if names else ""


def prepare(campaign: Campaign) -> None:
    """The corpus, and an undisturbed build of it: its bytes, and how long each stage takes."""
    files = campaign.folder / "domain" / "files"
    files.mkdir(parents=True)
    for path in (DOMAIN / "sample" / "laws").rglob("*.txt"):
        if path.stat().st_size < 60_000:
            shutil.copy(path, files / f"{path.parent.name}-{path.name}")
    (campaign.folder / "domain" / "recipe.yaml").write_text(
        "name: faults\nsources: [{name: files, path: files, kind: law, licence: public-domain}]\n"
        f"tokenize: {{tokenizer: {DOMAIN / 'tokenizer'}}}\nengine: {{task: 32KB}}\n"
    )
    for _ in range(2):  # the first compiles kernels, which no other has to
        case = Case(campaign, str(campaign.folder / "undisturbed"), "report")
        build = Build(case, "--fresh")
        if (code := build.end()) not in DONE:
            raise SystemExit(f"the undisturbed build ended with {code}: {''.join(build.lines)}")
    moments = [build.times[stage] for stage in STAGES] + [build.times["end"]]
    campaign.seconds = {stage: moments[i + 1] - moments[i] for i, stage in enumerate(STAGES)}
    root = Path(case.out)
    sizes = {path.stat().st_ino: path.stat().st_size for path in root.rglob("*") if path.is_file()}
    campaign.bytes = sum(sizes.values())
    campaign.wanted = contents(case)


def possible(engine: str) -> dict[str, Callable[[Case], int]]:
    """The faults that this machine can be made to have; the others are told."""
    faults = {**FAULTS["all"], **FAULTS.get(engine, {})}
    lacks: dict[str, str] = {}
    if os.geteuid() != 0:
        lacks |= dict.fromkeys(("disk full", "out of memory (kernel)"), "needs root")
    elif not (CGROUPS / "memory.limit_in_bytes").is_file():
        lacks["out of memory (kernel)"] = "needs the memory controller of cgroup v1"
    missing = [name for name in ("s3fs", "moto", "boto3", "flask") if importlib.util.find_spec(name) is None]
    if missing:
        lacks |= {name: f"needs {', '.join(missing)}" for name in faults if name.startswith("storage")}
    for name, why in lacks.items():
        if faults.pop(name, None):
            print(f"not run: {name}: {why}", flush=True)
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=110)
    parser.add_argument("--engine", default="local")
    parser.add_argument("--argument", action="append", default=[], help="one more argument of `corpus build`")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="a fault; may be repeated")
    parser.add_argument("--table", type=Path, help="a file for the results, as JSON")
    given = parser.parse_args()
    faults = {name: do for name, do in possible(given.engine).items() if not given.only or name in given.only}
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        arguments = ["--workers", "2", "--engine", given.engine, *given.argument]
        campaign = Campaign(Path(folder), arguments, random.Random(given.seed))
        prepare(campaign)
        print({stage: round(seconds, 2) for stage, seconds in campaign.seconds.items()}, flush=True)
        if any(name.startswith("storage") for name in faults):
            campaign.store = Store(campaign.folder)
        try:
            for number in range(given.runs):
                name = list(faults)[number % len(faults)]
                stage = STAGES[(number // len(faults) + 3 * given.seed) % len(STAGES)]
                case = Case(campaign, str(campaign.folder / f"run-{number:03d}"), stage)
                how, wrong = run(case, faults[name])
                told = next((line for line in case.said.splitlines() if line.startswith("corpus: ")), "")
                results.append({"fault": name, "stage": case.hit, "how": how, "wrong": wrong, "told": told})
                _keep(given.table, given.engine, given.seed, results)
                print(f"{number + 1:4}/{given.runs} {name}, in {case.hit}: {how} {wrong or told}", flush=True)
        finally:
            if campaign.store is not None:
                campaign.store.close()
    _show(results)
    return 1 if any(result["wrong"] for result in results) else 0


def _keep(path: Path | None, engine: str, seed: int, results: list[dict[str, Any]]) -> None:
    if path:
        path.write_text(json.dumps({"engine": engine, "seed": seed, "runs": results}, indent=1) + "\n")


def _show(results: list[dict[str, Any]]) -> None:
    """A table in Markdown: a row per fault."""
    counts = Counter((result["fault"], result["how"], bool(result["wrong"])) for result in results)
    print("\n| fault | runs | ended by itself | after one --resume | wrong |\n|---|---|---|---|---|")
    for fault in dict.fromkeys(result["fault"] for result in results):
        right = [counts[fault, how, False] for how in ("ended by itself", "resumed")]
        wrong = sum(count for (name, _, bad), count in counts.items() if name == fault and bad)
        print(f"| {fault} | {sum(right) + wrong} | {right[0]} | {right[1]} | {wrong} |")
    stages = Counter(result["stage"].partition(",")[0] for result in results)
    print("\nStages hit: " + ", ".join(f"{stage} {count}" for stage, count in stages.most_common()))


if __name__ == "__main__":
    sys.exit(main())
