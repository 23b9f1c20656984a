"""What MeCab may see of some texts; and the digits that it writes -> arrays of words. Both as machine code.

A word takes 10 digits: lengths and costs, where places in the line and costs so far took 16 and a tenth of the time.
They are read eight at once, 20 ns a word: digit by digit, the end of every number is a branch that goes wrong, 40 ns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

_NEW_LINE, _BLANK, _MINUS = 10, 32, 45
_ENDS, _DIGITS = np.uint64(0x1010101010101010), np.uint64(0x0F0F0F0F0F0F0F0F)  # a bit that only digits have; their values
_PLACES = np.uint64(0x0001020304050607)  # times 256^k, its highest byte is k
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_BY_10, _BY_100, _BY_10000 = (np.uint64(1 + (ten << bits)) for ten, bits in ((10, 8), (100, 16), (10000, 32)))
_1, _3, _4, _7, _8, _16, _32, _56, _63, _64 = map(np.uint64, (1, 3, 4, 7, 8, 16, 32, 56, 63, 64))

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
_number = types.UniTuple(types.int64, 2)  # type: ignore[no-untyped-call]


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


@kernel(_number, vector(types.uint64), types.int64)
def _read_number(eights: Any, at: Any) -> Any:
    """The number of at most seven digits that begins at a byte, and the place after the blank that ends it."""
    shift = (np.uint64(at) & _7) << _3
    some = eights[at >> 3] >> shift | (eights[(at >> 3) + 1] << _1) << (_63 - shift)
    end = ~some & _ENDS
    size = ((end & (~end + _1)) >> _4) * _PLACES >> _56
    digits = (some << (_64 - _8 * size)) & _DIGITS  # the last one highest, zeros before the first
    digits = (digits * _BY_10 >> _8) & _PAIRS
    digits = (digits * _BY_100 >> _16) & _FOURS
    after = (some >> _8 * size) & np.uint64(255)
    return np.int64(digits * _BY_10000 >> _32), at + np.int64(size) + (after != _NEW_LINE)


@kernel(types.int64, vector(types.uint32), types.int64, types.int64)
def _after_bytes(codes: Any, character: Any, left: Any) -> Any:
    """The character that stands so many bytes of UTF-8 after another one."""
    while left > 0:
        code = codes[character]
        left -= 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
        character += 1
    return character


@kernel(_arrays, vector(types.uint64), vector(types.uint32), vector(types.int64), vector(types.int64), vector(types.uint8))
def read_offsets(eights: Any, codes: Any, firsts: Any, texts: Any, classes: Any) -> Any:
    """First character, end, class, unknown flag and cost of every word; and where the words of each text begin.

    Args:
        eights: ``±context blanks bytes ±cost `` of each word of a piece; one piece a line, all ended, and after the last
            at least eight bytes of anything; as numbers of eight bytes, the first byte lowest.
        codes: code points of the texts, one after another.
        firsts: the character at which each piece begins.
        texts: [texts + 1] the character at which each text begins, and one behind them all; words count from there.
        classes: the class of each context id.
    """
    digits = eights.view(np.uint8)
    most = digits.size // 6 + 1  # "1 2 3 " is the shortest word
    start, end = np.empty(most, np.int32), np.empty(most, np.int32)
    pos, unknown, cost = np.empty(most, np.uint8), np.empty(most, np.bool_), np.empty(most, np.int32)
    words = np.empty(texts.size, np.int64)
    count = at = text = words[0] = 0
    for piece in range(firsts.size):
        character = firsts[piece]
        while character >= texts[text + 1]:
            text += 1
            words[text] = count
        first = texts[text]
        while digits[at] != _NEW_LINE:
            unknown[count] = digits[at] == _MINUS
            number, at = _read_number(eights, at + unknown[count])
            pos[count] = classes[number]
            while digits[at] == _BLANK:
                character, at = character + 1, at + 1
            start[count] = character - first
            number, at = _read_number(eights, at)
            character = _after_bytes(codes, character, number)
            end[count] = character - first
            negative = digits[at] == _MINUS
            number, at = _read_number(eights, at + negative)
            cost[count] = -number if negative else number
            count += 1
        at += 1
    words[text + 1 :] = count
    return start[:count], end[:count], pos[:count], unknown[:count], cost[:count], words
