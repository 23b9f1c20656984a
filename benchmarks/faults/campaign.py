"""The corpus of a campaign, its undisturbed build, and the verdict on a disturbed one.

A disturbed build passes where it ends by itself with the right bytes; or stops with one clear message (a killed one
with none), shows no manifest unless everything is there, and has the right bytes after one ``--resume``.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusters import RAY_TOKEN, ray_cluster, slurm_cluster
from object_store import PUBLISHED, lacking

from benchmarks.faults.building import LONGEST, ROOT, STAGES, Building
from benchmarks.faults.network import DisturbedStore, disturbed_store

DOMAIN = ROOT / "registry" / "domains" / "ja_finance"
DONE = {0, 3}


@dataclass
class Campaign:
    """What all runs share: a corpus, an engine, and what an undisturbed build of it takes and gives."""

    folder: Path
    engine: str
    arguments: list[str]
    env: dict[str, str]
    cluster: Any = None
    store: DisturbedStore | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    bytes: int = 0  # intermediates too
    wanted: dict[str, bytes] = field(default_factory=dict)

    def start(self, out: str, *more: str, env: dict[str, str] | None = None, **options: Any) -> Building:
        """A build of the corpus."""
        command = [str(self.folder / "domain"), "--out", out, *self.arguments, *more]
        return Building(command, {**self.env, **(env or {})}, **options)


@dataclass
class Case:
    """One run: its build, the stage that is to be hit, and what came of it. `hit` stays empty where nothing was."""

    campaign: Campaign
    out: str
    stage: str
    random: random.Random
    hit: str = ""
    env: dict[str, str] = field(default_factory=dict)
    said: str = ""

    def start(self, *more: str, **options: Any) -> Building:
        """Its build."""
        return self.campaign.start(self.out, *more, env=self.env, **options)

    def moment(self, build: Building) -> bool:
        """Wait for a random moment within the stage that is to be hit; whether the build still runs."""
        if build.reach(self.stage):
            time.sleep(self.random.uniform(0, self.campaign.seconds[self.stage]))
        self.hit = build.stage if build.process.poll() is None else ""
        return bool(self.hit)

    def ended(self, build: Building) -> int:
        """Its exit status, once it has said everything."""
        try:
            return build.end()
        finally:
            self.said = build.said

    def contents(self) -> dict[str, bytes]:
        """Every published file of its build."""
        if self.out.startswith("s3://"):
            assert self.campaign.store is not None
            return self.campaign.store.contents(self.out.rpartition("/")[2])
        root = Path(self.out)
        files = (path for name in PUBLISHED for path in (root / name, *(root / name).rglob("*")) if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in files}


def verdict(case: Case, blow: Callable[[Case], int]) -> tuple[str, str]:
    """How a disturbed build ended, and what is wrong with that, if anything."""
    try:
        code = blow(case)
        if code in DONE:
            return "ended by itself", _difference(case)
        if wrong := _unclear(case, code):
            return "stopped", wrong
        return "resumed", _resumed(case)
    except subprocess.TimeoutExpired:
        return "hung", f"nothing ended within {LONGEST} s: {case.said[-300:]}"
    finally:
        if os.path.ismount(case.out):
            subprocess.run(["umount", "-l", case.out], check=False)
        if not case.out.startswith("s3://"):
            shutil.rmtree(case.out, ignore_errors=True)


def _unclear(case: Case, code: int) -> str:
    """What is wrong with the way in which a build stopped."""
    if "manifest.json" in case.contents() and _difference(case):
        return "a manifest of an unfinished build is visible"
    if "Traceback" in case.said or (code != -signal.SIGKILL and "corpus: " not in case.said):
        return f"no clear message, status {code}: {case.said[-300:]}"
    return ""


def _resumed(case: Case) -> str:
    """What is wrong after one more command."""
    again = case.start("--resume")
    code = again.end()
    if code == 2 and "there is no build to resume" in again.said:  # it was killed before it began
        again = case.start()
        code = again.end()
    return _difference(case) if code in DONE else f"resumed, status {code}: {again.said[-300:]}"


def _difference(case: Case) -> str:
    found, wanted = case.contents(), case.campaign.wanted
    names = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    return f"other bytes in {names[:3]}" if names else ""


@contextmanager
def prepared(folder: Path, engine: str) -> Iterator[Campaign]:
    """A campaign on an engine, whose cluster and store run while the block does."""
    env = {**os.environ, "CORPUS_HOME": str(folder / "home"), "CORPUS_SCRATCH": str(folder / "scratch")}
    campaign = Campaign(folder, engine, ["--engine", engine], env)
    with ExitStack() as stack:
        if engine == "local":
            campaign.arguments += ["--workers", "2"]
            campaign.store = None if lacking() else stack.enter_context(disturbed_store(folder / "store.log"))
        elif engine == "ray":
            campaign.cluster = stack.enter_context(ray_cluster())
            campaign.arguments += ["--ray-address", campaign.cluster.address]
            campaign.env |= RAY_TOKEN
        else:
            campaign.cluster = stack.enter_context(slurm_cluster(folder / "slurm"))
            campaign.env["SLURM_CONF"] = campaign.cluster.env["SLURM_CONF"]
        _write_corpus(folder / "domain")
        _build_undisturbed(campaign)
        yield campaign


def _write_corpus(domain: Path) -> None:
    """Small laws, one of them twice, and pages in tasks of 32 KB: stages have several tasks, and all takes seconds."""
    (domain / "files").mkdir(parents=True)
    laws = [path for path in sorted((DOMAIN / "sample" / "laws").rglob("*.txt")) if path.stat().st_size < 60_000]
    for path in (*laws, *sorted((DOMAIN / "sample" / "news").glob("*.html"))[:4]):
        shutil.copy(path, domain / "files" / f"{path.parent.name}-{path.name}")
    shutil.copy(laws[0], domain / "files" / "twin.txt")
    (domain / "recipe.yaml").write_text(
        "name: faults\nsources: [{name: files, path: files, kind: law, licence: public-domain}]\n"
        f"tokenize: {{tokenizer: {DOMAIN / 'tokenizer'}}}\nengine: {{task: 32KB}}\n"
    )


def _build_undisturbed(campaign: Campaign) -> None:
    """Twice: the first compiles kernels, which no other has to."""
    out = campaign.folder / "undisturbed"
    for _ in range(2):
        build = campaign.start(str(out), "--fresh")
        if (code := build.end()) not in DONE:
            raise SystemExit(f"the undisturbed build ended with {code}: {build.said}")
    moments = [build.times[stage] for stage in STAGES] + [build.times["end"]]
    campaign.seconds = {stage: moments[i + 1] - moments[i] for i, stage in enumerate(STAGES)}
    sizes = {path.stat().st_ino: path.stat().st_size for path in out.rglob("*") if path.is_file()}
    campaign.bytes = sum(sizes.values())
    campaign.wanted = Case(campaign, str(out), "report", random.Random(0)).contents()
    shutil.rmtree(out)
