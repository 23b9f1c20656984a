"""Which characters stand beside each other in Japanese: recognition errors leave words that MeCab knows, but odd pairs.

Which pairs are usual is in two bitmaps beside this file, made by benchmarks/make_pairs.py from 5 MB of filings,
statutes, textbooks, novels in old and new spelling, and encyclopedia paragraphs: pairs.bin, the 126,000 pairs that
occur (all digits are one character, all Latin letters another; 2^21 bits, hashed), and kana.bin, the pairs of kana,
kanji as a class, and punctuation that are not far rarer than chance. On the half of the documents that they were not
made from, text with 15 % of its characters misread has 0.16 to 0.33 strange pairs in filings, statutes and textbooks;
untouched, 99 in 100 have below 0.13, 0.004 and 0.06.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.quality.alphabet import Script

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIR_BITS = 21
KANA = 182  # hiragana, katakana, 、, 。, any kanji, 「 or 」
_BLANK, _HIRAGANA, _KANJI, _LATIN, _NUMBER = map(
    int, (Script.BLANK, Script.HIRAGANA, Script.KANJI, Script.LATIN, Script.NUMBER)
)
_BAR, _DIGIT, _LETTER = 124, np.uint32(48), np.uint32(65)

_u8, _u32 = vector(types.uint8), vector(types.uint32)


@cache
def tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The bitmaps of usual pairs: (2**18,) and (KANA**2 bits,), eight pairs a byte."""
    here = Path(__file__)
    return np.fromfile(here.with_name("pairs.bin"), np.uint8), np.fromfile(here.with_name("kana.bin"), np.uint8)


@kernel(types.int64, types.uint32, types.uint8)
def kana_class(code: Any, kind: Any) -> Any:
    """The place of a character in the table of kana, or -1."""
    if 0x3041 <= code <= 0x3096:
        return code - 0x3041
    if 0x30A1 <= code <= 0x30FC:
        return code - 0x30A1 + 86
    if kind == _KANJI:
        return 180
    if 0x3001 <= code <= 0x3002:  # 、。
        return code - 0x3001 + 178
    return 181 if 0x300C <= code <= 0x300D else -1


@kernel(types.uint32, types.uint32, types.uint8)
def folded(code: Any, kind: Any) -> Any:
    """A character with all digits and all Latin letters made one."""
    return _DIGIT if kind == _NUMBER else _LETTER if kind == _LATIN else code


@kernel(types.int64, types.uint32, types.uint32)
def pair_place(first: Any, second: Any) -> Any:
    """The bit of a pair of folded characters."""
    mixed = ((np.uint64(first) << np.uint64(32)) | np.uint64(second)) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(64 - PAIR_BITS))


@kernel(vector(types.int64, writable=True), _u32, _u8, _u8, _u8)
def count_pairs(codes: Any, script: Any, pairs: Any, kana: Any) -> Any:
    """How many pairs there are, how many are strange, and both of pairs of kana."""
    counts = np.zeros(4, np.int64)
    for i in range(codes.size - 1):
        first, second, left, right = codes[i], codes[i + 1], script[i], script[i + 1]
        japanese = _HIRAGANA <= left <= _KANJI or _HIRAGANA <= right <= _KANJI
        apart = left == _BLANK or right == _BLANK or first == _BAR or second == _BAR  # noqa: PLR1714
        if not japanese or apart:
            continue
        place = pair_place(folded(first, left), folded(second, right))
        counts[0] += 1
        counts[1] += (pairs[place >> 3] >> (place & 7)) & 1 == 0
        row, column = kana_class(first, left), kana_class(second, right)
        if row >= 0 and column >= 0 and not row == column == 180:
            place = row * KANA + column
            counts[2] += 1
            counts[3] += (kana[place >> 3] >> (place & 7)) & 1 == 0
    return counts
