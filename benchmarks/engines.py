"""What an engine costs: empty tasks, rows of a ledger, and two workers against one and against datatrove's executor.

    python benchmarks/engines.py empty [--engines local,ray,slurm] [--tasks 100000]
    python benchmarks/engines.py ledger [--rows 1000000] [--workers 2]
    python benchmarks/engines.py efficiency [--rounds 3] [FILE...]

`empty` performs tasks that do nothing but write their record: seconds and the driver's memory per task, at a tenth of
the tasks and at all of them. `ledger` builds a corpus of small records, two sentences of the sample's laws each, and
tells the driver's memory per row, in the same way. `efficiency` extracts files (without any: the PDF files, filings and
laws of the sample, six times) with one worker, with two, and with two of datatrove's LocalPipelineExecutor, by the same
function on the same tasks, rounds interleaved. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != HERE]  # html.py here hides Python's own
DOMAIN = HERE.parent / "registry/domains/ja_finance"


def nothing(spec: dict[str, Any], _target: Path, _progress: Any) -> dict[str, Any]:
    """A task of nothing."""
    return {"number": spec["number"]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["empty", "ledger", "efficiency", "empty-once", "ledger-once"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--engines", default="local,ray,slurm")
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    measure = {"empty": empty, "ledger": ledger, "efficiency": efficiency}
    measure |= {"empty-once": empty_once, "ledger-once": ledger_once}
    print(json.dumps(measure[told.what](told)))


def once(*arguments: object) -> dict[str, Any]:
    """A measurement in a process of its own, whose memory is the driver's."""
    env = {**os.environ, "PYTHONPATH": str(HERE.parent), "RAY_DEDUP_LOGS": "0"}
    done = subprocess.run(
        [sys.executable, "-P", __file__, *map(str, arguments)], env=env, stdout=subprocess.PIPE, check=True, text=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# Empty tasks


def empty(told: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for engine in told.engines.split(","):
        with cluster(engine):
            few, many = (
                once("empty-once", "--engines", engine, "--tasks", count) for count in (told.tasks // 10, told.tasks)
            )
        result[engine] = {
            "tasks": told.tasks,
            "seconds": round(many["seconds"], 1),
            "ms_per_task": round(1000 * many["seconds"] / told.tasks, 3),
            "driver_cpu_ms_per_task": round(1000 * many["cpu"] / told.tasks, 3),
            "driver_mb": round(many["peak"] / 1e6),
            "driver_bytes_per_task": round((many["peak"] - few["peak"]) / (0.9 * told.tasks)),
        }
        print(engine, result[engine], flush=True)
    return result


def empty_once(told: argparse.Namespace) -> dict[str, Any]:
    """Two workers, on whatever the engine runs; as a stage of a build has it done."""
    from rich.console import Console

    from pipelines.engine import Site, Task, launcher
    from pipelines.stages import Run
    from registry.layout import Layout
    from registry.recipe import EngineOptions, SlurmOptions

    with tempfile.TemporaryDirectory() as place:
        layout = Layout(Path(place))
        folder = str(layout.stage("empty"))
        tasks = (Task(f"{number:032x}", {"number": number}, folder) for number in range(told.tasks))
        options = EngineOptions(slurm=SlurmOptions(array=20))
        plan: Any = SimpleNamespace(recipe=SimpleNamespace(engine=options))
        with launcher.get(told.engines)(Site(layout.work, 2, options)) as engine:
            started, cpu = time.monotonic(), time.process_time()
            run = Run(plan, (), layout, engine, Console(quiet=True))
            results = run.perform("empty", "benchmarks.engines:nothing", tasks, "tasks")
            spent = {"seconds": time.monotonic() - started, "cpu": time.process_time() - cpu}
        assert sum(result["number"] for result in results) == told.tasks * (told.tasks - 1) // 2
        return {**spent, "peak": peak()}


@contextmanager
def cluster(engine: str) -> Iterator[None]:
    """For Slurm, two nodes on this machine, as in the tests; local and Ray start what they need."""
    if engine != "slurm":
        yield
        return
    sys.path.insert(0, str(HERE.parent / "tests"))
    from clusters import slurm_cluster

    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm_cluster(Path(folder)) as running:
        os.environ["SLURM_CONF"] = running.env["SLURM_CONF"]
        yield


# A long ledger


def ledger(told: argparse.Namespace) -> dict[str, Any]:
    few, many = (
        once("ledger-once", "--rows", count, "--workers", told.workers) for count in (told.rows // 10, told.rows)
    )
    return {
        "rows": told.rows,
        "seconds": round(many["seconds"], 1),
        "driver_cpu_seconds": round(many["cpu"], 1),
        "driver_mb": round(many["peak"] / 1e6),
        "driver_bytes_per_row": round((many["peak"] - few["peak"]) / (0.9 * told.rows)),
    }


def ledger_once(told: argparse.Namespace) -> dict[str, Any]:
    from pipelines.build import build

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_records(root / "records", told.rows)
        recipe = {
            "name": "long",
            "sources": [{"name": "records", "path": "records", "kind": "record", "licence": "CC0-1.0", "text": "text"}],
            "tokenize": {"tokenizer": str(DOMAIN / "tokenizer")},
        }
        (root / "recipe.yaml").write_text(json.dumps(recipe))
        started, cpu = time.monotonic(), time.process_time()
        built = build(root / "recipe.yaml", root / "out", workers=told.workers)
        assert sum(built.manifest.fates.values()) == told.rows
        return {"seconds": time.monotonic() - started, "cpu": time.process_time() - cpu, "peak": peak()}


def write_records(folder: Path, rows: int) -> None:
    """A hundred files of records, no two of them alike."""
    chosen, files = random.Random(0), 100
    laws = "\n".join(path.read_text() for path in sorted((DOMAIN / "sample" / "laws").rglob("*.txt")))
    sentences = sorted({line.strip() for line in laws.splitlines() if 30 <= len(line) <= 120})
    folder.mkdir()
    for number in range(files):
        with (folder / f"{number:03}.jsonl").open("w") as file:
            for row in range(rows // files):
                text = "".join(chosen.sample(sentences, 2)) + f"（第{number}号の{row}）"
                file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


# Two workers


def efficiency(told: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        recipe = write_recipe(Path(folder), told.files)
        times: dict[str, list[float]] = {}
        runs = {
            "one": lambda out: ours(recipe, out, 1),
            "two": lambda out: ours(recipe, out, 2),
            "datatrove_two": lambda out: theirs(recipe, out),
        }
        for number in range(told.rounds):
            for name, run in runs.items():
                out = Path(folder) / f"{name}-{number}"
                started = time.monotonic()
                run(out)
                times.setdefault(name, []).append(time.monotonic() - started)
                shutil.rmtree(out)
                print(number, name, round(times[name][-1], 2), flush=True)
    middle = {name: statistics.median(values) for name, values in times.items()}
    return {
        **{f"{name}_seconds": round(value, 2) for name, value in middle.items()},
        "two_workers": round(middle["one"] / middle["two"], 3),
        "against_datatrove": round(middle["datatrove_two"] / middle["two"], 3),
    }


def write_recipe(folder: Path, files: list[Path]) -> Path:
    """A recipe of the files, each under several names and with bytes of its own, so that none is read twice for one."""
    copies = 1 if files else 6
    files = files or [
        path for name in ("reports", "filings", "laws") for path in sorted((DOMAIN / "sample" / name).rglob("*.*"))
    ]
    (folder / "files").mkdir()
    for copy in range(copies):
        for number, path in enumerate(files):
            end = b"\n" * (copy + 1) if path.suffix in {".htm", ".html", ".txt"} else f"\n%{copy}\n".encode()
            (folder / "files" / f"{copy}-{number:04}{path.suffix}").write_bytes(path.read_bytes() + end)
    recipe = {
        "name": "heavy",
        "sources": [{"name": "files", "path": "files", "kind": "filing", "licence": "CC0-1.0"}],
        "tokenize": {"tokenizer": str(DOMAIN / "tokenizer")},
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    return path


def tasks_of(recipe: Path, out: Path) -> tuple[list[Any], Any]:
    """The extraction tasks of a build."""
    from rich.console import Console

    from pipelines.inventory import take_inventory
    from pipelines.preflight import plan
    from pipelines.stages import Run, batches, extract
    from registry.layout import Layout

    made = plan(recipe)
    layout = Layout(out)
    run: Any = Run(made, (), layout, None, Console(quiet=True))  # type: ignore[arg-type]
    wanted = [extract.Wanted(item, item.sha256) for item in take_inventory(made, None)]
    pairs = [((one, one.of_bytes), one.item.bytes) for one in wanted]
    folder, largest = layout.stage("extract"), made.recipe.engine.task_bytes
    return [extract._task(run, batch, folder) for batch in batches(pairs, largest)], layout  # noqa: SLF001


def ours(recipe: Path, out: Path, workers: int) -> None:
    from pipelines.engine.local import LocalEngine

    tasks, layout = tasks_of(recipe, out)
    with LocalEngine(workers, layout.logs) as engine:
        outcomes = engine.run(
            "pipelines.stages.extract:task", tasks, retries=0, timeout=None, on_event=lambda _event: None
        )
    assert all(outcome.status == "done" for outcome in outcomes)


def theirs(recipe: Path, out: Path) -> None:
    """In a process of its own, as a user of datatrove would: its start method needs a guarded main."""
    tasks, _ = tasks_of(recipe, out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "tasks.json").write_text(json.dumps([[task.id, task.spec, task.folder] for task in tasks]))
    env = {**os.environ, "OMP_NUM_THREADS": "1", "DATATROVE_COLORIZE_LOGS": "0"}
    command = [sys.executable, "-P", str(HERE / "engines_datatrove.py"), str(out)]
    subprocess.run(command, env=env, check=True, capture_output=True)


if __name__ == "__main__":
    main()
