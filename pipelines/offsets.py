"""What MeCab may see of some texts; and the digits that it writes -> arrays of words. Both as machine code.

A word takes 10 digits: lengths and costs, where places in the line and costs so far took 16 and a tenth of the time.
Where numbers begin and end is found first, without a branch, and then each is read at once: digit by digit, every end
is a branch that goes wrong, and a word takes 40 ns in place of 20.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

_NEW_LINE, _MINUS, _ZERO = 10, 45, 48
_ALL, _DIGITS = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0x0F0F0F0F0F0F0F0F)
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_BY_10, _BY_100, _BY_10000 = (np.uint64(1 + (ten << bits)) for ten, bits in ((10, 8), (100, 16), (10000, 32)))
_1, _3, _7, _8, _16, _32, _63, _64 = map(np.uint64, (1, 3, 7, 8, 16, 32, 63, 64))

_arrays = types.Tuple(  # type: ignore[no-untyped-call]
    [
        vector(types.int32, writable=True),
        vector(types.int32, writable=True),
        vector(types.uint8, writable=True),
        vector(types.boolean, writable=True),
        vector(types.int32, writable=True),
        vector(types.int64, writable=True),
    ]
)
_seen = types.Tuple(  # type: ignore[no-untyped-call]
    [vector(types.uint32, writable=True), vector(types.int64, writable=True), types.int64, types.boolean]
)


@kernel(_seen, vector(types.uint32), vector(types.boolean))
def see(codes: Any, blind: Any) -> Any:
    """The code points that MeCab may see; the first one of each line; the length of the longest; whether any is new.

    What `blind` says becomes a space, and so does U+FEFF; lone surrogates become U+FFFD.
    """
    seen, firsts = codes.copy(), np.empty(codes.size + 1, np.int64)
    firsts[0] = longest = 0
    count, changed = 1, False
    for i in range(codes.size):
        code = codes[i]
        if code == _NEW_LINE:
            longest = max(longest, i - firsts[count - 1])
            firsts[count] = i + 1
            count += 1
        elif (code < blind.size and blind[code]) or code == 0xFEFF:
            seen[i], changed = 32, True
        elif 0xD800 <= code < 0xE000:
            seen[i], changed = 0xFFFD, True
    longest = max(longest, codes.size - firsts[count - 1])
    return seen, firsts[:count].copy(), longest, changed


@kernel(types.int64, vector(types.uint8), types.int64, types.int64, vector(types.int64, writable=True))
def _find_numbers(digits: Any, begin: Any, end: Any, bounds: Any) -> Any:
    """Where each number of a piece, which ends with a blank, begins and ends, in turns; how many places these are."""
    count, before = 0, False
    for i in range(begin, end):
        digit = digits[i] >= _ZERO
        bounds[count] = i
        count += digit != before
        before = digit
    return count


@kernel(types.int64, vector(types.uint64), types.int64, types.int64)
def _read_number(eights: Any, begin: Any, end: Any) -> Any:
    """The number of one to eight digits between two bytes, of which the first is the eighth or a later one."""
    at = end - 8
    shift = (np.uint64(at) & _7) << _3
    some = eights[at >> 3] >> shift | (eights[(at >> 3) + 1] << _1) << (_63 - shift)
    some &= _DIGITS & (_ALL << (_64 - (np.uint64(end - begin) << _3)))  # the last digit highest, zeros before the first
    some = (some * _BY_10 >> _8) & _PAIRS
    some = (some * _BY_100 >> _16) & _FOURS
    return np.int64(some * _BY_10000 >> _32)


@kernel(types.int64, vector(types.uint32), types.int64, types.int64)
def _after_bytes(codes: Any, character: Any, left: Any) -> Any:
    """The character that stands so many bytes of UTF-8 after another one."""
    while left > 0:
        code = codes[character]
        left -= 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
        character += 1
    return character


@kernel(
    _arrays, vector(types.uint64), vector(types.int64), vector(types.uint32), vector(types.int64), vector(types.int64),
    vector(types.uint8),
)  # fmt: skip
def read_offsets(eights: Any, ends: Any, codes: Any, firsts: Any, texts: Any, classes: Any) -> Any:
    """First character, end, class, unknown flag and cost of every word; and where the words of each text begin.

    Args:
        eights: after eight blanks, ``±context blanks bytes ±cost `` of each word of a piece, piece after piece, and at
            least eight blanks; as numbers of eight bytes, the first byte lowest.
        ends: the byte at which each piece ends, with its last blank.
        codes: code points of the texts, one after another.
        firsts: the character at which each piece begins.
        texts: [texts + 1] the character at which each text begins, and one behind them all; words count from there.
        classes: the class of each context id.
    """
    digits = eights.view(np.uint8)
    most, longest, at = digits.size // 6 + 1, np.int64(0), np.int64(8)  # "1 2 3 " is the shortest word
    for piece in range(firsts.size):
        longest, at = max(longest, ends[piece] - at), ends[piece]
    bounds = np.empty(longest + 1, np.int64)  # of one piece, so that it stays in the cache
    start, end, cost = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    pos, unknown, words = np.empty(most, np.uint8), np.empty(most, np.bool_), np.empty(texts.size, np.int64)
    text, word, at = 0, 0, np.int64(8)
    words[0] = 0
    for piece in range(firsts.size):
        character = firsts[piece]
        while character >= texts[text + 1]:
            text += 1
            words[text] = word
        count = _find_numbers(digits, at, ends[piece], bounds)
        at = ends[piece]
        for i in range(0, count, 6):
            context, blanks, size = bounds[i], bounds[i + 1], bounds[i + 2]
            size_end, price, price_end = bounds[i + 3], bounds[i + 4], bounds[i + 5]
            unknown[word] = digits[context - 1] == _MINUS
            pos[word] = classes[_read_number(eights, context, blanks)]
            character += size - blanks - 1
            start[word] = character - texts[text]
            character = _after_bytes(codes, character, _read_number(eights, size, size_end))
            end[word] = character - texts[text]
            number = _read_number(eights, price, price_end)
            cost[word] = -number if digits[price - 1] == _MINUS else number
            word += 1
    words[text + 1 :] = word
    return start[:word], end[:word], pos[:word], unknown[:word], cost[:word], words
