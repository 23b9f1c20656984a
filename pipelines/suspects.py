"""Which lines of a text could hold personal data at all, found in one pass of machine code.

Patterns cost 90 ms a MB on a whole text; one line in eight has six digits in a row, an @ or a postal mark, and the
patterns run on these alone.
"""

from __future__ import annotations

from enum import IntFlag
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGIT, JOINER, DOT, COLON, AT, POST, MASKED = range(1, 8)
_FEW_DIGITS = 6  # a bank account of 6 digits is the shortest number looked for


class Suspicion(IntFlag):
    """What a line has."""

    NUMBER = 1  # six digits or more, apart by spaces, dashes, dots and brackets at most; or three dots among digits
    COLONS = 2  # two colons in a row, or seven of them
    AT = 4
    ADDRESS = 8  # 〒 or 住所
    MASKED = 16  # 〈, which begins a placeholder


_NUMBER, _COLONS, _AT, _ADDRESS, _MASKED = map(int, Suspicion)


@cache
def _classes() -> NDArray[np.uint8]:
    classes = np.zeros(0x10000, np.uint8)
    groups = {
        DIGIT: "0123456789０１２３４５６７８９",
        JOINER: "- ー()　‐‑‒–—―−－（）",
        DOT: ".．",
        COLON: ":：",
        AT: "@＠",
        POST: "〒",
        MASKED: "〈",
    }
    for kind, characters in groups.items():
        classes[list(map(ord, characters))] = kind
    return classes


def suspects(text: str) -> list[list[int]]:
    """First character, end and `Suspicion` of each line that could hold personal data."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    found: list[list[int]] = _suspects(codes, _classes()).tolist()
    return found


@kernel(vector(types.int64, dimensions=2, writable=True), vector(types.uint32), vector(types.uint8))
def _suspects(codes: Any, classes: Any) -> Any:  # noqa: C901 - one pass, one state
    lines = np.empty((codes.size // 2 + 1, 3), np.int64)
    count = start = flags = digits = dots = gap = colons = 0
    last = np.uint32(10)
    for i in range(codes.size + 1):
        code = codes[i] if i < codes.size else np.uint32(10)
        if code == 10:
            if flags:
                lines[count, 0], lines[count, 1], lines[count, 2] = start, i, flags
                count += 1
            start, flags, digits, dots, gap, colons, last = i + 1, 0, 0, 0, 0, 0, code
            continue
        kind = classes[code] if code < classes.size else 0
        if kind == DIGIT:
            digits, gap = digits + 1, 0
            if digits >= _FEW_DIGITS or (dots >= 3 and digits >= 4):
                flags |= _NUMBER
        elif JOINER <= kind <= DOT and gap < 3:
            gap, dots = gap + 1, dots + (kind == DOT and digits > 0)
        else:
            digits = dots = gap = 0
            if kind == COLON:
                colons += 1
                if colons >= 7 or (last < classes.size and classes[last] == COLON):
                    flags |= _COLONS
            elif kind == AT:
                flags |= _AT
            elif kind == POST or (code == 0x6240 and last == 0x4F4F):  # 住所
                flags |= _ADDRESS
            elif kind == MASKED:
                flags |= _MASKED
        last = code
    return lines[:count].copy()
