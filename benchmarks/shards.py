"""Shards beside the other ways to feed a trainer: loading, opening, tokenizing, packing, exports read back.

    python benchmarks/shards.py [--quick] [--json]

Ways take turns every few milliseconds in one process, several times over, and ratios are of their CPU seconds in the
fastest turn of each piece of work, so that whatever else the machine does falls on all of them alike. Loaders and
readers that are not installed are told and left out; run it with a Python that has megatron-core, mosaicml-streaming
and litdata to compare with them. CORPUS_READERS names such a Python for the exports that are read back. The last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")  # as in a build's worker

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library

import numpy as np
from shards_loaders import LENGTH, Reader, made, readers, write_export
from shards_tokenizing import agreeing, tokenizing
from turns import turns

from registry.errors import UsageError
from registry.packing import Packed, pack
from registry.shards import Shards, ShardWriter, index_shards

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="less data: under a minute")
    parser.add_argument("--json", action="store_true", help="nothing but the JSON on standard output")
    arguments = parser.parse_args()
    told = sys.stderr if arguments.json else sys.stdout
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="shards-") as folder:
        steps = (loading, opening, tokenizing, agreeing, packing, reading_back)
        for step in steps:
            started = time.perf_counter()
            found = step(Path(folder), quick=arguments.quick)
            result |= found
            print(f"{step.__name__} ({time.perf_counter() - started:.0f} s)", file=told)
            for key, value in found.items():
                print(f"  {key}: {value}", file=told)
    print(json.dumps(result))


def loading(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Random sequences of 2,048 tokens as int64 tensors."""
    split = made(folder, 4_000_000 if quick else 8_000_000)
    count = split.shards.tokens // LENGTH - 1
    order = np.random.default_rng(1).permutation(count).tolist()
    loaders = dict(readers(split, folder))

    def reads(read: Reader) -> Callable[[list[int]], None]:
        def work(piece: list[int]) -> None:
            for i in piece:
                read(i)

        return work

    pieces = [order[at : at + 128] for at in range(0, count, 128)]
    seconds = turns({name: reads(read) for name, read in loaders.items()}, pieces, passes=3 if quick else 5)
    tokens = sum(map(len, pieces)) * LENGTH / 1e6
    rates = {name: round(tokens / some, 1) for name, some in seconds.items()}
    others = [rate for name, rate in rates.items() if name not in {"memmap", "shards"}]
    return {
        "loader_ratio_memmap": round(seconds["memmap"] / seconds["shards"], 3),
        "loader_mtokens_per_cpu_second": rates,
        "loader_ahead_of_all_others": bool(others) and rates["shards"] > max(others),
    }


def opening(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - small enough for both
    """A folder of 1,000 shards, wall milliseconds."""
    target = folder / "thousand"
    with ShardWriter(target / "00000.arrow", dtype="uint16") as writer:
        for i in range(100):
            writer.write(f"{i:032x}", "source", np.arange(500))
    for number in range(1, 1000):
        shutil.copyfile(target / "00000.arrow", target / f"{number:05}.arrow")
    bare = _milliseconds(lambda: Shards(target), 3)
    index_shards(target)
    return {"open_1000_shards_ms": _milliseconds(lambda: Shards(target), 7), "open_1000_without_index_ms": bare}


def _milliseconds(function: Callable[[], Any], times: int) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1e3, 1)


def packing(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - needs lengths only
    """Log-normal lengths into bins of 2,048 tokens."""
    count = 1_000_000 if quick else 10_000_000
    lengths = np.random.default_rng(0).lognormal(6.3, 1, count).astype(np.int64)
    started = time.perf_counter()
    best = pack(lengths, LENGTH, seed=0, epoch=0, method="best_fit")
    seconds = time.perf_counter() - started
    laid: Packed = pack(lengths, LENGTH, seed=0, epoch=0, method="concatenate")
    return {
        "pack_fill": round(best.fill, 5),
        "pack_cut_rate": best.cut_rate(lengths),
        "pack_seconds": round(seconds, 2),
        "pack_documents": count,
        "concat_fill": round(laid.fill, 5),
        "concat_cut_rate": round(laid.cut_rate(lengths), 4),
        "greedy_fill": round(_greedy_fill(lengths[:1_000_000].tolist()), 4),
        "greedy_cut_rate": 0.0,
    }


def _greedy_fill(lengths: list[int]) -> float:
    """Documents in their order, a new bin wherever the next does not fit; long ones are cut."""
    bins, room = 1, LENGTH
    for length in lengths:
        whole, rest = divmod(length, LENGTH)
        bins += whole
        if rest > room:
            bins, room = bins + 1, LENGTH
        room -= rest
    return sum(lengths) / (bins * LENGTH)


def reading_back(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - small enough for both
    """Which exports the library that they are for reads, with the very tokens."""
    python = os.environ.get("CORPUS_READERS", sys.executable)
    split = made(folder / "small", 60_000)
    documents = [split.shards.input_ids(i).tolist() for i in range(len(split.shards))]
    flat = [token for row in documents for token in row]
    wanted = {
        "hf": documents,
        "megatron": documents,
        "mds": documents,
        "litdata": [flat[: len(flat) // 64 * 64]],
        "nanotron": flat[: len(flat) // 100 * 100],
    }
    good = []
    for to, tokens in wanted.items():
        out = write_export(to, split, folder / "back" / to, **({"length": 64} if to == "litdata" else {}))
        try:
            found = _read(to, out, python)
        except (ImportError, UsageError) as error:
            print(f"  {to} not read: {error}", file=sys.stderr)
            continue
        good += [to] if (found[0] if to == "nanotron" else found) == tokens else []
    return {"exports_read_back": sorted(good)}


def _read(to: str, out: Path, python: str) -> Any:
    if to == "hf":
        import datasets

        return datasets.load_from_disk(str(out))["train"]["input_ids"][:]
    script = ROOT / "tests" / "corpus" / "export" / "readers.py"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, str(script), to, str(out), "uint16"], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise UsageError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
