"""Keys of bands -> buckets: the documents that have the same key of a band, where there is something to link.

Keys are sorted with their documents' numbers in their lower bits, 25 ns each, and walked once: nothing else is done for
the documents that share no band. Ten million of them take 8 s of sorting in all, where argsort takes 40.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types

from pipelines.dedup.index import hashed_rows
from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.dedup.shelf import Shelf

    I64 = NDArray[np.int64]

APART = np.uint32(0xFFFFFFFF)  # the label of a document that is not compared any more


class Bucketed(NamedTuple):
    """Documents in buckets of two or more, the best of each bucket first."""

    documents: I64
    begin: I64  # where the bucket of each begins
    end: I64
    label: I64  # small numbers, the same for documents that are linked
    size: I64  # how many shingles each has


def buckets_of(shelf: Shelf, names: Sequence[str], part: int, parts: int, labels: NDArray[np.uint32]) -> Bucketed:
    """The buckets in which there is something to link, the best document of each first."""
    documents, bucket = _once(*shared(*shelf.keys(names, part, parts), labels))
    order = shelf.order(documents, bucket)
    documents = documents[order]
    count = np.bincount(bucket)
    end = np.cumsum(count)
    _, small = np.unique(labels[documents], return_inverse=True)
    columns = (documents, np.repeat(end - count, count), np.repeat(end, count), small, shelf.sizes(documents))
    return Bucketed(*(np.ascontiguousarray(column, dtype=np.int64) for column in columns))


def _once(documents: I64, bucket: I64) -> tuple[I64, I64]:
    """The same without the buckets that have the documents of another: two that are similar share three bands or four.

    Buckets are told apart by 64 bits of their documents.
    """
    begin = np.flatnonzero(np.diff(bucket, prepend=-1))
    if not begin.size:
        return documents, bucket
    _, first = np.unique(np.add.reduceat(hashed_rows(documents.view(np.uint64)), begin), return_index=True)
    kept = np.zeros(begin.size, np.bool_)
    kept[first] = True
    number = np.cumsum(kept) - 1
    return documents[kept[bucket]], number[bucket][kept[bucket]]


_two = types.UniTuple(vector(types.int64, writable=True), 2)  # type: ignore[no-untyped-call]


@kernel(_two, vector(types.uint64), types.int64, vector(types.uint32))
def shared(keys: Any, bits: Any, labels: Any) -> Any:
    """The documents of buckets with two labels or more, and the number of each one's bucket.

    Below the lower `bits` of `keys`, which are in order, stand the documents. A bucket's number is counted from 0.
    """
    documents, bucket = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    ordinals, above = (np.uint64(1) << np.uint64(bits)) - np.uint64(1), np.uint64(bits)
    size, number, i = 0, 0, 0
    while i < keys.size:
        key, begin, strangers, first = keys[i] >> above, size, False, APART
        alone = i + 1 == keys.size or keys[i + 1] >> above != key
        while i < keys.size and keys[i] >> above == key:
            document = np.int64(keys[i] & ordinals)
            label = APART if alone else labels[document]
            if label != APART:
                first = label if first == APART else first
                strangers |= label != first
                documents[size], bucket[size] = document, number
                size += 1
            i += 1
        if strangers:
            number += 1
        else:
            size = begin  # nothing to link here
    return documents[:size].copy(), bucket[:size].copy()
