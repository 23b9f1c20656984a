"""How long the main job takes: the sample built by one and by two workers, built again, and the start of the command.

    python benchmarks/build.py [--json]

Prints seconds (median of three, rounds interleaved) and, with --json, one JSON object last.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CORPUS = Path(sys.executable).with_name("corpus")
ROUNDS = 3


def seconds(*arguments: object, home: Path) -> float:
    """Wall time of one `corpus` command."""
    started = time.monotonic()
    env = {**os.environ, "CORPUS_HOME": str(home)}
    done = subprocess.run([CORPUS, *map(str, arguments)], env=env, capture_output=True, check=False)
    if done.returncode not in {0, 3}:
        sys.exit(done.stderr.decode())
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    page = Path(__file__).parents[1] / "registry/domains/ja_finance/sample/news/aoba_20240806_split.html"
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        measured = {
            "help": ("--help",),
            "extract_one_page": ("extract", page),
            "build_one_worker": ("build", "ja_finance", "--out", out, "--workers", 1),
            "build_again": ("build", "ja_finance", "--out", out),
        }
        for _ in range(ROUNDS):
            for name, command in measured.items():
                times.setdefault(name, []).append(seconds(*command, home=Path(folder)))
            shutil.rmtree(out)
            two = ("build", "ja_finance", "--out", out, "--workers", 2)
            times.setdefault("build_two_workers", []).append(seconds(*two, home=Path(folder)))
            shutil.rmtree(out)
    result = {name: round(statistics.median(values), 3) for name, values in times.items()}
    result["speed_up_two_workers"] = round(result["build_one_worker"] / result["build_two_workers"], 2)
    for name, value in result.items():
        print(f"{name:<24}{value:>8}")
    if "--json" in sys.argv:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
