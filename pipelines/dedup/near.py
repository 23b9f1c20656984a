"""A shelf of indexes -> the duplicates in it, each with its survivor, the exact similarity and the linking pair.

First `whole` keys find what is the same, then the bands in rounds find what is similar, by verified links alone
(`link`). The documents that links hold together are a component (scipy); its best document stays. Everything goes by
the order of preference, so the result depends neither on the order in which documents came nor on how the work was cut.

Figures decide once more where links are resolved: a member of a component that differs from the survivor in figures
alone is not its duplicate, even where a third document is similar to both; the best of each such kind stays too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from pipelines.dedup.buckets import APART
from pipelines.dedup.link import band_links, common, whole_links
from pipelines.dedup.rounds import rounds
from registry.errors import RecordError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.dedup.shelf import Shelf

    I64 = NDArray[np.int64]

NONE = np.empty((0, 3), np.int64)
UNKNOWN = -1  # how many shingles the documents of a link share


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """The documents that are duplicates, in order, and what of; all arrays are [m].

    The partner is the survivor itself where the two are at the threshold. A document that is linked to its survivor
    only by way of others has a `similarity` below it; its partner is then the next document on a shortest way there.
    """

    documents: I64
    survivor: I64
    similarity: NDArray[np.float64]  # exact Jaccard with the survivor; 1.0 for the same content
    partner: I64  # the document of the linking pair
    linked: NDArray[np.float64]  # exact Jaccard with the partner, never below the threshold
    exact: NDArray[np.bool_]  # the same content as the survivor
    contained: NDArray[np.bool_]  # the survivor is a longer document, and `similarity` the share that stands in it

    def columns(self) -> list[NDArray[Any]]:
        """All arrays, in the order in which they are given."""
        return [getattr(self, field.name) for field in fields(self)]


def merged(links: I64) -> tuple[I64, I64]:
    """The documents [k] that links [m, 3] hold together, in order, and the least document of each one's component."""
    documents, places = np.unique(links[:, :2], return_inverse=True)
    _, component = connected_components(_graph(places.reshape(-1, 2), documents.size), directed=False)
    _, first = np.unique(component, return_index=True)
    return documents, documents[first[component]]


def labelled(links: I64, apart: I64, count: int) -> NDArray[np.uint32]:
    """A label [count] for each document: that of its component, or APART where it is one of `apart`.

    Raises:
        RecordError: there are more documents than 32 bits count.
    """
    if count > APART:
        raise RecordError(f"{count:,} documents are too many for one search; the most are {int(APART):,}")
    labels = np.arange(count, dtype=np.uint32)
    documents, least = merged(links)
    labels[documents] = least
    labels[apart] = APART
    return labels


def find_links(
    shelf: Shelf,
    *,
    threshold: float | None,
    bands: int,
    known: I64 = NONE,
    settled: int = 0,
    planted: int | None = None,
    room: int = 1 << 28,
) -> tuple[I64, I64]:
    """All links [m, 3], those in `known` included, and which planted documents were found; in this process.

    Args:
        shelf: all documents.
        threshold: exact Jaccard similarity of a link; None finds those of the same content only.
        bands: how many the indexes have.
        known: links of earlier corpora; how many shingles they share may be UNKNOWN.
        settled: the first so many documents belong to earlier corpora.
        planted: from this ordinal on documents are planted.
        room: bytes of shingles held at a time.
    """
    links = [known, whole_links(shelf)]
    copies = links[1][:, 1]
    found = np.empty(0, np.int64)
    for names in rounds(bands) if threshold else []:
        labels = labelled(np.concatenate(links), np.union1d(copies, found), shelf.count)
        some, more = band_links(
            shelf, names, labels, threshold=threshold or 1.0, settled=settled, planted=planted, room=room
        )
        links.append(some)
        found = np.union1d(found, more)
    return np.concatenate(links), found


def resolve(shelf: Shelf, links: I64, *, threshold: float | None, settled: int = 0, room: int = 1 << 28) -> Duplicates:
    """The duplicates among the documents from `settled` on, by links [m, 3] that all were verified."""
    documents, labels = merged(links)
    order = shelf.order(documents, labels)
    documents, labels = documents[order], labels[order]
    best = _first_of(labels, documents)
    survivor = _by_figures(shelf, documents, labels, best)
    lost = np.flatnonzero((survivor != documents) & (documents >= settled))
    losers, winners = documents[lost], survivor[lost]
    similarity, exact = similarities(shelf, winners, losers, links, room)
    partner, near = winners.copy(), similarity.copy()
    distant = np.flatnonzero(similarity < (threshold or 1.0))
    if distant.size:
        partner[distant] = _next_steps(links, winners[distant], losers[distant])
        near[distant] = similarities(shelf, partner[distant], losers[distant], links, room)[0]
    place = np.argsort(losers)
    columns: list[Any] = [losers, winners, similarity, partner, near, exact, np.zeros(losers.size, np.bool_)]
    return Duplicates(*(column[place] for column in columns))


def _first_of(groups: NDArray[Any], documents: I64) -> I64:
    """For each document the first of its group; groups are runs."""
    fresh = np.ones(groups.size, dtype=np.bool_)
    fresh[1:] = groups[1:] != groups[:-1]
    first: I64 = documents[np.flatnonzero(fresh)[np.cumsum(fresh) - 1]] if groups.size else documents
    return first


def _by_figures(shelf: Shelf, documents: I64, labels: I64, best: I64) -> I64:
    """The survivor of each document: the best of its component, or of those that have its figures."""
    form, figures = shelf.several(("form", "figures"), documents)
    places = np.argsort(documents)
    of_best = places[np.searchsorted(documents, best, sorter=places)]
    alone = (form == form[of_best]) & (figures != figures[of_best])
    apart = np.flatnonzero(alone)
    if not apart.size:
        return best
    grouped = apart[np.lexsort((apart, figures[apart], labels[apart]))]  # the best of each group still comes first
    keys = np.stack((labels[grouped], figures[grouped].view(np.int64)), axis=1)
    _, group = np.unique(keys, axis=0, return_inverse=True)
    survivor = best.copy()
    survivor[grouped] = _first_of(group.reshape(-1), documents[grouped])
    return survivor


def similarities(shelf: Shelf, x: I64, y: I64, links: I64, room: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Exact Jaccard similarities of the documents ``x[i]`` and ``y[i]``, and whether they have the same content.

    What stands in `links` is not counted again.
    """
    high, low = shelf.several(("content_high", "content_low"), np.concatenate((x, y)))
    exact = (high[: x.size] == high[x.size :]) & (low[: x.size] == low[x.size :])
    sizes = shelf.sizes(np.concatenate((x, y))).reshape(2, -1).sum(axis=0)
    shared = _shared(links, x, y)
    unknown = np.flatnonzero(~exact & (shared == UNKNOWN))
    step = np.cumsum(sizes[unknown]) // max(room // 4, 1)
    for piece in np.split(unknown, np.flatnonzero(np.diff(step)) + 1):
        documents, places = np.unique(np.concatenate((x[piece], y[piece])), return_inverse=True)
        shingles, offsets = shelf.shingles(documents)
        a, b = places[: piece.size], places[piece.size :]
        shared[piece] = common(shingles, offsets, np.ascontiguousarray(a), np.ascontiguousarray(b))
    return np.where(exact, 1.0, shared / np.maximum(sizes - shared, 1)), exact


def _shared(links: I64, x: I64, y: I64) -> I64:
    """How many shingles the documents ``x[i]`` and ``y[i]`` share; UNKNOWN where they are not linked in this order."""
    if not len(links):
        return np.full(x.size, UNKNOWN)
    known, wanted = (
        (a << np.uint64(32)) | b  # a document's number is below 2^32
        for a, b in (links.T[:2].astype(np.uint64), np.stack((x, y)).astype(np.uint64))
    )
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(links) - 1)]
    shared: I64 = np.where(known[place] == wanted, links[place, 2], UNKNOWN)
    return shared


def _next_steps(links: I64, survivors: I64, documents: I64) -> I64:
    """For each document the next one on a shortest way of links to its survivor, or to the best where figures part."""
    nodes, places = np.unique(np.concatenate((links[:, :2].ravel(), survivors)), return_inverse=True)
    edges, roots = places[: 2 * len(links)].reshape(-1, 2), np.unique(places[2 * len(links) :])
    above = np.stack((np.full_like(roots, nodes.size), roots), axis=1)  # one root above all survivors
    graph = _graph(np.concatenate((edges, above)), nodes.size + 1)
    _, before = breadth_first_order(graph, nodes.size, directed=False)
    steps: I64 = nodes[before[np.searchsorted(nodes, documents)]]
    return steps


def _graph(links: Sequence[Any] | I64, count: int) -> Any:
    edges = np.asarray(links)
    return coo_array((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(count, count)).tocsr()
