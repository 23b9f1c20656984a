"""Sketches and content hashes -> the duplicates among them, each with its survivor and the exact similarity.

Exact first: of documents with the same content hash only the best goes on. Then near, by verified links alone (`link`);
the survivor is the best document of a component. All work is done on positions in the order of rank, so the result
depends on the ranks and not on the order in which the documents came. A document without shingles resembles none, but
one with the very same content is still its copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from pipelines.dedup.link import Sketches, frozen, similarities, verified_links
from registry.errors import RecordError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """What became of each document. Of those that stay, `survivor` and `partner` are -1 and the similarities 0.

    The partner is the survivor itself where the two are at the threshold. A document that is linked to its survivor
    only by way of others has a `similarity` below it; its partner is then the next document on a shortest way there.
    """

    survivor: Int64  # [n]
    similarity: NDArray[np.float64]  # [n] exact Jaccard with the survivor; 1.0 for the same content
    partner: Int64  # [n] the document of the linking pair
    linked: NDArray[np.float64]  # [n] exact Jaccard with the partner, never below the threshold


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """Documents by position in the order of rank."""

    sketches: Sketches  # `documents` leads from position to document
    best: Int64  # position -> the first position with the same content

    def similarities(self, x: Int64, y: Int64) -> NDArray[np.float64]:
        _, _, shingles, offsets = self.sketches
        order = self.sketches.documents
        found: NDArray[np.float64] = similarities(shingles, offsets, order[x], order[y])
        found[self.best[x] == self.best[y]] = 1.0
        return found


def find_duplicates(
    contents: NDArray[Any],
    signatures: NDArray[np.uint32],
    shingles: NDArray[np.uint32],
    offsets: Int64,
    rank: Int64,
    *,
    threshold: float | None = 0.8,
    bands: int = 20,
    rows: int = 6,
) -> Duplicates:
    """The duplicates among n documents.

    Args:
        contents: 128-bit hashes of the texts, [n] of 16 bytes or [n, 2] of uint64.
        signatures: [n, lanes].
        shingles: all documents' sorted unique hashes, one after another; document i has ``offsets[i]:offsets[i + 1]``.
        offsets: [n + 1].
        rank: [n], distinct; of duplicates the lowest stays.
        threshold: exact Jaccard similarity from which on two documents are duplicates, above 0 and at most 1; None
            finds those of the same content only.
        bands: groups of lanes of the signature; agreement in one of them makes a candidate.
        rows: lanes in a band.

    Raises:
        UsageError: threshold, bands or rows do not fit the signatures.
        RecordError: the arrays contradict each other.
    """
    count = len(rank)
    if threshold is not None and (not 0 < threshold <= 1 or min(bands, rows) < 1 or bands * rows > signatures.shape[1]):
        raise UsageError(f"threshold {threshold} and {bands} bands of {rows} do not fit {signatures.shape[1]} lanes")
    _check(contents, signatures, shingles, offsets, rank)
    order = np.argsort(rank).astype(np.int64)
    pairs = np.ascontiguousarray(contents).view(np.uint64).reshape(count, 2)
    best = _first_with_content(pairs[order])
    arrays = frozen(signatures, np.uint32), frozen(shingles, np.uint32), frozen(offsets, np.int64)
    near = np.empty((0, 2), np.int64)
    if threshold is not None:
        distinct = np.flatnonzero((best == np.arange(count)) & (np.diff(offsets)[order] > 0))
        candidates = Sketches(frozen(order[distinct], np.int64), *arrays)
        near = distinct[verified_links(candidates, threshold=threshold, bands=bands, rows=rows)]
    copies = np.flatnonzero(best != np.arange(count))
    links = np.concatenate((np.stack((best[copies], copies), axis=1), near))
    return _resolve(_Ranked(Sketches(frozen(order, np.int64), *arrays), best), links, threshold or 1.0)


def _check(
    contents: NDArray[Any], signatures: NDArray[Any], shingles: NDArray[Any], offsets: Int64, rank: Int64
) -> None:
    count = len(rank)
    if contents.nbytes != 16 * count or len(signatures) != count or len(offsets) != count + 1:
        raise RecordError(f"contents, signatures or offsets are not those of {count} documents")
    if np.any(np.diff(offsets) < 0) or offsets[0] < 0 or offsets[-1] > len(shingles):
        raise RecordError(f"the offsets into {len(shingles)} shingles do not fit them")
    if np.unique(rank).size != count:
        raise RecordError("two documents have the same rank, so which of them stays would be luck")


def _first_with_content(contents: NDArray[np.uint64]) -> Int64:
    """For each position the first one with the same content."""
    grouped = np.lexsort((contents[:, 1], contents[:, 0]))
    fresh = np.ones(grouped.size, dtype=np.bool_)
    fresh[1:] = (contents[grouped[1:]] != contents[grouped[:-1]]).any(axis=1)
    best = np.empty(grouped.size, dtype=np.int64)
    best[grouped] = grouped[fresh][np.cumsum(fresh) - 1]
    return best


def _resolve(ranked: _Ranked, links: Int64, threshold: float) -> Duplicates:
    """The components of the links; survivor, partner and similarities of every document but the best of each."""
    order = ranked.sketches.documents
    count = order.size
    _, component = connected_components(_graph(links, count), directed=False)
    _, first = np.unique(component, return_index=True)
    survivor = first.astype(np.int64)[component]
    lost = np.flatnonzero(survivor != np.arange(count))
    similarity = ranked.similarities(lost, survivor[lost])
    partner, linked = survivor[lost], similarity.copy()
    distant = np.flatnonzero(similarity < threshold)
    if distant.size:
        partner[distant] = _next_step(links, first, count)[lost[distant]]
        linked[distant] = ranked.similarities(lost[distant], partner[distant])
    result = Duplicates(np.full(count, -1), np.zeros(count), np.full(count, -1), np.zeros(count))
    result.survivor[order[lost]], result.similarity[order[lost]] = order[survivor[lost]], similarity
    result.partner[order[lost]], result.linked[order[lost]] = order[partner], linked
    return result


def _next_step(links: Int64, survivors: Int64, count: int) -> Int64:
    """For each position the next one on a shortest way of links to its survivor."""
    above = np.stack((np.full_like(survivors, count), survivors), axis=1)  # one root above all survivors
    graph = _graph(np.concatenate((links, above)), count + 1)
    _, before = breadth_first_order(graph, count, directed=False)
    steps: Int64 = before.astype(np.int64)
    return steps


def _graph(links: Int64, count: int) -> Any:
    return coo_array((np.ones(len(links), dtype=np.int8), (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
