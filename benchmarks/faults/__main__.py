"""A campaign of faults.

    python -m benchmarks.faults [--engine local|ray|slurm] [--runs N] [--seed N] [--results FILE] [--minutes M]

Run number N of a seed is the same fault in the same stage at the same share of its time, whenever it is run. With
--results, what is in the file is not run again, so a campaign may be done in pieces; --minutes begins no run after
that time. A run whose build ended before the blow fell is told and not counted. Some faults need root.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks.faults.blows import Blow, possible  # noqa: E402
from benchmarks.faults.building import STAGES  # noqa: E402
from benchmarks.faults.campaign import Campaign, Case, prepared, verdict  # noqa: E402
from benchmarks.faults.table import Result, read, table  # noqa: E402


def main() -> int:
    """Run what is missing; the exit status tells whether anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="local", choices=["local", "ray", "slurm"])
    parser.add_argument("--runs", type=int, help="default: each fault in each stage once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", help="a fault; may be repeated")
    parser.add_argument("--results", type=Path, help="a file that results are added to, one JSON object a line")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    given = parser.parse_args()
    results = read(given.results) if given.results else []
    had = {(result["engine"], result["seed"], result["number"]) for result in results}
    planned = schedule(given.engine, given.seed, given.runs, given.only)
    missing = [run for run in planned if (given.engine, given.seed, run[0]) not in had]
    last = time.monotonic() + 60 * given.minutes
    if missing:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder, prepared(Path(folder), given.engine) as campaign:
            print({stage: round(seconds, 2) for stage, seconds in campaign.seconds.items()}, flush=True)
            for run in missing:
                if time.monotonic() > last:
                    break
                results += (result := perform(campaign, given.seed, *run)) and [result]
                if result and given.results:
                    with given.results.open("a") as file:
                        file.write(json.dumps(result, ensure_ascii=False) + "\n")
    print(f"\n{table(results)}")
    return 1 if any(result["wrong"] for result in results) else 0


def schedule(engine: str, seed: int, runs: int | None, only: list[str] | None) -> list[tuple[int, str, Blow, str]]:
    """Numbered runs, each with its fault and stage: all pairs in a random order, again and again."""
    pairs = [
        (name, blow, stage)
        for name, (blow, stages) in possible(engine).items()
        for stage in STAGES
        if stage in stages and (not only or name in only)
    ]
    shuffled = random.Random(seed)
    runs = len(pairs) if runs is None else runs
    order = [pair for _ in range(-(-runs // len(pairs))) for pair in shuffled.sample(pairs, len(pairs))]
    return [(number, *pair) for number, pair in enumerate(order[:runs])]


def perform(campaign: Campaign, seed: int, number: int, name: str, blow: Blow, stage: str) -> Result | None:
    """One run, again while nothing was hit."""
    own = random.Random(f"{campaign.engine} {seed} {number}")
    for attempt in range(4):
        began = time.monotonic()
        case = Case(campaign, str(campaign.folder / f"run-{number:03d}-{attempt}"), stage, own)
        how, wrong = verdict(case, blow)
        seconds = round(time.monotonic() - began, 1)
        told = next((line for line in case.said.splitlines() if line.startswith("corpus: ")), "")
        print(f"{number:4} {name}, in {case.hit or 'nothing'}: {how}, {seconds} s {wrong or told}", flush=True)
        if case.hit or wrong:
            return {
                "engine": campaign.engine, "seed": seed, "number": number, "fault": name, "stage": case.hit, "how": how,
                "wrong": wrong, "told": told, "seconds": seconds,
            }  # fmt: skip
    return None


if __name__ == "__main__":
    sys.exit(main())
