"""Paragraphs that stand in many documents: found while a document is refined, counted over all, cut where asked.

A paragraph is a line of at least SHORTEST characters that is no row of a table and no heading; hashes ignore spaces.
In: a refined text. Out: `marked` gives 32 bytes per paragraph; `repeated` reads those of many documents and tells, of
each that stands in more than k of them, which documents have it, the best first.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORTEST = 20  # characters; a recipe can only ask for more
MARK = np.dtype([("hash", "<u8"), ("start", "<i8"), ("end", "<i8"), ("words", "<i8")])
_LINE_END = 10
_INDENT = (32, 9)  # a space, a tab
_NOT_PROSE = (124, 35)  # | begins a row of a table, # a heading


def marked(text: str, words: NDArray[np.int32]) -> bytes:
    """One MARK per paragraph: hash, first and last character, words; `words` are the places where words begin."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    found: bytes = _marked(codes, np.ascontiguousarray(words, np.int32), _blank()).tobytes()
    return found


@cache
def _blank() -> NDArray[np.bool_]:
    """Which code points are white space; none from U+3001 on is."""
    return np.array([chr(code).isspace() for code in range(0x3001)])


@kernel(
    vector(types.uint64, dimensions=2, writable=True),
    vector(types.uint32),
    vector(types.int32),
    vector(types.boolean),
)
def _marked(codes: Any, words: Any, blank: Any) -> Any:
    """(paragraphs, 4) the fields of MARK."""
    marks = np.empty((codes.size // (SHORTEST + 1) + 1, 4), np.uint64)
    count = start = word = 0
    while start < codes.size:
        end, first, value = start, np.uint32(0), np.uint64(0x9E3779B97F4A7C15)
        while end < codes.size and codes[end] != _LINE_END:
            code = codes[end]
            if first == 0 and code not in _INDENT:
                first = code
            if code >= blank.size or not blank[code]:
                value = (value ^ np.uint64(code)) * np.uint64(0xD6E8FEB86659FD93)
                value ^= value >> np.uint64(32)
            end += 1
        if end - start >= SHORTEST and first not in _NOT_PROSE:
            while word < words.size and words[word] < start:
                word += 1
            before = word
            while word < words.size and words[word] < end:
                word += 1
            marks[count, 0], marks[count, 1], marks[count, 2], marks[count, 3] = value, start, end, word - before
            count += 1
        start = end + 1
    return marks[:count].copy()


def repeated(marks: NDArray[Any], documents: NDArray[np.int64], more_than: int) -> tuple[Any, Any, Any]:
    """The marks of paragraphs that stand in more than `more_than` documents.

    Args:
        marks: [m] MARKs.
        documents: [m] the place of each mark's document in the order of preference.
        more_than: how many documents may have one.

    Returns:
        Places [k] into `marks`; in how many documents that paragraph stands [k]; and the place [k] of the mark's
        document among them, 0 the best. A second time in the same document counts as the same document.
    """
    order = np.lexsort((marks["start"], documents, marks["hash"]))
    hashes, owners = marks["hash"][order], documents[order]
    fresh = np.ones(order.size, dtype=np.bool_)
    fresh[1:] = hashes[1:] != hashes[:-1]
    another = fresh.copy()
    another[1:] |= owners[1:] != owners[:-1]
    begin = np.flatnonzero(fresh)
    run = np.cumsum(fresh) - 1
    number = np.cumsum(another)
    rank = number - number[begin][run]
    seen = np.add.reduceat(another.astype(np.int64), begin)[run] if order.size else number
    wanted = seen > more_than
    return order[wanted], seen[wanted], rank[wanted]
