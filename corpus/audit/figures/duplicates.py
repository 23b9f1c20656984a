"""Duplicates: how many, how alike, in clusters of what size, and which source repeats which.

In: the ledger. Out: plain counts; `largest` names the largest clusters by their survivor's id, with the member that is
least like it, whose differences the page shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from corpus.audit.figures.counts import ratio

if TYPE_CHECKING:
    from corpus.audit.ledger import Ledger, Rows

_LARGEST = 8
_STEPS = 20  # bars of the histogram of similarities, from 0 to 1
SIZES = ((2, 2), (3, 3), (4, 5), (6, 10), (11, 100), (101, 1000), (1001, None))


def duplicates(ledger: Ledger) -> dict[str, Any]:
    """All that the ledger knows of duplicates."""
    lost = ledger.rows("fate", "duplicate")
    lost = lost[ledger.survivors[lost] >= 0]
    similarity = ledger.numbers("similarity")
    near, contained = (
        np.intersect1d(lost, ledger.rows("rule", rule), assume_unique=True) for rule in ("near", "contained")
    )
    counts, _ = np.histogram(similarity[near], bins=np.linspace(0, 1, _STEPS + 1))
    survivors, sizes = np.unique(ledger.survivors[lost], return_counts=True)
    sizes = sizes + 1
    return {
        "documents": len(lost),
        "exact": len(lost) - len(near) - len(contained),
        "near": len(near),
        "contained": len(contained),
        "ratio": ratio(len(lost), len(lost) + len(ledger.rows("fate", "kept"))),
        "similarities": counts.tolist(),
        "clusters": len(survivors),
        "sizes": {
            _size_name(low, high): int(np.count_nonzero((sizes >= low) & (sizes <= (high or np.inf))))
            for low, high in SIZES
        },
        "between": _between(ledger, lost),
        "largest": _largest(ledger, lost, survivors, sizes, similarity),
    }


def _size_name(low: int, high: int | None) -> str:
    return f"{low}" if low == high else f"{low}-{high}" if high else f"{low} and more"


def _between(ledger: Ledger, lost: Rows) -> dict[str, dict[str, int]]:
    """Source of the duplicate -> source of its survivor -> documents."""
    found: dict[str, dict[str, int]] = {}
    homes = ledger.survivors[lost]
    for source in ledger.values("source"):
        own = homes[np.isin(lost, ledger.rows("source", source), assume_unique=True)]
        counts = {name: int(np.isin(own, ledger.rows("source", name)).sum()) for name in ledger.values("source")}
        if own.size:
            found[source] = {name: count for name, count in counts.items() if count}
    return found


def _largest(ledger: Ledger, lost: Rows, survivors: Rows, sizes: Rows, similarity: Any) -> list[dict[str, Any]]:
    names = ledger.ids(survivors)
    found = []
    for i in sorted(range(len(survivors)), key=lambda i: (-int(sizes[i]), names[i]))[:_LARGEST]:
        members = lost[ledger.survivors[lost] == survivors[i]]
        least = float(similarity[members].min())
        found.append(
            {
                "survivor": names[i],
                "size": int(sizes[i]),
                "least_alike": min(ledger.ids(members[similarity[members] == least])),
                "similarity": float(f"{least:.6g}"),
            }
        )
    return found
