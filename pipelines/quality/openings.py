"""Where a phrase of a list could begin, by a hash of two characters: what is looked for in few places costs little.

In: code points, and `opening_table` of a list of phrases. Out: the places worth a look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.quality.scan import BLANK, SCRIPT, SEPARATOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

_u16, _u32, _i32, _i64, _bool = map(vector, (types.uint16, types.uint32, types.int32, types.int64, types.boolean))
_rows, _table = vector(types.int32, dimensions=2), vector(types.int32, dimensions=2, writable=True)


def opening_table(phrases: frozenset[str]) -> NDArray[np.bool_]:
    """(2**16,) whether a phrase begins with two characters of this hash, as `_opens` makes it."""
    known = np.zeros(1 << 16, bool)
    known[[(ord(phrase[0]) * 31 + ord((phrase + "\0")[1])) & 0xFFFF for phrase in phrases]] = True
    return known


@kernel(types.boolean, _u32, types.int64, types.int64, _bool)
def _opens(codes: Any, at: Any, end: Any, openings: Any) -> Any:
    """Whether a phrase could begin here, by two characters; after `end` there is none."""
    following = codes[at + 1] if at + 1 < end else np.uint32(0)
    return openings[(codes[at] * np.uint32(31) + following) & np.uint32(0xFFFF)]


@kernel(_table, _u32, _u16, _rows, _i64, _i64, _bool, types.int64)
def find_menus(codes: Any, kinds: Any, lines: Any, texts: Any, lines_of: Any, openings: Any, shorter_than: Any) -> Any:
    """The short lines that could be menus: more than half of their items begin as some item of a menu does.

    In: what `Texts` has of many texts. Out: (menus, 3) first character and end of each, and the place of its text.
    """
    could = np.empty((lines.shape[0], 3), np.int32)
    count = 0
    for text in range(texts.size - 1):
        first = texts[text]
        for line in range(lines_of[text], lines_of[text + 1]):
            start, end = lines[line, 0], lines[line, 1]
            items = likely = 0
            inside = False
            for i in range(first + start, first + (end if end - start < shorter_than else start)):
                apart = kinds[i] & SEPARATOR != 0 or kinds[i] & SCRIPT == BLANK
                if not apart and not inside:
                    items += 1
                    likely += _opens(codes, i, first + end, openings)
                inside = not apart
            if 2 * likely > items:
                could[count, 0], could[count, 1], could[count, 2] = start, end, text
                count += 1
    return could[:count].copy()


@kernel(types.int64, _u32, _i32, _bool, vector(types.int32, writable=True))
def find_openings(codes: Any, start: Any, openings: Any, found: Any) -> Any:
    """The first characters of the words at which, by their first two characters, a phrase could begin; how many."""
    count = 0
    for i in range(start.size):
        if _opens(codes, start[i], codes.size, openings):
            found[count] = start[i]
            count += 1
    return count
