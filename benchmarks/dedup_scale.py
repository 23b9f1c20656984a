"""How time, memory and disk grow with the number of documents: 0.1, 1 and 10 million synthetic ones.

    python benchmarks/dedup_scale.py [--documents N] [--json]

Documents are sets of 64 hashes, drawn, not texts; three in ten are edited copies of another, 0.6 to 1 alike. What is
timed is what a build does with them: indexes on disk, ranges of keys, rounds of bands, labels, components, the file of
duplicates; drawing and signing them is not. Every size runs in a process of its own, on one core, with the recipe's
default of 1GB for `dedup.memory`. `held` is the peak of what the process holds itself, `resident` that with all pages
of files that it had mapped, which the system may take back at any time.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library

import numpy as np

from pipelines.dedup.index import Sketched, columns_of, read_index, write_index
from pipelines.dedup.link import band_links, whole_links
from pipelines.dedup.minhash import draw_permutations, sign_with
from pipelines.dedup.near import labelled, resolve
from pipelines.dedup.rounds import rounds
from pipelines.dedup.shelf import Shelf
from pipelines.stages.link import parts_of
from pipelines.stages.resolve import write_duplicates

SIZE, BATCH, MEMORY = 64, 250_000, 10**9


def batch(number: int, count: int) -> Sketched:
    """What goes into the index of one batch; a copy's original lies in the same batch."""
    draw = np.random.default_rng(number)
    sets = draw.integers(0, 1 << 32, (count, SIZE), dtype=np.uint32)
    copies = np.flatnonzero(draw.random(count) < 0.3)
    sets[copies] = sets[draw.integers(0, count, copies.size)]
    replaced = draw.integers(0, 17, copies.size)  # 16 of 64: a similarity of 0.6
    strangers = draw.integers(0, 1 << 32, (copies.size, SIZE), dtype=np.uint32)
    changed = np.arange(SIZE) < replaced[:, None]
    sets[copies] = np.where(changed, strangers, sets[copies])
    sets.sort(axis=1)
    ids = np.arange(count, dtype=np.uint64) + np.uint64(number * BATCH)
    names = ("id_high", "id_low", "content_high", "content_low", "merit", "form")
    facts = dict.fromkeys(names, ids) | {"figures": np.zeros(count, np.uint64)}
    permutations = draw_permutations(120, 1)
    signatures = np.empty((count, 120), np.uint32)
    for row, one in zip(signatures, sets, strict=True):
        row[:] = sign_with(one, *permutations)
    return Sketched(facts, signatures, sets.ravel(), np.arange(count + 1, dtype=np.int64) * SIZE)


class Watch(threading.Thread):
    """The peak of the anonymous memory of this process."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0

    def run(self) -> None:
        """Look twenty times a second."""
        while True:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            self.peak = max(self.peak, 1024 * int(status.split("RssAnon:")[1].split()[0]))
            time.sleep(0.05)


def search(folder: Path, paths: list[Path]) -> int:
    """Find all duplicates of the indexes, write their file, and tell how many there are."""
    shelf = Shelf([read_index(path) for path in paths], [0] * len(paths))
    spec = {"documents": shelf.count, "memory": MEMORY}
    links, room = [np.empty((0, 3), np.int64)], MEMORY // 4
    parts = parts_of(spec, 1)
    links += [whole_links(shelf, part=part, parts=parts) for part in range(parts)]
    copies = np.concatenate(links)[:, 1]
    for names in rounds(20):
        np.save(folder / "labels.npy", labelled(np.concatenate(links), copies, shelf.count))
        labels, parts = np.asarray(np.load(folder / "labels.npy", mmap_mode="r")), parts_of(spec, len(names))
        for part in range(parts):
            limits = {"part": part, "parts": parts, "room": room}
            links.append(band_links(shelf, names, labels, threshold=0.8, **limits)[0])
    found = resolve(shelf, np.concatenate(links), threshold=0.8, room=room)
    return int(write_duplicates(folder / "duplicates.arrow", shelf, found, {})["duplicates"])


def measured(documents: int, folder: Path) -> dict[str, Any]:
    """Write the indexes, then search them."""
    watch, spent = Watch(), 0.0
    watch.start()
    paths = [folder / f"{number:05d}.arrow" for number in range(-(-documents // BATCH))]
    for number, path in enumerate(paths):
        drawn = batch(number, min(BATCH, documents - number * BATCH))
        begin = time.process_time()
        write_index(path, columns_of(drawn, bands=20, rows=6))
        spent += time.process_time() - begin
    del drawn
    index_peak, watch.peak = watch.peak, 0
    begin, wall = time.process_time(), time.monotonic()
    duplicates = search(folder, paths)
    return {
        "documents": documents,
        "duplicates": duplicates,
        "index_seconds": round(spent, 1),
        "search_seconds": round(time.process_time() - begin, 1),
        "search_wall_seconds": round(time.monotonic() - wall, 1),
        "index_held_bytes": index_peak,
        "search_held_bytes": watch.peak,
        "resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "disk_bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "shingle_bytes": 4 * SIZE * documents,
    }


def growth(rows: list[dict[str, Any]]) -> list[str]:
    """From each size to the next: by how much each figure grew, where documents grew tenfold; then a billion."""
    lines = []
    for one, other in pairwise(rows):
        more = other["documents"] / one["documents"]
        told = [
            f"{name.removesuffix('_bytes').removesuffix('_seconds')} x{other[name] / max(one[name], 0.1):.1f}"
            for name in ("index_seconds", "search_seconds", "search_held_bytes", "disk_bytes")
        ]
        lines.append(f"{one['documents']:,} to {other['documents']:,}, x{more:.0f}: " + ", ".join(told))
    last = rows[-1]
    times = 1_000_000_000 / last["documents"]
    hours = {name: last[f"{name}_seconds"] * times / 3600 for name in ("index", "search")}
    fixed = 4_000_000_000 + 200 * last["duplicates"] * times  # labels; what is held for each duplicate
    lines.append(
        f"a billion, at the rates of the last line: index {hours['index']:.1f} and search {hours['search']:.1f} core "
        f"hours, {last['disk_bytes'] * times / 1e12:.2f} TB of disk; a range of keys holds {MEMORY / 1e9:.0f} GB as "
        f"before, labels and duplicates {fixed / 1e9:.0f} GB"
    )
    return lines


def main() -> None:
    """Measure each size in a process of its own and extrapolate from the largest two."""
    if "--one" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measured(int(sys.argv[-1]), Path(folder))))
        return
    sizes = [100_000, 1_000_000, 10_000_000]
    if "--documents" in sys.argv:
        sizes = [int(sys.argv[sys.argv.index("--documents") + 1])]
    rows = []
    for size in sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(size)], check=True, capture_output=True, text=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print("  ".join(f"{name} {value:,}" for name, value in rows[-1].items()), flush=True)
    print("\n".join(growth(rows)))
    if "--json" in sys.argv:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
