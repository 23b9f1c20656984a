"""How time, memory and disk grow with the number of documents: 0.1, 1 and 10 million synthetic ones.

    python benchmarks/dedup_scale.py [--documents N] [--json]

Documents are sets of 64 hashes, drawn, not texts; three in ten are edited copies of another, 0.6 to 1 alike.
They go through the same functions as a build's: indexes on disk, ranges of keys, rounds of bands, components. Every
size runs in a process of its own, on one core. Memory is the peak of what the process holds itself, read twenty times a
second; pages of the memory map are the system's to take back at any time, and are told beside it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from pipelines.dedup.index import Shelf, Sketched, columns_of, read_index, write_index
from pipelines.dedup.link import ALL_KEYS, band_links, rounds, whole_links
from pipelines.dedup.minhash import draw_permutations, sign_with
from pipelines.dedup.near import merged, resolve

SIZE, BATCH, MEMORY = 64, 250_000, 1 << 30


def batch(number: int, count: int) -> dict[str, np.ndarray]:
    """The columns of the index of one batch; a copy's original lies in the same batch."""
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
    signatures = np.stack([sign_with(one, *permutations) for one in sets])
    offsets = np.arange(count + 1, dtype=np.int64) * SIZE
    return columns_of(Sketched(facts, signatures, sets.ravel(), offsets), bands=20, rows=6)


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


def measured(documents: int, folder: Path) -> dict[str, float]:
    """Write the indexes, then find all duplicates."""
    watch, begin = Watch(), time.monotonic()
    watch.start()
    for number in range(-(-documents // BATCH)):
        write_index(folder / f"{number}.arrow", batch(number, min(BATCH, documents - number * BATCH)))
    written = time.monotonic()
    paths = sorted(folder.glob("*.arrow"))
    shelf = Shelf([read_index(path) for path in paths], [0] * len(paths))
    ranges = max(1, -(-documents * 64 // MEMORY))
    limits = [(ALL_KEYS * part // ranges, ALL_KEYS * (part + 1) // ranges) for part in range(ranges)]
    links = [whole_links(shelf, low=low, high=high) for low, high in limits]
    copies = np.unique(np.concatenate(links)[:, 1])
    for names in rounds(20):
        linked = merged(np.concatenate(links), copies)
        for name in names:
            for low, high in limits:
                some, _ = band_links(shelf, name, linked, threshold=0.8, low=low, high=high, room=MEMORY // 4)
                links.append(some)
    found = resolve(shelf, np.concatenate(links), threshold=0.8, room=MEMORY // 4)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "documents": documents,
        "duplicates": int(found.documents.size),
        "index_seconds": round(written - begin, 1),
        "search_seconds": round(time.monotonic() - written, 1),
        "peak_bytes": watch.peak,
        "peak_with_map_bytes": peak,
        "disk_bytes": sum(path.stat().st_size for path in paths),
    }


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
    last = rows[-1]
    times = 1_000_000_000 / last["documents"]
    print(
        f"a billion, at the rates of the last line: index {last['index_seconds'] * times / 3600:.1f} and search "
        f"{last['search_seconds'] * times / 3600:.1f} core hours, {last['disk_bytes'] * times / 1e12:.2f} TB of disk"
    )
    if "--json" in sys.argv:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
