"""A shelf of indexes -> pairs of documents whose exact Jaccard similarity is at the threshold.

Documents whose signatures agree in a whole band are candidates (Leskovec et al., Mining of Massive Datasets, ch. 3);
their shingle sets decide. What signatures alone decide stops at a precision of .45 with a recall of .997, or at .91
with .91 (2,000 labelled documents, datasketch, 20 bands of 6 lanes); verified, it is 1.000 with .997, and a pair at 0.8
is a candidate with a probability of .998. At a threshold of 0.7 that is .918, and .9997 with 30 bands of 4.

A pair that differs in figures alone (same form, other figures) is not linked, however similar it is.

Bands are joined in rounds. The documents that have the same key of a band are a bucket, and a bucket is linked by
itself: documents that were linked in an earlier round or in this bucket are not compared again, and each is compared
with 2 * REACH others at most. So the links do not depend on how a round is cut into parts, a million copies or a
million strangers that share a band take time in proportion to their number, and no more shingles than `room` are held.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types

from pipelines.dedup.buckets import Bucketed, buckets_of, shared
from pipelines.dedup.index import WHOLE
from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.dedup.shelf import Shelf

    I64 = NDArray[np.int64]

REACH = 32  # a bucket's best documents, and the last ones before a document, that it is compared with
DOUBT = 5.0  # standard errors that an estimate may lie below the threshold before the sets themselves are not read


def whole_links(shelf: Shelf, *, part: int = 0, parts: int = 1) -> I64:
    """Links [m, 3] from the best to every other document with the same shingles and figures, or the same content."""
    documents, _ = shared(*shelf.keys([WHOLE], part, parts), np.arange(shelf.count, dtype=np.uint32))
    whole, size = shelf.take("whole_hash", documents), shelf.sizes(documents)
    order = shelf.order(documents, whole, size)
    documents, whole, size = documents[order], whole[order], size[order]
    fresh = np.ones(documents.size, np.bool_)
    fresh[1:] = (whole[1:] != whole[:-1]) | (size[1:] != size[:-1])
    first = documents[np.maximum.accumulate(np.where(fresh, np.arange(fresh.size), 0))]
    return np.stack((first[~fresh], documents[~fresh], size[~fresh]), axis=1)


def band_links(
    shelf: Shelf,
    names: Sequence[str],
    labels: NDArray[np.uint32],
    *,
    threshold: float,
    settled: int = 0,
    planted: int | None = None,
    part: int = 0,
    parts: int = 1,
    room: int = 1 << 28,
) -> tuple[I64, I64]:
    """Links [m, 3] within the buckets of some bands, and which planted documents were found.

    A link is the better document, the other one, and how many shingles they share.

    Args:
        shelf: all documents.
        names: the columns of the bands' keys.
        labels: [n] what earlier rounds have found: the same for documents that are linked; APART for a document that
            a better one with its shingles and figures stands for, and for a planted one that was found.
        threshold: exact Jaccard similarity from which on documents are linked.
        settled: the first so many documents belong to earlier corpora: they are not compared among themselves.
        planted: from this ordinal on documents are planted: they are found, but link nothing.
        part: which of the ranges of keys is looked at.
        parts: how many ranges there are, a power of two.
        room: bytes of shingles held at a time.
    """
    planted = shelf.count if planted is None else planted
    bucketed = buckets_of(shelf, names, part, parts, labels)
    parent = np.arange(bucketed.documents.size, dtype=np.int64)
    links, found = [np.empty((0, 3), np.int64)], []
    for begin, end in _pieces(bucketed.size, room // 4):
        some = _read(shelf, bucketed, begin, end, threshold)
        pairs = _link(bucketed, some, (begin, end, settled, planted), threshold, parent)
        pairs[:, :2] = bucketed.documents[pairs[:, :2]]
        links.append(pairs[pairs[:, 1] < planted])
        found.append(pairs[pairs[:, 1] >= planted, 1])
    return np.concatenate(links), np.unique(np.concatenate([np.empty(0, np.int64), *found]))


def _pieces(sizes: I64, room: int) -> list[tuple[int, int]]:
    """Cuts of about `room` shingles."""
    before = np.cumsum(sizes) // max(room, 1)
    cuts = np.flatnonzero(np.diff(before)) + 1
    edges = [0, *cuts.tolist(), sizes.size]
    return [(a, b) for a, b in pairwise(edges) if a < b]


class _Read(NamedTuple):
    """The documents of a piece, and those of its first bucket that they are compared with: its head, the last before.

    Place p of the buckets is row p - shift from `main` on, and p - start in the head. Shingles are those of documents
    in pairs that sizes and signatures leave open: a third of all that are candidates.
    """

    start: int
    main: int
    shift: int
    size: I64
    signatures: NDArray[np.uint8]
    form: NDArray[np.uint64]
    figures: NDArray[np.uint64]
    shingles: NDArray[np.uint32]
    offsets: I64


def _read(shelf: Shelf, bucketed: Bucketed, begin: int, end: int, threshold: float) -> _Read:
    start = int(bucketed.begin[begin])
    main = max(start, begin - REACH)
    head = min(start + REACH, main)
    places = np.concatenate((np.arange(start, head), np.arange(main, end)))
    documents, size = bucketed.documents[places], bucketed.size[places]
    signatures, form, figures = shelf.several(("signature", "form", "figures"), documents)
    nothing = (np.empty(0, np.uint32), np.empty(0, np.int64))
    some = _Read(start, main, main - (head - start), size, signatures, form, figures, *nothing)
    wanted = _open(bucketed, some, begin, end, threshold)
    offsets = np.concatenate(([0], np.cumsum(size * wanted)))
    return some._replace(shingles=shelf.shingles(documents[wanted])[0], offsets=offsets)


_u32, _i64, _u64 = vector(types.uint32), vector(types.int64), vector(types.uint64)
_u32w, _i64w, _u64w = (vector(t, writable=True) for t in (types.uint32, types.int64, types.uint64))
_u8w = vector(types.uint8, dimensions=2, writable=True)
_bucketed = types.NamedUniTuple(_i64w, 5, Bucketed)  # type: ignore[no-untyped-call]
_int = types.int64
_some = types.NamedTuple([_int, _int, _int, _i64w, _u8w, _u64w, _u64w, _u32w, _i64w], _Read)  # type: ignore[no-untyped-call]
_four = types.UniTuple(_int, 4)  # type: ignore[no-untyped-call]


@kernel(types.int64, types.int64, types.int64)
def _earlier(begin: Any, i: Any) -> Any:
    """How many documents of the bucket that begins at `begin` document i is compared with."""
    return min(i - begin, 2 * REACH)


@kernel(types.int64, types.int64, types.int64, types.int64)
def _nth(begin: Any, i: Any, k: Any) -> Any:
    """The k-th of them: the first of the bucket, then the last before i."""
    return begin + k if k < REACH else max(begin + k, i - 2 * REACH + k)


@kernel(types.int64, _some, types.int64)
def _row(some: Any, place: Any) -> Any:
    return place - some.shift if place >= some.main else place - some.start


@kernel(types.boolean, _some, types.float64, _int, _int)
def _is_open(some: Any, threshold: Any, x: Any, y: Any) -> Any:
    """Whether sizes, figures and signatures leave it open that rows x and y are at the threshold."""
    least, most = min(some.size[x], some.size[y]), max(some.size[x], some.size[y])
    if least < threshold * most or least == 0:
        return False
    if some.form[x] == some.form[y] and some.figures[x] != some.figures[y]:
        return False
    agreed, lanes = 0, some.signatures.shape[1]
    for k in range(lanes):
        agreed += 1 if some.signatures[x, k] == some.signatures[y, k] else 0
    return agreed >= lanes * threshold - DOUBT * np.sqrt(lanes * threshold * (1 - threshold))


@kernel(vector(types.boolean, writable=True), _bucketed, _some, _int, _int, types.float64)
def _open(bucketed: Any, some: Any, first: Any, last: Any, threshold: Any) -> Any:
    """Which rows are in a pair of other labels that is open."""
    found = np.zeros(some.size.size, np.bool_)
    for i in range(first, last):
        for k in range(_earlier(bucketed.begin[i], i)):
            j = _nth(bucketed.begin[i], i, k)
            if bucketed.label[i] != bucketed.label[j] and _is_open(some, threshold, _row(some, i), _row(some, j)):
                found[_row(some, i)] = found[_row(some, j)] = True
    return found


@kernel(types.int64, _u32, _i64, types.int64, types.int64)
def _common(shingles: Any, offsets: Any, x: Any, y: Any) -> Any:
    """How many shingles documents x and y share; a merge without branches."""
    i, i_end, j, j_end = offsets[x], offsets[x + 1], offsets[y], offsets[y + 1]
    common = 0
    while i < i_end and j < j_end:
        a, b = shingles[i], shingles[j]
        common += 1 if a == b else 0
        i += 1 if a <= b else 0
        j += 1 if b <= a else 0
    return common


@kernel(_i64w, _u32, _i64, _i64, _i64)
def common(shingles: Any, offsets: Any, x: Any, y: Any) -> Any:
    """How many shingles [m] the documents ``x[i]`` and ``y[i]`` share."""
    found = np.empty(x.size, np.int64)
    for i in range(x.size):
        found[i] = _common(shingles, offsets, x[i], y[i])
    return found


@kernel(_int, _some, types.float64, _int, _int)
def _shared_if_similar(some: Any, threshold: Any, x: Any, y: Any) -> Any:
    """How many shingles rows x and y share if they are at the threshold, else -1; sets are read where that is open."""
    if not _is_open(some, threshold, x, y):
        return -1
    shared = _common(some.shingles, some.offsets, x, y)
    return shared if shared / (some.size[x] + some.size[y] - shared) >= threshold else -1


@kernel(types.int64, _i64w, types.int64)
def _find(root: Any, i: Any) -> Any:
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


@kernel(vector(types.int64, dimensions=2, writable=True), _bucketed, _some, _four, types.float64, _i64w)
def _link(bucketed: Any, some: Any, limits: Any, threshold: Any, parent: Any) -> Any:
    """Places and common shingles [m, 3] of the links of a piece; `parent` is whole again at the end of a bucket."""
    first, last, settled, planted = limits
    links, found = np.empty((last - first + 2 * REACH, 3), np.int64), 0  # a forest, and its ties to what came before
    for i in range(first, last):
        begin, here = bucketed.begin[i], bucketed.documents[i]
        for k in range(_earlier(begin, i)):
            j = _nth(begin, i, k)
            there = bucketed.documents[j]
            if there >= planted or (here < settled and there < settled):
                continue
            a, b = _find(parent, bucketed.label[j]), _find(parent, bucketed.label[i])
            shared = -1 if a == b else _shared_if_similar(some, threshold, _row(some, j), _row(some, i))
            if shared < 0:
                continue
            links[found, 0], links[found, 1], links[found, 2] = j, i, shared
            found += 1
            if here >= planted:
                break
            parent[max(a, b)] = min(a, b)
        if i + 1 == bucketed.end[i]:
            for k in range(begin, i + 1):
                parent[bucketed.label[k]] = bucketed.label[k]
    return links[:found]
