"""Which lines of a text could hold personal data, and of which type, found in one pass of machine code.

Patterns on every line with a number of six digits, one in seven, cost 60 ms a MB of text with tables; now all
costs 12. Few lines have a number as long as a card's, or one that begins as a telephone number does; each pattern
runs on the lines that could have its type alone.
"""

from __future__ import annotations

from enum import IntFlag
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.privacy import FOLD

if TYPE_CHECKING:
    from numpy.typing import NDArray

OTHER, DIGIT, JOINER, OPEN, DOT, PLUS, COLON, AT, POST, MASKED, TELLER, SECOND = range(12)
_GROUPS = {
    DIGIT: "0123456789",
    JOINER: "- ー)",
    OPEN: "(",
    DOT: ".",
    PLUS: "+",
    COLON: ":",
    AT: "@",
    POST: "〒",
    MASKED: "〈",
    TELLER: "普座貯記",  # 普通, 口座, 当座, 貯蓄, 記号
    SECOND: "所当",  # 住所, （当）
}


class Suspicion(IntFlag):
    """What a line has. A number: digits with spaces, dashes, brackets and dots between them, three in a row at most."""

    LONG = 1  # a number of 12 digits or more
    DIAL = 2  # 6 digits or more from a group on that begins with 01 to 09, or stands after a +
    ACCOUNT = 4  # a number of 6 digits or more, and a word for an account
    ADDRESS = 8  # 〒 or 住所, or a number whose last group has four digits, with a kanji behind it
    DOTS = 16  # a number with three dots
    COLONS = 32  # two colons in a row, or seven of them
    AT = 64
    MASKED = 128  # 〈, which begins a placeholder


_LONG, _DIAL, _ACCOUNT, _ADDRESS, _DOTS, _COLONS, _AT, _MASKED = map(int, Suspicion)
_LINE_END, _BAR, _NOBODY = np.uint32(10), np.uint32(124), 1 << 30


@cache
def _classes() -> NDArray[np.uint8]:
    """What each character is, whichever its width."""
    classes = np.zeros(0x10000, np.uint8)
    for kind, characters in _GROUPS.items():
        classes[list(map(ord, characters))] = kind
    classes[list(FOLD)] = classes[list(FOLD.values())]
    return classes


@cache
def _folds() -> NDArray[np.uint16]:
    folds = np.arange(0x10000, dtype=np.uint16)
    folds[list(FOLD)] = list(FOLD.values())
    return folds


def suspects(text: str, *, everything: bool = False) -> list[tuple[int, str, int, int]]:
    """The lines of `text` that could hold personal data, or all that are not empty.

    Of each line the first character, the line folded, its `Suspicion`, and the first character of the row that heads
    its table, or of the line itself where it is no row of one.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    lines = _suspects(codes, _classes(), everything).tolist()
    return [(start, _folded(codes[start:end]), suspicion, head) for start, end, suspicion, head in lines]


def _folded(codes: NDArray[np.uint32]) -> str:
    """`str.translate` takes ten times as long."""
    folded = np.where(codes < _folds().size, _folds()[codes & np.uint32(0xFFFF)], codes)
    return folded.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


@kernel(vector(types.int64, dimensions=2, writable=True), vector(types.uint32), vector(types.uint8), types.boolean)
def _suspects(codes: Any, classes: Any, everything: Any) -> Any:  # noqa: C901, PLR0912 - one pass, one state
    lines = np.empty((codes.size // 2 + 1, 4), np.int64)
    count = start = head = flags = colons = 0
    digits = dots = gap = group = 0  # of the number at hand
    dial = _NOBODY  # how many of its digits stand before what could be a telephone number
    account = teller = False
    last, before = _LINE_END, OTHER
    for i in range(codes.size + 1):
        code = codes[i] if i < codes.size else _LINE_END
        if code == _LINE_END:
            flags |= _ACCOUNT if account and teller else 0
            if start == i or codes[start] != _BAR:
                head = i + 1
            if flags or (everything and start < i):
                lines[count, 0], lines[count, 1], lines[count, 2], lines[count, 3] = start, i, flags, min(head, start)
                count += 1
            start, flags, colons, account, teller = i + 1, 0, 0, False, False
            digits, dots, gap, group, dial, last, before = 0, 0, 0, 0, _NOBODY, code, OTHER
            continue
        kind = int(classes[code]) if code < classes.size else OTHER
        if kind == OTHER and digits == 0:  # nearly all of a text
            dots, gap, last, before = 0, 0, code, kind
            continue
        if kind == DIGIT:
            group = 1 if before != DIGIT else group + 1
            if dial == _NOBODY and (
                (group == 1 and before == PLUS) or (group == 2 and last & 15 == 0 and code & 15 != 0)
            ):
                dial = digits + 1 - group
            digits, gap = digits + 1, 0
            account |= digits >= 6
            flags |= _LONG if digits >= 12 else 0
            flags |= _DIAL if digits - dial >= 6 else 0
            flags |= _DOTS if dots >= 3 else 0
        elif JOINER <= kind <= DOT and gap < 3:
            gap, dots = gap + 1, dots + (kind == DOT and digits > 0)
        else:
            flags |= _ADDRESS if digits >= 7 and group == 4 and 0x4E00 <= code <= 0x9FFF else 0
            digits = dots = gap = group = 0
            dial = _NOBODY
            if kind == COLON:
                colons += 1
                flags |= _COLONS if colons >= 7 or before == COLON else 0
            elif kind == AT:
                flags |= _AT
            elif kind == POST or (kind == SECOND and last == 0x4F4F):  # 住所
                flags |= _ADDRESS
            elif kind == MASKED:
                flags |= _MASKED
            elif kind == TELLER or (kind == SECOND and before == OPEN):  # （当）
                teller = True
        last, before = code, kind
    return lines[:count].copy()
