"""Text and the places of its words -> 32-bit shingle hashes.

The text is folded first (NFKD, case, white space and invisible characters dropped), so that the same words in full and
half width, in capitals or with other line breaks between them hash alike. Folding goes by a table of code points, not
by Python strings: 5 ns a character where `unicodedata.normalize` takes 120 on text that has full-width figures.
A figure is one word however MeCab cuts it: 1,234 is three words, and １，２３４ is cut elsewhere.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNICODE = sys.maxunicode + 1  # a value from here on says at which place the longer form stands
FOLDED = 0x30000  # beyond this code point nothing changes, but for a few invisible tags
INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # categories of control and format characters, spaces and line breaks
START = np.uint64(0x9E3779B97F4A7C15)
FIGURE = np.uint64(0x2545F4914F6CDD1D)  # stands for every masked figure
SPREAD = np.uint64(0xD6E8FEB86659FD93)
HALF = np.uint64(32)

_u32, _i32, _u64 = vector(types.uint32), vector(types.int32), vector(types.uint64)


def shingle_words(
    text: str, start: NDArray[np.int32], end: NDArray[np.int32], *, n: int, mask: bool
) -> NDArray[np.uint32]:
    """Hashes of the n-grams of the words ``text[start[i]:end[i]]``, in order; with `mask` all figures are the same.

    Fewer than n words make one shingle, none make none.

    Raises:
        ValueError: an offset lies outside the text.
    """
    start, end = (np.ascontiguousarray(offsets, dtype=np.int32) for offsets in (start, end))
    both = np.concatenate((start, end))
    if start.size != end.size or (both.size and (both.min() < 0 or both.max() > len(text))):
        raise ValueError("the offsets of the words do not fit the text")
    folded, place = _fold(_code_points(text), *_folding())
    return _shingles(_words(folded, place[start], place[end], True, mask), n)  # type: ignore[no-any-return]


def shingle_characters(text: str, *, n: int, mask: bool) -> NDArray[np.uint32]:
    """Hashes of the n-grams of the characters, in order: ㈱ is three of them, half-width ｶﾞ one."""
    folded, _ = _fold(_code_points(text), *_folding())
    start = np.flatnonzero(~_marks()[np.minimum(folded, FOLDED - 1)]).astype(np.int32)
    end = np.append(start[1:], np.int32(folded.size))[: start.size]
    return _shingles(_words(folded, start, end, mask, mask), n)  # type: ignore[no-any-return]


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@cache
def _folding() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Every code point's folded form: another one, or UNICODE + place, where a count and as many code points stand."""
    single = np.arange(FOLDED, dtype=np.uint32)
    longer: list[int] = []
    for code in range(FOLDED):
        character = chr(code)
        folded = ""
        if unicodedata.category(character) not in INVISIBLE:
            folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
            folded = "".join(folded.split())
        if len(folded) == 1:
            single[code] = ord(folded)
        else:
            single[code] = UNICODE + len(longer)
            longer += [len(folded), *map(ord, folded)]
    return single, np.array(longer, dtype=np.uint32)


@cache
def _marks() -> NDArray[np.bool_]:
    """Which code points belong to the character before them."""
    return np.array([unicodedata.combining(chr(code)) != 0 for code in range(FOLDED)])


_folded_text = types.Tuple([vector(types.uint32, writable=True), vector(types.int32, writable=True)])  # type: ignore[no-untyped-call]


@kernel(_folded_text, _u32, _u32, _u32)
def _fold(codes: Any, single: Any, longer: Any) -> Any:
    """The folded code points, and for each offset into `codes` the offset into them."""
    place = np.empty(codes.size + 1, np.int32)
    size = np.int64(0)
    for i in range(codes.size):
        place[i] = size
        form = single[codes[i]] if codes[i] < single.size else codes[i]
        size += 1 if form < UNICODE else np.int64(longer[form - UNICODE])
    place[codes.size] = size
    folded = np.empty(size, np.uint32)
    for i in range(codes.size):
        form = single[codes[i]] if codes[i] < single.size else codes[i]
        if form < UNICODE:
            folded[place[i]] = form
            continue
        for k in range(place[i + 1] - place[i]):
            folded[place[i] + k] = longer[form - UNICODE + 1 + k]
    return folded, place


@kernel(types.int64, _u32, types.int64, types.int64)
def _figure(folded: Any, begin: Any, stop: Any) -> Any:
    """What a word is of a figure: 0 nothing, 1 only commas and points, 2 digits."""
    found = 0
    for i in range(begin, stop):
        if 48 <= folded[i] <= 57:
            found = 2
        elif folded[i] == 44 or folded[i] == 46:
            found = max(found, 1)
        else:
            return 0
    return found


@kernel(vector(types.uint64, writable=True), _u32, _i32, _i32, types.boolean, types.boolean)
def _words(folded: Any, start: Any, end: Any, join: Any, mask: Any) -> Any:
    """64-bit hashes of the words that are not blank; with `join`, the touching parts of a figure are one word."""
    words = np.empty(start.size, np.uint64)
    count, reach, word, digits = 0, -1, START, False
    for i in range(start.size):
        if start[i] >= end[i]:
            continue
        figure = _figure(folded, start[i], end[i]) if join else 0
        goes_on = figure > 0 and reach == start[i]
        if not goes_on:
            count, word, digits = count + 1, START, False
        for j in range(start[i], end[i]):
            word = (word ^ np.uint64(folded[j])) * SPREAD
            word ^= word >> HALF
        digits |= figure == 2
        words[count - 1] = FIGURE if mask and digits else word
        reach = end[i] if figure > 0 else -1
    return words[:count].copy()


@kernel(vector(types.uint32, writable=True), _u64, types.int64)
def _shingles(words: Any, n: Any) -> Any:
    size = min(n, words.size)
    shingles = np.empty(words.size - size + 1 if size else 0, np.uint32)
    for i in range(shingles.size):
        shingle = START
        for k in range(i, i + size):
            shingle = (shingle ^ words[k]) * SPREAD
            shingle ^= shingle >> HALF
        shingles[i] = np.uint32(shingle >> HALF)
    return shingles
