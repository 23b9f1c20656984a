"""Tokens: how long the kept documents are, and how full rows of a fixed length become with them.

In: the token counts of the kept documents. Out: a histogram over powers of two, quantiles, and for rows of 2,048, 4,096
and 8,192 tokens the share that is filled, when documents are padded one by one and when they are packed: pieces longer
than a row are cut, and the rests are placed best-fit decreasing (Ding et al. 2024, arXiv:2404.10830). Packing works on
counts of lengths, not on documents: a million take 30 ms.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

import numpy as np

from corpus.audit.figures.counts import ratio

if TYPE_CHECKING:
    from corpus.audit.ledger import Floats, Ledger

ROWS = (2048, 4096, 8192)
_QUANTILES = {"least": 0.0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "most": 1.0}


def lengths(ledger: Ledger) -> dict[str, Any]:
    """How long the kept documents are, in tokens; over all, and by source."""
    kept = np.sort(ledger.rows("fate", "kept"))
    tokens = ledger.numbers("tokens")
    by_source = {
        source: _spread(tokens[np.intersect1d(kept, ledger.rows("source", source), assume_unique=True)])
        for source in ledger.values("source")
    }
    return {**_spread(tokens[kept]), "sources": {name: spread for name, spread in by_source.items() if spread}}


def packing(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """By the length of a row: what a trainer gets of this corpus."""
    tokens = ledger.numbers("tokens")[ledger.rows("fate", "kept")].astype(np.int64)
    return {str(length): _fill(tokens, length) for length in ROWS}


def _spread(tokens: Floats) -> dict[str, Any]:
    if not tokens.size:
        return {}
    quantiles = np.quantile(tokens, list(_QUANTILES.values()), method="lower")
    powers = np.floor(np.log2(np.maximum(tokens, 1))).astype(int)
    counts = np.bincount(powers)
    weights = np.bincount(powers, weights=tokens)
    return {
        **{name: int(value) for name, value in zip(_QUANTILES, quantiles, strict=True)},
        "mean": round(float(tokens.mean()), 2),
        "histogram": [
            {"from": 2**power, "documents": int(counts[power]), "tokens": int(weights[power])}
            for power in range(int(powers.min()), len(counts))
        ],
    }


def _fill(tokens: Any, length: int) -> dict[str, Any]:
    total = int(tokens.sum())
    padded = int((-(-tokens // length)).sum())
    rows = _rows_needed(tokens, length)
    return {
        "padded_rows": padded,
        "padded_fill": ratio(total, padded * length),
        "packed_rows": rows,
        "packed_fill": ratio(total, rows * length),
        "longer": int(np.count_nonzero(tokens > length)),
    }


def _rows_needed(tokens: Any, length: int) -> int:
    """Rows that best-fit decreasing fills: pieces of equal length are placed together."""
    full = int((tokens // length).sum())
    counts = np.bincount(tokens % length, minlength=length)
    room: dict[int, int] = {}  # free tokens -> rows that have so many
    spaces: list[int] = []  # its keys, sorted
    opened = 0
    for size in range(length - 1, 0, -1):
        left = int(counts[size])
        while left:
            at = bisect_left(spaces, size)
            if at == len(spaces):  # no row has room: open as many as there are pieces, each row taking what it can
                each = length // size
                rows, rest = divmod(left, each)
                opened += rows + bool(rest)
                _free(room, spaces, length - each * size, rows)
                _free(room, spaces, length - rest * size, bool(rest))
                break
            space = spaces[at]
            used = min(left, room[space])
            room[space] -= used
            if not room[space]:
                del room[space], spaces[at]
            _free(room, spaces, space - size, used)
            left -= used
    return full + opened


def _free(room: dict[int, int], spaces: list[int], space: int, rows: int) -> None:
    if rows and space:
        if space not in room:
            insort(spaces, space)
        room[space] = room.get(space, 0) + rows
