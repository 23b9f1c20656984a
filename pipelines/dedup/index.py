"""Sketches of some documents -> one file that the search reads piece by piece: the index.

An index is an Arrow file of one uncompressed batch, so its columns are arrays in a memory map and what is not touched
stays on disk. Of a document it holds where it stands in the order of preference, hashes of its content, its signature
cut to 8 bits a lane (which tells whether a pair is worth reading), its shingles, and a key per band. The keys of a band
are sorted, each with its row in the lower 20 bits, so the documents of a range of keys are one slice of every index:
that is how the work is cut into pieces that fit memory, however many documents there are. 360 bytes a document besides
its shingles at 20 bands of 6, where datatrove writes 952 and datasketch holds 4,000.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from registry.errors import RecordError
from registry.publish import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    U64 = NDArray[np.uint64]
    I64 = NDArray[np.int64]

ROW_BITS = 20
ROWS = 1 << ROW_BITS  # documents in an index at most
WHOLE = "whole"  # the key that documents share whose shingles and figures are the same
FACTS = ("id_high", "id_low", "content_high", "content_low", "merit", "form", "figures", "whole_hash")
_VERSION = {"sketches": "4"}  # 4: words are hashed by their text's prefixes; others cannot be compared
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_i64, _u64w = vector(types.int64), vector(types.uint64, writable=True)


class Sketched(NamedTuple):
    """What goes into an index, by document."""

    facts: dict[str, U64]  # FACTS without whole_hash, [n] each; low merit and then low id come first
    signatures: NDArray[np.uint32]  # [n, lanes]
    shingles: NDArray[np.uint32]  # sorted and unique by document, one after another
    offsets: I64  # [n + 1]


def band_name(band: int) -> str:
    """The column of the keys of a band."""
    return f"band_{band:03d}"


def hashed_rows(*columns: NDArray[Any]) -> U64:
    """64-bit hashes [n] of rows that are given column by column, well mixed in their upper bits."""
    keys = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        keys = (keys ^ column) * _SPREAD
        keys ^= keys >> _HALF
    return keys * _SPREAD


@kernel(vector(types.uint64, dimensions=2, writable=True), vector(types.uint32, dimensions=2), types.int64, types.int64)
def _band_keys(signatures: Any, bands: Any, rows: Any) -> Any:
    """Hashes [bands, n] of the bands of signatures, each with its row in the lower bits."""
    keys = np.empty((bands, signatures.shape[0]), np.uint64)
    for i in range(signatures.shape[0]):
        for band in range(bands):
            key = np.uint64(band)
            for lane in range(band * rows, (band + 1) * rows):
                key = (key ^ np.uint64(signatures[i, lane])) * _SPREAD
                key ^= key >> _HALF
            keys[band, i] = key * _SPREAD >> np.uint64(ROW_BITS) << np.uint64(ROW_BITS) | np.uint64(i)
    return keys


def columns_of(given: Sketched, *, bands: int, rows: int) -> dict[str, Any]:
    """All columns of an index, as arrays; without bands, documents are the same by their content alone.

    Raises:
        RecordError: the arrays contradict each other, or there are too many documents for one index.
    """
    facts, signatures, shingles, offsets = given
    count = len(signatures)
    if count > ROWS or any(len(column) != count for column in facts.values()) or len(offsets) != count + 1:
        raise RecordError(f"the columns of an index of {count} documents do not fit each other")
    if np.any(np.diff(offsets) < 0) or offsets[0] != 0 or offsets[-1] > len(shingles):
        raise RecordError(f"the offsets into {len(shingles)} shingles do not fit them")
    by_content = hashed_rows(facts["content_high"], facts["content_low"])
    whole = _whole(facts, shingles, offsets, by_content) if bands else by_content
    low = np.uint64(ROW_BITS)
    keys = {WHOLE: whole >> low << low | np.arange(count, dtype=np.uint64)}
    if bands:
        of_bands = _band_keys(np.ascontiguousarray(signatures, dtype=np.uint32), bands, rows)
        keys |= {band_name(band): of_bands[band] for band in range(bands)}
    for column in keys.values():
        column.sort()  # five times as fast as argsort
    return {
        **facts,
        "whole_hash": whole,
        "signature": signatures.astype(np.uint8),
        "shingles": shingles[: offsets[-1]],
        "offsets": offsets,
        **keys,
    }


@kernel(vector(types.uint64, writable=True), vector(types.uint32), _i64)
def _set_sums(shingles: Any, offsets: Any) -> Any:
    """For each document the sum of its mixed shingles."""
    sums = np.zeros(offsets.size - 1, np.uint64)
    for i in range(sums.size):
        for k in range(offsets[i], offsets[i + 1]):
            mixed = np.uint64(shingles[k]) * _SPREAD
            sums[i] += (mixed ^ (mixed >> _HALF)) * _SPREAD
    return sums


def _whole(facts: dict[str, U64], shingles: NDArray[np.uint32], offsets: I64, by_content: U64) -> U64:
    """A hash of each document's set of shingles and its figures; of its content where there are no shingles."""
    sizes = np.diff(offsets).astype(np.uint64)
    of_set = hashed_rows(_set_sums(shingles, offsets), sizes, facts["figures"])
    return np.where(sizes > 0, of_set, by_content)


def write_index(path: Path, columns: dict[str, Any]) -> None:
    """Write an index, whole or not at all."""
    import pyarrow as pa

    lanes = columns["signature"].shape[1]
    arrays: dict[str, Any] = {}
    for name, column in columns.items():
        match name:
            case "signature":
                flat = pa.array(np.ascontiguousarray(column).reshape(-1))
                arrays[name] = pa.FixedSizeListArray.from_arrays(flat, max(lanes, 1)) if lanes else None
            case "shingles":
                arrays[name] = pa.LargeListArray.from_arrays(pa.array(columns["offsets"]), pa.array(column))
            case "offsets":
                pass
            case _:
                arrays[name] = pa.array(column)
    batch = pa.record_batch({name: array for name, array in arrays.items() if array is not None}, metadata=_VERSION)
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), batch.schema) as writer:
        writer.write_batch(batch)


def read_index(path: Path) -> dict[str, Any]:
    """The columns of an index as read-only arrays in a memory map, which stands under "map" itself.

    Raises:
        RecordError: the file is damaged, or its sketches cannot be compared with those that are made now.
    """
    import pyarrow as pa

    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        batch = pa.ipc.open_file(pa.py_buffer(mapped)).get_batch(0)
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError, and so is an empty file
        raise RecordError(f"{path} is damaged ({error}); build again") from None
    if batch.schema.metadata != {key.encode(): value.encode() for key, value in _VERSION.items()}:
        raise RecordError(f"{path} holds sketches of another version of corpus-foundry; build that corpus again")
    columns: dict[str, Any] = {"map": mapped}
    for name in batch.schema.names:
        column = batch.column(name)
        if name == "signature":
            lanes = column.type.list_size
            columns[name] = column.values.to_numpy().reshape(-1, lanes)
        elif name == "shingles":
            columns["offsets"], columns[name] = column.offsets.to_numpy(), column.values.to_numpy()
        else:
            columns[name] = column.to_numpy()
    _release(columns)
    return columns


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


class Shelf:
    """Indexes side by side. A document's ordinal counts through all of them.

    What is asked for is copied, and the pages that it was read from are given back. `ages` tells which corpus an index
    belongs to: earlier ones come before later ones in the order of preference.
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
            _release(index)
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
            _copy(index["shingles"], index["offsets"], rows, offsets[place], flat)
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
            _release(self.indexes[number])


def _release(index: dict[str, Any]) -> None:
    """Give back the memory of what was read: around each page the system maps 15 more, soon the whole file."""
    if "map" in index:
        index["map"].madvise(mmap.MADV_DONTNEED)
