"""The self-test of a build: near-duplicates made on purpose, put among the real ones, counted and left out again.

In: the indexes of a build. Out: one more index, of documents made from the sets of real ones: of n shingles r are
replaced by strangers, so the exact similarity is (n - r) / (n + r), evenly spread from the threshold to 1. Which
documents are taken (those with the lowest ids) and what is drawn depend on the ids alone. Planted documents come last
in the order of preference and link nothing, so the build is the same with them as without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.dedup.index import Sketched
from pipelines.dedup.minhash import sign

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.dedup.shelf import Shelf

SHORTEST = 50  # shingles: fewer do not give similarities that are fine enough


def plant(shelf: Shelf, *, count: int, threshold: float, lanes: int) -> tuple[Sketched, list[float]]:
    """Up to `count` planted documents, and the exact similarity of each with the one that it was made from."""
    chosen = _lowest_ids(shelf, count)
    sets, similarities = [], []
    shingles, offsets = shelf.shingles(chosen)
    for number, seed in enumerate(shelf.take("id_low", chosen).tolist()):
        original = shingles[offsets[number] : offsets[number + 1]]
        wanted = threshold + (1 - threshold) * number / max(1, chosen.size)
        replaced = int(original.size * (1 - wanted) / (1 + wanted))
        sets.append(_edited(original, replaced, seed))
        similarities.append((original.size - replaced) / (original.size + replaced))
    return _sketched(sets, lanes), similarities


def _lowest_ids(shelf: Shelf, count: int) -> Any:
    """The documents of enough shingles that have the lowest ids; of each index only so many are looked at."""
    found = []
    for base, index in zip(shelf.bases.tolist(), shelf.indexes, strict=False):
        long = np.flatnonzero(np.diff(index["offsets"]) >= SHORTEST)
        order = np.lexsort((index["id_low"][long], index["id_high"][long]))[:count]
        found.append(long[order] + base)
    ordinals = np.concatenate([np.empty(0, np.int64), *found]).astype(np.int64)
    order = np.lexsort((shelf.take("id_low", ordinals), shelf.take("id_high", ordinals)))
    return ordinals[order[:count]]


def _edited(original: NDArray[np.uint32], replaced: int, seed: int) -> NDArray[np.uint32]:
    """The set without `replaced` of its hashes, and with as many that it does not have."""
    draw = np.random.default_rng(seed)
    strangers = np.setdiff1d(draw.integers(0, 1 << 32, 2 * replaced + 16, dtype=np.uint32), original)
    kept = draw.permutation(original)[replaced:]
    return np.sort(np.concatenate((kept, draw.permutation(strangers)[:replaced])))


def _sketched(sets: list[NDArray[np.uint32]], lanes: int) -> Sketched:
    count = len(sets)
    last = np.full(count, (1 << 64) - 1, dtype=np.uint64)
    number = np.arange(count, dtype=np.uint64)
    facts = dict.fromkeys(("id_low", "content_low", "form"), number)
    facts |= dict.fromkeys(("merit", "id_high", "content_high", "figures"), last)
    signatures = [sign(shingles, permutations=lanes) for shingles in sets]
    return Sketched(
        facts,
        np.array(signatures, dtype=np.uint32).reshape(count, lanes),
        np.concatenate([np.empty(0, np.uint32), *sets]),
        np.cumsum([0, *(shingles.size for shingles in sets)], dtype=np.int64),
    )
