"""Text and the places of its words -> 32-bit shingle hashes, and hashes of its figures and of all else.

A text is hashed as it is when folded (folding.py), in one pass that keeps the hash and the counts of the text up to
every place; words, shingles, form and figures come from differences of these, with no branch on a character: 5 us for
600 words of 930 characters. A figure is one word however MeCab cuts it: 1,234 is three words, and １，２３４ is cut
elsewhere.

Two texts that differ in figures alone have the same `form` and other `figures`: the one is a hash of the characters in
their order without figures and signs, the other the sum of the hashes of the figures and signs, whatever their order.
And the lowest bit of a shingle tells whether a figure or sign is in it, unless figures are masked: what is missing of a
text in another may be nothing but figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numba import types

from pipelines.dedup.folding import (
    FOLDED,
    IN_FIGURE,
    LENGTH,
    POWER,
    POWERS,
    SHORT,
    TOLD,
    UNICODE,
    folding,
    marks,
    power,
    spread,
)
from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Spans: TypeAlias = "tuple[NDArray[np.int32], NDArray[np.int32]]"  # where the words of a text begin and end
NOTHING = np.empty(0, np.int32)
START = np.uint64(0x9E3779B97F4A7C15)
FIGURE = np.uint64(0x2545F4914F6CDD1D)  # stands for every masked figure
SPREAD = np.uint64(0xD6E8FEB86659FD93)
ZERO, HALF, ONE = np.uint64(0), np.uint64(32), np.uint64(1)

_u32, _i32, _i64, _u64 = (vector(t) for t in (types.uint32, types.int32, types.int64, types.uint64))
_u32w, _i32w, _i64w, _u64w = (vector(t, writable=True) for t in (types.uint32, types.int32, types.int64, types.uint64))
_known = vector(types.uint64, dimensions=2)


class Shingled(NamedTuple):
    """What is left of some texts."""

    hashes: NDArray[np.uint32]  # of the n-grams, in order, text after text
    offsets: NDArray[np.int64]  # [texts + 1] where those of each text begin
    form: NDArray[np.uint64]  # [texts] of everything but figures and signs
    figures: NDArray[np.uint64]  # [texts] of the multiset of figures and signs


def shingle_words(texts: Sequence[str], words: Sequence[Spans], *, n: int, mask: bool) -> Shingled:
    """Of the n-grams of the words ``text[start[i]:end[i]]`` of each text; with `mask` all figures are the same.

    Fewer than n words make one shingle, none make none.

    Raises:
        ValueError: an offset lies outside its text.
    """
    return _shingled([_code_points("".join(texts))], list(map(len, texts)), words, n, True, mask)


def shingle_characters(texts: Sequence[str], *, n: int, mask: bool) -> Shingled:
    """Of the n-grams of the characters: ㈱ is three of them, half-width ｶﾞ one."""
    folded = [_fold(_code_points(text), *folding()) for text in texts]
    return _shingled(folded, list(map(len, folded)), list(map(_characters, folded)), n, mask, mask)


def _characters(folded: NDArray[np.uint32]) -> Spans:
    start = np.flatnonzero(~marks()[np.minimum(folded, FOLDED - 1)]).astype(np.int32)
    return start, np.append(start[1:], np.int32(folded.size))[: start.size]


def _shingled(
    codes: list[NDArray[np.uint32]], sizes: list[int], words: Sequence[Spans], n: int, join: bool, mask: bool
) -> Shingled:
    starts, ends = [np.concatenate([NOTHING, *(span[side] for span in words)], dtype=np.int32) for side in (0, 1)]
    counts = [len(start) if len(start) == len(end) else -1 for start, end in words]
    if -1 in counts:
        raise ValueError("words have as many ends as starts; the offsets of the words do not fit the text")
    texts_at, words_at = np.cumsum([0, *sizes]), np.cumsum([0, *counts])
    return Shingled(*_of_texts(np.concatenate(codes), texts_at, starts, ends, words_at, *folding(), n, join, mask))


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@kernel(_u32w, _u32, _known, _u32)
def _fold(codes: Any, known: Any, forms: Any) -> Any:
    """The folded code points."""
    length, size = np.int64(0), 0
    for code in codes:
        length += np.int64(known[code, 1] & LENGTH) if code < FOLDED else 1
    folded = np.empty(length, np.uint32)
    for code in codes:
        place = np.int64(forms[code]) - UNICODE if code < FOLDED else -1
        if place < 0:
            folded[size] = forms[code] if code < FOLDED else code
            size += 1
        else:
            for at in range(place + 1, place + 1 + np.int64(forms[place])):
                folded[size] = forms[at]
                size += 1
    return folded


_scanned = types.Tuple([_u64w, _u64w, _i32w])  # type: ignore[no-untyped-call]


@kernel(_scanned, _u32, _known)
def _scan(codes: Any, known: Any) -> Any:
    """The hash, and what is counted, of the text up to each place [characters + 1]; where figures and signs are."""
    hashes, counts = np.empty(codes.size + 1, np.uint64), np.empty(codes.size + 1, np.uint64)
    special, found = np.empty(codes.size + 1, np.int32), 0
    so_far, count = ZERO, ZERO
    hashes[0], counts[0] = so_far, count
    for i in range(codes.size):
        if codes[i] < FOLDED:
            more = known[codes[i], 1]
            so_far = so_far * POWERS[more & LENGTH] + known[codes[i], 0]
        else:
            more = ONE
            so_far = so_far * POWER + spread(np.uint64(codes[i]))
        count += more
        hashes[i + 1], counts[i + 1] = so_far, count
        special[found] = i
        found += 1 if more > LENGTH else 0
    return hashes, counts, special[:found]


@kernel(types.uint64, _u64, _u64, types.int64, types.int64)
def _between(hashes: Any, counts: Any, begin: Any, end: Any) -> Any:
    """The hash of the text between two places."""
    return hashes[end] - hashes[begin] * power((counts[end] - counts[begin]) & LENGTH)


@kernel(types.uint64, types.uint64)
def _mixed(word: Any) -> Any:
    word = (word ^ (word >> np.uint64(29))) * POWER
    return word ^ (word >> HALF)


@kernel(_u64w, _u64, _u64, _i32, _i32, types.boolean, types.boolean)
def _words(hashes: Any, counts: Any, start: Any, end: Any, join: Any, mask: Any) -> Any:
    """64-bit hashes of the words that are not blank; with `join`, the touching parts of a figure are one word.

    The lowest bit of a hash tells whether a digit or sign is in the word; with `mask` it is 0.
    """
    words, size = np.empty(start.size + 1, np.uint64), ZERO  # the first is none
    first, before, reach = ZERO, ZERO, LENGTH  # up to where the word begins; where the figure before ends, once folded
    for i in range(start.size):
        begin, stop = np.uint64(start[i]), np.uint64(end[i])  # unsigned: places from the end are not looked for
        more = counts[stop] - counts[begin]
        if more & LENGTH == ZERO or stop < begin:
            continue
        figure = join and (more >> IN_FIGURE) & SHORT == more & LENGTH
        if not (figure and reach == counts[begin] & LENGTH):
            first, before = hashes[begin], counts[begin]
            size += ONE
        reach = counts[stop] & LENGTH if figure else LENGTH
        count = counts[stop] - before
        word = _mixed(hashes[stop] - first * power(count & LENGTH)) & ~ONE
        if mask:
            words[size] = FIGURE & ~ONE if figure and count >> TOLD else word
        else:
            words[size] = word | (ONE if count >> TOLD else ZERO)
    return words[1 : np.int64(size) + 1]


@kernel(_u32w, _u64, types.int64)
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


_parted = types.UniTuple(types.uint64, 2)  # type: ignore[no-untyped-call]


@kernel(_parted, _u32, _u64, _u64, _i32, _known, _u32)
def _parts(codes: Any, hashes: Any, counts: Any, special: Any, known: Any, forms: Any) -> Any:
    """The form of a text, and its figures and signs, however words are cut: UniDic has 2千 as one word."""
    figures, run, digits = ZERO, START, False  # run: digits, commas and points, which are a figure if there are digits
    form, unbroken, done = START, START, np.int64(0)  # unbroken: the form if the run is none
    for i in range(special.size + 1):
        at = np.int64(special[i]) if i < special.size else codes.size
        place = np.int64(forms[codes[at]]) - UNICODE if i < special.size else -1
        length = 0 if i == special.size else np.int64(forms[place]) if place >= 0 else 1
        for k in range(-1 if (counts[at] - counts[done]) & LENGTH else 0, length):
            code = ZERO if k < 0 else np.uint64(forms[place + 1 + k] if place >= 0 else forms[codes[at]])
            factor = power((counts[at] - counts[done]) & LENGTH) if k < 0 else POWER
            share = _between(hashes, counts, done, at) if k < 0 else spread(code)
            kind = known[np.int64(code), 1] if k >= 0 and code < FOLDED else ONE
            if (kind >> IN_FIGURE) & SHORT:
                run, unbroken, digits = run * SPREAD + code, unbroken * POWER + share, digits or kind >> TOLD != ZERO
                continue
            figures += _mixed(run) if digits else ZERO
            form = form if digits else unbroken
            figures += _mixed(code) if kind >> TOLD else ZERO
            form = form if kind >> TOLD else form * factor + share
            run, unbroken, digits = START, form, False
        done = at + 1
    return (form, figures + _mixed(run)) if digits else (unbroken, figures)


_of_text = types.Tuple([_u32w, types.uint64, types.uint64])  # type: ignore[no-untyped-call]


@kernel(_of_text, _u32, _i32, _i32, _known, _u32, types.int64, types.boolean, types.boolean)
def _shingle(codes: Any, start: Any, end: Any, known: Any, forms: Any, n: Any, join: Any, mask: Any) -> Any:
    """The shingles of one text in order, its form, its figures."""
    for i in range(start.size):
        if not (0 <= start[i] <= codes.size and 0 <= end[i] <= codes.size):
            raise ValueError("the offsets of the words do not fit the text")
    hashes, counts, special = _scan(codes, known)
    shingles = _shingles(_words(hashes, counts, start, end, join, mask), n)
    form, figures = _parts(codes, hashes, counts, special, known, forms)
    return shingles, form, figures


_of_all = types.Tuple([_u32w, _i64w, _u64w, _u64w])  # type: ignore[no-untyped-call]
_options = (types.int64, types.boolean, types.boolean)


@kernel(_of_all, _u32, _i64, _i32, _i32, _i64, _known, _u32, *_options)
def _of_texts(
    codes: Any, texts_at: Any, start: Any, end: Any, words_at: Any, known: Any, forms: Any, n: Any, join: Any, mask: Any
) -> Any:
    """All of it in one call: 1,000 short texts would spend a third of their time between kernels."""
    texts = texts_at.size - 1
    hashes, offsets = np.empty(start.size, np.uint32), np.zeros(texts + 1, np.int64)
    form, figures = np.empty(texts, np.uint64), np.empty(texts, np.uint64)
    for i in range(texts):
        own, a, b = codes[texts_at[i] : texts_at[i + 1]], words_at[i], words_at[i + 1]
        some, form[i], figures[i] = _shingle(own, start[a:b], end[a:b], known, forms, n, join, mask)
        offsets[i + 1] = offsets[i] + some.size
        for k in range(some.size):
            hashes[offsets[i] + k] = some[k]
    return hashes[: offsets[texts]], offsets, form, figures
