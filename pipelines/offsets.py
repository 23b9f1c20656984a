"""What MeCab may see of a text; and the digits that it writes -> arrays of words. Both as machine code.

A word takes 10 digits: lengths and costs, where places in the line and costs so far took 16 and a tenth of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

_NEW_LINE, _BLANK, _MINUS, _ZERO = 10, 32, 45, 48

_arrays = types.Tuple(  # type: ignore[no-untyped-call]
    [
        vector(types.int32, writable=True),
        vector(types.int32, writable=True),
        vector(types.uint8, writable=True),
        vector(types.boolean, writable=True),
        vector(types.int32, writable=True),
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


@kernel(_number, vector(types.uint8), types.int64)
def _read_number(digits: Any, at: Any) -> Any:
    """The number that begins at a place, and the place after the blank that ends it."""
    number = np.int64(digits[at]) - _ZERO
    at += 1
    while digits[at] >= _ZERO:
        number = 10 * number + digits[at] - _ZERO
        at += 1
    return number, at + (digits[at] != _NEW_LINE)


@kernel(types.int64, vector(types.uint32), types.int64, types.int64)
def _after_bytes(codes: Any, character: Any, left: Any) -> Any:
    """The character that stands so many bytes of UTF-8 after another one."""
    while left > 0:
        code = codes[character]
        left -= 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)
        character += 1
    return character


@kernel(_arrays, vector(types.uint8), vector(types.uint32), vector(types.int64), vector(types.uint8))
def read_offsets(digits: Any, codes: Any, firsts: Any, classes: Any) -> Any:
    """First character, end, class, unknown flag and cost of every word.

    Args:
        digits: ``±context blanks bytes ±cost `` of each word of a piece; one piece a line, all ended.
        codes: code points of the text.
        firsts: the character at which each piece begins.
        classes: the class of each context id.
    """
    most = digits.size // 6 + 1  # "1 2 3 " is the shortest word
    start, end = np.empty(most, np.int32), np.empty(most, np.int32)
    pos, unknown, cost = np.empty(most, np.uint8), np.empty(most, np.bool_), np.empty(most, np.int32)
    count = at = 0
    for piece in range(firsts.size):
        character = firsts[piece]
        while digits[at] != _NEW_LINE:
            unknown[count] = digits[at] == _MINUS
            number, at = _read_number(digits, at + unknown[count])
            pos[count] = classes[number]
            while digits[at] == _BLANK:
                character, at = character + 1, at + 1
            start[count] = character
            number, at = _read_number(digits, at)
            character = _after_bytes(codes, character, number)
            end[count] = character
            negative = digits[at] == _MINUS
            number, at = _read_number(digits, at + negative)
            cost[count] = -number if negative else number
            count += 1
        at += 1
    return start[:count].copy(), end[:count].copy(), pos[:count].copy(), unknown[:count].copy(), cost[:count].copy()
