"""Documents that stand in a longer one: a section that was also published by itself, a chapter beside the whole book.

In: a shelf, and which documents are gone already. Out: links from a container to what stands in it, where the exact
containment |A & B| / |A| of their shingles is at the threshold; and which documents go. Similarity cannot tell: a page
of a report of a hundred pages has a Jaccard similarity of .01 with it.

Candidates come from sampled shingles (Broder 1997, "On the resemblance and containment of documents"): a quarter of all
hashes is posted, and each document asks with its ASKED lowest ones for the documents that have them too. At a
containment of .9 and 50 shingles or more that finds all but one in 100,000; of 20 shingles, all but 6 in 1,000. A
document of fewer shingles is never taken for a section. A hash asks at most 2 * REACH documents, so a phrase that
stands in all of them costs no more than their number.

A document goes only where a container stays that comes before it: of an earlier corpus, then of a higher priority of
its source, then longer. So a section of a better source stays, and nothing goes because of what goes itself. Where all
that a document has for itself is figures and signs, it stays: that is another fact.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pipelines.dedup.near import Duplicates
    from pipelines.dedup.shelf import Shelf

    I64 = NDArray[np.int64]
    U64 = NDArray[np.uint64]

SHORTEST = 20  # shingles of a document that can stand in another
ASKED = 8
POSTED = np.uint32(1 << 30)  # mixed hashes below are posted
REACH = 32  # the first containers of a bucket, and the last before a document, that it is compared with
MOST = 4  # containers of a document that are told
ASKS = np.uint64(1 << 31)  # the bit of a posted key that asks; below it stands the document

_u32, _i64, _u64 = vector(types.uint32), vector(types.int64), vector(types.uint64)
_i64w, _u64w = vector(types.int64, writable=True), vector(types.uint64, writable=True)
_flags = vector(types.boolean)


class Contained(NamedTuple):
    """Pairs of documents, each with its exact containment; all arrays are [m]."""

    container: I64
    inner: I64
    containment: NDArray[np.float64]


NONE = Contained(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def posted(index: dict[str, Any]) -> U64:
    """The posted keys of an index, sorted: the hash in the upper 32 bits, then whether it asks, then the row."""
    keys: U64 = _posted(index["shingles"], index["offsets"])
    keys.sort()
    return keys


def contained_links(
    shelf: Shelf,
    postings: Sequence[U64],
    gone: NDArray[np.bool_],
    *,
    threshold: float,
    settled: int = 0,
    part: int = 0,
    parts: int = 1,
    room: int = 1 << 28,
) -> Contained:
    """What stands in what, up to MOST containers of each document, by the hashes of one range.

    Args:
        shelf: all documents.
        postings: `posted` of each index.
        gone: [n] documents that are not looked at: duplicates, planted ones.
        threshold: exact containment.
        settled: the first so many documents belong to earlier corpora, where it has been decided.
        part: which of the ranges of hashes is looked at.
        parts: how many ranges there are.
        room: bytes of shingles, and of pairs, held at a time.
    """
    documents, bucket, asks = _shared(_packed(shelf, postings, part, parts), gone)
    order = _precedence(shelf, documents, bucket)
    documents, asks = documents[order], asks[order] & (documents[order] >= settled)
    count = np.bincount(bucket)
    begin = np.repeat(np.cumsum(count) - count, count)
    found = []
    for low, high in _cuts(np.minimum(np.arange(begin.size) - begin, 2 * REACH) * asks, room // 64):
        pairs = np.unique(documents[_pairs(begin, asks, low, high)], axis=0)
        found.append(verified(shelf, pairs[:, 0], pairs[:, 1], threshold, room))
    return first_of(shelf, found)


def first_of(shelf: Shelf, found: Sequence[Contained]) -> Contained:
    """The first MOST containers of each document, in the order of precedence of both."""
    together: list[Any] = [np.concatenate(columns) for columns in zip(NONE, *found, strict=True)]
    pairs, at = np.unique(np.stack(together[:2], axis=1), axis=0, return_index=True)
    inner, place = np.unique(pairs[:, 1], return_inverse=True)
    rank = np.empty(inner.size, np.int64)
    rank[_precedence(shelf, inner, np.zeros(inner.size, np.int64))] = np.arange(inner.size)
    order = _precedence(shelf, pairs[:, 0], rank[place])
    ranked = rank[place][order]
    number = np.arange(ranked.size) - np.searchsorted(ranked, ranked)
    return Contained(*(column[at[order[number < MOST]]] for column in together))


def joined(shelf: Shelf, near: Duplicates, gone: Contained, known: I64, room: int = 1 << 28) -> Duplicates:
    """The duplicates that `near` has, and the documents that go because they stand in others.

    A near-duplicate of a document that goes into a container goes with it: its survivor is the container, and its
    similarity the containment in it. `known` [k, 2] are containers of earlier corpora and what went into them.
    """
    into = np.concatenate((known, np.stack(gone[:2], axis=1)))
    into = into[np.argsort(into[:, 1])]
    place = np.minimum(np.searchsorted(into[:, 1], near.survivor), max(len(into) - 1, 0))
    moved = np.flatnonzero(into[place, 1] == near.survivor) if len(into) else np.empty(0, np.int64)
    survivor, similarity = near.survivor.copy(), near.similarity.copy()
    exact, contained = near.exact.copy(), near.contained.copy()
    survivor[moved] = into[place[moved], 0]
    similarity[moved] = containments(shelf, survivor[moved], near.documents[moved], room)
    exact[moved], contained[moved] = False, True
    no, yes = np.zeros(gone.inner.size, np.bool_), np.ones(gone.inner.size, np.bool_)
    columns: tuple[Any, ...] = (
        (near.documents, gone.inner),
        (survivor, gone.container),
        (similarity, gone.containment),
        (near.partner, gone.container),
        (near.linked, gone.containment),
        (exact, no),
        (contained, yes),
    )
    order = np.argsort(np.concatenate(columns[0]))
    return type(near)(*(np.concatenate(column)[order] for column in columns))


def settle(shelf: Shelf, found: Contained, threshold: float, room: int = 1 << 28) -> Contained:
    """Which documents go, and the container of each that stays; `found` is as `first_of` gives it.

    The container of a container that goes itself is tried too: nobody may have told that it holds the document.
    """
    into: dict[int, int] = {}
    gone = []
    for container, inner, containment in zip(*(column.tolist() for column in found), strict=True):
        if inner in into:
            continue
        last = into.get(container, container)
        exact = [containment]
        if last != container:
            exact = verified(shelf, np.array([last]), np.array([inner]), threshold, room).containment.tolist()
        if exact:
            into[inner] = last
            gone.append((last, inner, exact[0]))
    table = np.array(gone, dtype=[("container", np.int64), ("inner", np.int64), ("containment", np.float64)])
    return Contained(*(np.ascontiguousarray(table[name]) for name in table.dtype.names or ()))


def verified(shelf: Shelf, container: I64, inner: I64, threshold: float, room: int) -> Contained:
    """Those of the pairs [m] in which `inner` stands in `container`; no two texts that differ in figures alone."""
    order = np.argsort(container, kind="stable")
    container, inner = container[order], inner[order]
    apart = shelf.take("form", container) == shelf.take("form", inner)
    apart &= shelf.take("figures", container) != shelf.take("figures", inner)
    container, inner = container[~apart], inner[~apart]
    found = []
    again = np.append(np.zeros(min(container.size, 1), np.bool_), container[1:] == container[:-1])
    for low, high in _cuts(shelf.sizes(inner) + shelf.sizes(container) * ~again, room // 4):
        a, b = container[low:high], inner[low:high]
        documents, places = np.unique(np.concatenate((a, b)), return_inverse=True)
        shingles, offsets = shelf.shingles(documents)
        some = _containment(shingles, offsets, places[: a.size].copy(), places[a.size :].copy(), threshold)
        found.append(some)
    containment = np.concatenate([np.empty(0), *found])
    enough = containment >= threshold
    return Contained(container[enough], inner[enough], containment[enough])


def containments(shelf: Shelf, container: I64, inner: I64, room: int) -> NDArray[np.float64]:
    """The exact containment [m] of each pair, whatever it is."""
    found = np.empty(container.size)
    for low, high in _cuts(shelf.sizes(inner) + shelf.sizes(container), room // 4):
        both = np.concatenate((container[low:high], inner[low:high]))
        documents, places = np.unique(both, return_inverse=True)
        shingles, offsets = shelf.shingles(documents)
        half = high - low
        found[low:high] = _containment(shingles, offsets, places[:half].copy(), places[half:].copy(), 0.0)
    return found


def _precedence(shelf: Shelf, documents: I64, groups: NDArray[Any]) -> I64:
    """The order [n] that sorts documents by group, then by what comes first: age, priority, length, preference."""
    priority = shelf.take("merit", documents) >> np.uint64(48)
    return shelf.order(documents, groups, shelf.age(documents), priority, -shelf.sizes(documents))


def _cuts(costs: NDArray[Any], most: int) -> Iterator[tuple[int, int]]:
    """Runs whose costs sum up to about `most`."""
    step = np.cumsum(costs) // max(most, 1)
    edges = [0, *(np.flatnonzero(np.diff(step)) + 1).tolist(), costs.size]
    yield from ((low, high) for low, high in pairwise(edges) if low < high)


def _packed(shelf: Shelf, postings: Sequence[U64], part: int, parts: int) -> U64:
    """The posted keys of one range with documents instead of rows, sorted."""
    low, high = ((1 << 64) * edge // parts for edge in (part, part + 1))
    rows, slices = np.uint64(int(ASKS) >> 11), []
    for base, keys in zip(shelf.bases.tolist(), postings, strict=False):
        begin = int(np.searchsorted(keys, np.uint64(low)))
        end = int(np.searchsorted(keys, np.uint64(high))) if high < 1 << 64 else keys.size
        some = keys[begin:end]
        hashes, asks = some >> np.uint64(32) << np.uint64(32), (some & rows) << np.uint64(11)
        slices.append(hashes | asks | (some & (rows - np.uint64(1))) + np.uint64(base))
    packed = np.concatenate([np.empty(0, np.uint64), *slices])
    packed.sort()
    return packed


@kernel(_u64w, _u32, _i64)
def _posted(shingles: Any, offsets: Any) -> Any:
    keys = np.empty(shingles.size, np.uint64)
    lowest = np.empty(ASKED, np.uint32)
    size = 0
    for i in range(offsets.size - 1):
        begin = size
        lowest[:] = POSTED
        for k in range(offsets[i], offsets[i + 1]):
            h = shingles[k]
            h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
            h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
            h = h ^ (h >> np.uint32(16))
            if h >= POSTED:
                continue
            keys[size] = np.uint64(h) << np.uint64(34) | np.uint64(i)
            size += 1
            place = ASKED
            while place > 0 and h < lowest[place - 1]:
                if place < ASKED:
                    lowest[place] = lowest[place - 1]
                place -= 1
            if place < ASKED:
                lowest[place] = h
        if offsets[i + 1] - offsets[i] >= SHORTEST:
            for k in range(begin, size):
                if keys[k] >> np.uint64(34) <= lowest[ASKED - 1]:
                    keys[k] |= np.uint64(1 << 20)
    return keys[:size].copy()


_three = types.Tuple([_i64w, _i64w, vector(types.boolean, writable=True)])  # type: ignore[no-untyped-call]


@kernel(_three, _u64, _flags)
def _shared(keys: Any, gone: Any) -> Any:
    """The documents of buckets in which one asks and another answers, each with its bucket and whether it asks."""
    documents, bucket = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    asks = np.empty(keys.size, np.bool_)
    size, number, i = 0, 0, 0
    while i < keys.size:
        key, begin, asked = keys[i] >> np.uint64(32), size, False
        while i < keys.size and keys[i] >> np.uint64(32) == key:
            document = np.int64(keys[i] & (ASKS - np.uint64(1)))
            if not gone[document]:
                documents[size], bucket[size], asks[size] = document, number, (keys[i] & ASKS) != 0
                asked |= asks[size]
                size += 1
            i += 1
        if asked and size - begin > 1:
            number += 1
        else:
            size = begin
    return documents[:size].copy(), bucket[:size].copy(), asks[:size].copy()


@kernel(vector(types.int64, dimensions=2, writable=True), _i64, _flags, types.int64, types.int64)
def _pairs(begin: Any, asks: Any, low: Any, high: Any) -> Any:
    """Places [m, 2] of a possible container and of what asks for one, of those that ask from `low` to `high`."""
    count = 0
    for i in range(low, high):
        count += min(i - begin[i], 2 * REACH) if asks[i] else 0
    pairs, size = np.empty((count, 2), np.int64), 0
    for i in range(low, high):
        skipped = max(0, i - begin[i] - 2 * REACH)
        for k in range(begin[i], i - skipped if asks[i] else begin[i]):
            pairs[size, 0], pairs[size, 1] = k if k < begin[i] + REACH else k + skipped, i
            size += 1
    return pairs


@kernel(vector(types.float64, writable=True), _u32, _i64, _i64, _i64, types.float64)
def _containment(shingles: Any, offsets: Any, container: Any, inner: Any, threshold: Any) -> Any:
    """The share of each inner document's shingles that its container has.

    0 where it is below the threshold, or where all that is missing holds figures or signs. A binary search that doubles
    its step from where the last one ended: of one small and one large set only what is near is read.
    """
    found = np.zeros(container.size)
    for p in range(container.size):
        at, end = offsets[container[p]], offsets[container[p] + 1]
        first, last = offsets[inner[p]], offsets[inner[p] + 1]
        allowed = (last - first) * (1 - threshold) + 1e-9
        missing, plain = 0, 0
        for k in range(first, last):
            wanted, step = shingles[k], 1
            low = at
            while at < end and shingles[at] < wanted:
                low, at, step = at + 1, at + step, 2 * step
            at = min(at, end)
            while low < at:
                middle = (low + at) >> 1
                if shingles[middle] < wanted:
                    low = middle + 1
                else:
                    at = middle
            if at == end or shingles[at] != wanted:
                missing += 1
                plain += 1 if shingles[k] & np.uint32(1) == 0 else 0
                if missing > allowed:
                    break
        if missing <= allowed and (plain > 0 or missing == 0 or threshold == 0):
            found[p] = (last - first - missing) / max(last - first, 1)
    return found
