"""How many words of a document stand in a list, by 64-bit hashes of them: no string is made for a word.

Strings cost 23 % of MeCab's time for a single list of terms, hashes 2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.quality.scan import hash_span, sum_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.words import Words

_FREE, _LEAST, _BYTE, _HALF = map(np.uint64, (0, 1, 8, 32))

_i32, _u64 = vector(types.int32), vector(types.uint64)


def count_terms(sums: NDArray[np.uint64], tokens: Words, terms: frozenset[str]) -> int:
    """How many of the words are among `terms`; `sums` are those of the text."""
    count: int = _count(sums, tokens.start, tokens.end, _table(terms))
    return count


@lru_cache(maxsize=64)  # lists of rules, which are few and stay the same
def _table(terms: frozenset[str]) -> NDArray[np.uint64]:
    """The hashes of the terms, each at the first free place from its own on; at most half of the places are taken."""
    ordered = sorted(terms)
    end = np.cumsum([len(term) for term in ordered], dtype=np.int32) if ordered else np.empty(0, np.int32)
    start = np.append(np.int32(0), end[:-1])[: end.size].astype(np.int32)
    codes = np.frombuffer("".join(ordered).encode("utf-32-le", "surrogatepass"), np.uint32)
    table: NDArray[np.uint64] = _made(sum_up(codes), start, end)
    return table


@kernel(vector(types.uint64, writable=True), _u64, _i32, _i32)
def _made(sums: Any, start: Any, end: Any) -> Any:
    size = 16
    while size < 2 * start.size:
        size *= 2
    table = np.zeros(size, np.uint64)
    for i in range(start.size):
        key = max(hash_span(sums, start[i], end[i]), _LEAST)  # so that none is 0
        place = np.int64((key ^ key >> _HALF) >> _BYTE) & (size - 1)
        while table[place] not in (_FREE, key):
            place = (place + 1) & (size - 1)
        table[place] = key
    return table


@kernel(types.int64, _u64, _i32, _i32, _u64)
def _count(sums: Any, start: Any, end: Any, table: Any) -> Any:
    count = 0
    for i in range(start.size):
        key = max(hash_span(sums, start[i], end[i]), _LEAST)
        place = np.int64((key ^ key >> _HALF) >> _BYTE) & (table.size - 1)
        while table[place] not in (_FREE, key):
            place = (place + 1) & (table.size - 1)
        count += table[place] == key
    return count
