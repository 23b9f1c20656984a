"""Text and the places of its words -> 32-bit shingle hashes, and hashes of its figures and of all else.

The text is folded first (NFKD, case, white space and invisible characters dropped), so that the same words in full and
half width, in capitals or with other line breaks between them hash alike. Folding goes by a table of code points, 5 ns
a character, where `unicodedata.normalize` takes 120 on text with full-width figures. A figure is one word however MeCab
cuts it: 1,234 is three words, and １，２３４ is cut elsewhere.

Two texts that differ in figures alone have the same `form` and other `figures`: the one is a hash of the characters in
their order without figures and signs, the other the sum of the hashes of the figures and signs, whatever their order.
And the lowest bit of a shingle tells whether a figure or sign is in it, unless figures are masked: what is missing of a
text in another may be nothing but figures.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

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
POWER = np.uint64(0x9FB21C651E98DF25)  # odd: of the polynomial that makes a shingle of n words
HALF, ONE = np.uint64(32), np.uint64(1)
SIGNS = frozenset(
    "+-\u00b1\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u25b2\u25b3"
)  # in a table a dash is a figure too: nil

_u32, _i32, _u64 = vector(types.uint32), vector(types.int32), vector(types.uint64)


class Shingled(NamedTuple):
    """What is left of a text."""

    hashes: NDArray[np.uint32]  # of the n-grams, in order
    form: int  # 64 bits: of everything but figures and signs
    figures: int  # 64 bits: of the multiset of figures and signs


def shingle_words(text: str, start: NDArray[np.int32], end: NDArray[np.int32], *, n: int, mask: bool) -> Shingled:
    """Of the n-grams of the words ``text[start[i]:end[i]]``; with `mask` all figures are the same.

    Fewer than n words make one shingle, none make none.

    Raises:
        ValueError: an offset lies outside the text.
    """
    start, end = np.ascontiguousarray(start, dtype=np.int32), np.ascontiguousarray(end, dtype=np.int32)
    return Shingled(*_of_words(_code_points(text), start, end, *_folding(), _signs(), n, mask))


def shingle_characters(text: str, *, n: int, mask: bool) -> Shingled:
    """Of the n-grams of the characters: ㈱ is three of them, half-width ｶﾞ one."""
    folded, _ = _fold(_code_points(text), *_folding())
    start = np.flatnonzero(~_marks()[np.minimum(folded, FOLDED - 1)]).astype(np.int32)
    end = np.append(start[1:], np.int32(folded.size))[: start.size]
    return Shingled(_shingles(_words(folded, start, end, _signs(), mask, mask), n), *_parts(folded, _signs()))


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


@cache
def _signs() -> NDArray[np.bool_]:
    """Which code points are signs, up to the last that is one."""
    return np.isin(np.arange(1 + max(map(ord, SIGNS))), [*map(ord, SIGNS)])


_folded = types.Tuple([vector(types.uint32, writable=True), vector(types.int32, writable=True)])  # type: ignore[no-untyped-call]


@kernel(_folded, _u32, _u32, _u32)
def _fold(codes: Any, single: Any, longer: Any) -> Any:
    """The folded code points, and the place [n + 1] of each character's first among them."""
    place = np.empty(codes.size + 1, np.int32)
    size = np.int32(0)
    for i in range(codes.size):
        place[i] = size
        form = single[codes[i]] if codes[i] < single.size else codes[i]
        size += np.int32(1) if form < UNICODE else np.int32(longer[form - UNICODE])
    place[codes.size] = size
    folded = np.empty(size, np.uint32)
    for i in range(codes.size):
        form = single[codes[i]] if codes[i] < single.size else codes[i]
        if form < UNICODE:
            folded[place[i]] = form
        else:
            for k in range(place[i + 1] - place[i]):
                folded[place[i] + k] = longer[form - UNICODE + 1 + k]
    return folded, place


@kernel(types.int64, _u32, types.int64, types.int64)
def _figure(folded: Any, begin: Any, stop: Any) -> Any:
    """What a word is of a figure: 0 nothing, 1 only commas and points, 2 digits."""
    found = 1
    for i in range(begin, stop):
        c = folded[i]
        if 48 <= c <= 57:
            found = 2
        elif c not in {44, 46}:
            return 0
    return found


@kernel(types.uint64, types.uint64)
def _mixed(word: Any) -> Any:
    word = (word ^ (word >> np.uint64(29))) * POWER
    return word ^ (word >> HALF)


@kernel(vector(types.uint64, writable=True), _u32, _i32, _i32, vector(types.boolean), types.boolean, types.boolean)
def _words(folded: Any, start: Any, end: Any, signs: Any, join: Any, mask: Any) -> Any:
    """64-bit hashes of the words that are not blank; with `join`, the touching parts of a figure are one word.

    The lowest bit of a hash tells whether a digit or sign is in the word; with `mask` it is 0.
    """
    words = np.empty(start.size, np.uint64)
    count, reach, digits, told, word = 0, np.int64(-1), False, np.uint64(0), START
    for i in range(start.size):
        begin, stop = np.int64(start[i]), np.int64(end[i])
        if begin >= stop:
            continue
        figure = _figure(folded, begin, stop) if join and folded[begin] <= 57 else 0
        if figure == 0 or reach != begin:
            word, digits, told = START, False, np.uint64(0)
            count += 1
        for at in range(begin, stop):
            c = np.uint64(folded[at])
            word = word * SPREAD + c
            if c < signs.size:  # few: kana and kanji lie beyond
                told |= ONE if signs[c] or 48 <= c <= 57 else np.uint64(0)
        digits |= figure == 2
        words[count - 1] = (FIGURE if digits else _mixed(word)) & ~ONE if mask else _mixed(word) & ~ONE | told
        reach = stop if figure else np.int64(-1)
    return words[:count]


_parted = types.UniTuple(types.uint64, 2)  # type: ignore[no-untyped-call]


@kernel(_parted, _u32, vector(types.boolean))
def _parts(folded: Any, signs: Any) -> Any:
    """The form of a text, and its figures and signs, however words are cut: UniDic has 2千 as one word."""
    form, figures, at = START, np.uint64(0), 0
    while at < folded.size:
        c = np.uint64(folded[at])
        if c >= signs.size or not (signs[c] or 44 <= c <= 57):
            form = form * POWER + c
            at += 1
            continue
        if signs[c]:
            figures += _mixed(c)
            at += 1
            continue
        begin, digits, run = at, False, START
        while at < folded.size and (48 <= folded[at] <= 57 or folded[at] in {44, 46}):
            digits |= folded[at] >= 48
            run = run * SPREAD + np.uint64(folded[at])
            at += 1
        at = max(at, begin + 1)  # a slash is none of them
        figures += _mixed(run) if digits else np.uint64(0)
        for k in range(begin, begin if digits else at):
            form = form * POWER + np.uint64(folded[k])
    return form, figures


@kernel(vector(types.uint32, writable=True), _u64, types.int64)
def _shingles(words: Any, n: Any) -> Any:
    """The upper halves of polynomials of n hashes, one vectorised pass per word of a shingle."""
    size = min(n, words.size)
    count = words.size - size + 1 if size else 0
    sums, told = np.full(count, START), np.zeros(count, np.uint64)
    for k in range(size):
        for i in range(count):
            sums[i] = sums[i] * POWER + words[i + k]
            told[i] |= words[i + k]
    shingles = np.empty(count, np.uint32)
    for i in range(count):
        shingles[i] = np.uint32((sums[i] ^ (sums[i] >> HALF)) * SPREAD >> HALF & ~ONE | told[i] & ONE)
    return shingles


_shingled = types.Tuple([vector(types.uint32, writable=True), types.uint64, types.uint64])  # type: ignore[no-untyped-call]


@kernel(_shingled, _u32, _i32, _i32, _u32, _u32, vector(types.boolean), types.int64, types.boolean)
def _of_words(codes: Any, start: Any, end: Any, single: Any, longer: Any, signs: Any, n: Any, mask: Any) -> Any:
    """All of it in one call: 1,000 short texts would spend a third of their time between kernels."""
    inside = start.size == end.size
    for i in range(start.size if inside else 0):
        inside &= (start[i] >= 0) & (start[i] <= codes.size) & (end[i] >= 0) & (end[i] <= codes.size)
    if not inside:
        raise ValueError("the offsets of the words do not fit the text")
    folded, place = _fold(codes, single, longer)
    begin, stop = np.empty(start.size, np.int32), np.empty(start.size, np.int32)
    for i in range(start.size):
        begin[i], stop[i] = place[start[i]], place[end[i]]
    return _shingles(_words(folded, begin, stop, signs, True, mask), n), *_parts(folded, signs)
