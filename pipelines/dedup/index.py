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
from pipelines.dedup.rounds import ROW_BITS, ROWS, band_name
from registry.errors import RecordError
from registry.publish import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U64 = NDArray[np.uint64]
    I64 = NDArray[np.int64]

WHOLE = "whole"  # the key that documents share whose shingles and figures are the same
FACTS = ("id_high", "id_low", "content_high", "content_low", "merit", "form", "figures", "whole_hash")
_VERSION = {"sketches": "4"}  # 4: words are hashed by their text's prefixes; others cannot be compared
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_i64 = vector(types.int64)


class Sketched(NamedTuple):
    """What goes into an index, by document."""

    facts: dict[str, U64]  # FACTS without whole_hash, [n] each; low merit and then low id come first
    signatures: NDArray[np.uint32]  # [n, lanes]
    shingles: NDArray[np.uint32]  # sorted and unique by document, one after another
    offsets: I64  # [n + 1]


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
    """The columns of an index as read-only arrays in a memory map.

    Under "map" is the map itself; under "path" the file, and under "at" the byte of it at which the shingles begin.

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
    columns: dict[str, Any] = {"map": mapped, "path": path}
    for name in batch.schema.names:
        column = batch.column(name)
        if name == "signature":
            lanes = column.type.list_size
            columns[name] = column.values.to_numpy().reshape(-1, lanes)
        elif name == "shingles":
            columns["offsets"], columns[name] = column.offsets.to_numpy(), column.values.to_numpy()
            columns["at"] = column.values.buffers()[1].address - pa.py_buffer(mapped).address
        else:
            columns[name] = column.to_numpy()
    release(columns)
    return columns


def release(index: dict[str, Any]) -> None:
    """Give back the memory of what was read: around each page the system maps 15 more, soon the whole file."""
    if "map" in index:
        index["map"].madvise(mmap.MADV_DONTNEED)
