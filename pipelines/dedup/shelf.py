"""Indexes side by side -> their documents, counted through: the shelf that the search reads from.

What is asked for is copied, and the pages that it was read from are given back: a search over ten million documents
holds what it asked for last and nothing else.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.index import release
from pipelines.dedup.kernel import kernel, vector
from pipelines.dedup.rounds import ROW_BITS, ROWS
from registry.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    U64 = NDArray[np.uint64]
    I64 = NDArray[np.int64]

_i64, _u64w = vector(types.int64), vector(types.uint64, writable=True)


@kernel(_u64w, vector(types.uint64), types.int64, types.int64)
def _pack(column: Any, shift: Any, base: Any) -> Any:
    """Keys without their first `shift` bits and with ordinals instead of rows."""
    keys, above = np.empty(column.size, np.uint64), np.uint64(ROW_BITS) + np.uint64(shift)
    for i in range(column.size):
        row = np.int64(column[i] & np.uint64(ROWS - 1))
        keys[i] = (column[i] << np.uint64(shift)) >> above << above | np.uint64(row + base)
    return keys


@kernel(types.void, vector(types.uint32), _i64, _i64, _i64, vector(types.uint32, writable=True))
def _copy(shingles: Any, offsets: Any, rows: Any, to: Any, flat: Any) -> Any:
    """The shingles of `rows`, each to its place."""
    for i in range(rows.size):
        place = to[i]
        for k in range(offsets[rows[i]], offsets[rows[i] + 1]):
            flat[place] = shingles[k]
            place += 1


def _gather(index: dict[str, Any], rows: I64, to: I64, flat: NDArray[np.uint32]) -> None:
    """The shingles of `rows`, each to its place; from a file by position, which maps no pages around them.

    Raises:
        RecordError: the file is not what it was.
    """
    if "path" not in index:
        _copy(index["shingles"], index["offsets"], rows, to, flat)
        return
    begin = index["offsets"][rows]
    end = to + index["offsets"][rows + 1] - begin
    room, file = flat.data.cast("B"), os.open(index["path"], os.O_RDONLY)
    try:
        for at, a, b in zip((index["at"] + 4 * begin).tolist(), (4 * to).tolist(), (4 * end).tolist(), strict=True):
            if os.preadv(file, [room[a:b]], at) != b - a:
                raise RecordError(f"{index['path']} became shorter while it was read; build again")
    finally:
        os.close(file)


class Shelf:
    """Indexes side by side. A document's ordinal counts through all of them.

    `ages` tells which corpus an index belongs to: earlier ones come before later ones in the order of preference.
    """

    def __init__(self, indexes: Sequence[dict[str, Any]], ages: Sequence[int]) -> None:
        self.indexes = list(indexes)
        self.ages = np.array(ages, dtype=np.int64)
        sizes = [len(index["merit"]) for index in self.indexes]
        self.bases = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))).astype(np.int64)

    @property
    def count(self) -> int:
        """How many documents there are."""
        return int(self.bases[-1])

    def age(self, ordinals: I64) -> I64:
        """The corpus that each document belongs to."""
        place: I64 = self.ages[np.searchsorted(self.bases, ordinals, side="right") - 1]
        return place

    @property
    def least_parts(self) -> int:
        """Into how many parts, a power of two, keys have to be cut so that a key and an ordinal fit 64 bits."""
        return 1 << max(0, (self.count - 1).bit_length() - ROW_BITS)

    def keys(self, names: Sequence[str], part: int, parts: int) -> tuple[U64, int]:
        """The keys of some columns that lie in one of `parts` equal ranges, sorted, each with its document's ordinal.

        The ordinal stands in the lower bits, whose number is returned too; above it stand 44 bits of the key but for
        those that all keys of the range share. `parts` is a power of two, and at least `least_parts`.
        """
        shift = parts.bit_length() - 1
        low, high = part << (64 - shift), (part + 1) << (64 - shift)
        packed = [np.empty(0, np.uint64)]
        for base, index in zip(self.bases.tolist(), self.indexes, strict=False):
            for name in names:
                column = index[name]
                begin = int(np.searchsorted(column, np.uint64(low))) if low else 0
                end = int(np.searchsorted(column, np.uint64(high))) if high < 1 << 64 else len(column)
                packed.append(_pack(column[begin:end], np.int64(shift), np.int64(base)))
            release(index)
        keys = np.concatenate(packed)
        keys.sort()
        return keys, ROW_BITS + shift

    def take(self, name: str, ordinals: I64) -> Any:
        """The values of a column (of FACTS, or the signature) of some documents."""
        return self.several([name], ordinals)[0]

    def several(self, names: Sequence[str], ordinals: I64) -> list[Any]:
        """The values of several columns of some documents."""
        firsts = [self.indexes[0][name] for name in names]
        taken = [np.empty((ordinals.size, *first.shape[1:]), dtype=first.dtype) for first in firsts]
        for place, rows, index in self._by_index(ordinals):
            for name, values in zip(names, taken, strict=True):
                values[place] = index[name][rows]
        return taken

    def sizes(self, ordinals: I64) -> I64:
        """How many shingles some documents have."""
        taken = np.empty(ordinals.size, dtype=np.int64)
        for place, rows, index in self._by_index(ordinals):
            taken[place] = index["offsets"][rows + 1] - index["offsets"][rows]
        return taken

    def shingles(self, ordinals: I64) -> tuple[NDArray[np.uint32], I64]:
        """The shingles of some documents, one after another, and where each begins [n + 1]."""
        offsets = np.concatenate(([0], np.cumsum(self.sizes(ordinals)))).astype(np.int64)
        flat = np.empty(int(offsets[-1]), dtype=np.uint32)
        for place, rows, index in self._by_index(ordinals):
            _gather(index, rows, offsets[place], flat)
        return flat, offsets

    def order(self, ordinals: I64, *before: NDArray[Any]) -> I64:
        """The order [n] that sorts documents by the arrays in `before`, then by preference."""
        ids = self.several(("id_low", "id_high", "merit"), ordinals)
        return np.lexsort((*ids, self.age(ordinals), *reversed(before))).astype(np.int64)

    def _by_index(self, ordinals: I64) -> Iterator[tuple[I64, I64, dict[str, Any]]]:
        """Per index that has some of the documents: their places in `ordinals`, their rows in order, the index."""
        order = np.argsort(ordinals)
        cuts = np.searchsorted(ordinals[order], self.bases)
        for number in np.flatnonzero(np.diff(cuts)).tolist():
            place = order[cuts[number] : cuts[number + 1]]
            yield place, ordinals[place] - self.bases[number], self.indexes[number]
            release(self.indexes[number])
