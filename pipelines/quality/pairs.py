"""Which characters stand beside each other in Japanese: recognition errors leave words that MeCab knows, but odd pairs.

Which pairs are usual is in two bitmaps beside this file, made by benchmarks/make_pairs.py from 8 MB of filings,
statutes, textbooks, novels in old and new spelling, and encyclopedia paragraphs: pairs.bin, the 165,000 pairs that
occur (all digits are one character, all Latin letters another; 2^21 bits, hashed), and kana.bin, the pairs of kana,
kanji as a class, and punctuation that are not far rarer than chance. A word that MeCab's dictionary knows vouches for
the pairs within it, so that names count for little. What the counts are worth is measured in quality/misread.py.
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
_DIGIT, _LETTER = np.uint32(48), np.uint32(65)
_ANYWHERE = (124, 0xA9, 0xAE, 0x2122)  # bars of tables; © ® ™ stand beside any name

_u8, _u32, _i32 = vector(types.uint8), vector(types.uint32), vector(types.int32)


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


@kernel(vector(types.int64, writable=True), _u32, _u8, _u8, _u8, _i32, _i32, vector(types.boolean))
def count_pairs(codes: Any, script: Any, pairs: Any, kana: Any, start: Any, end: Any, unknown: Any) -> Any:
    """How many pairs there are, how many are strange and within no word that is known; and both of pairs of kana.

    `start`, `end` and `unknown` are those of the words.
    """
    total = strange = kana_total = kana_strange = word = 0
    within = np.int64(0)  # one past the last character of a known word
    column = np.int64(-1)
    for i in range(codes.size - 1):
        first, second, left, right = codes[i], codes[i + 1], script[i], script[i + 1]
        row = column if i else kana_class(first, left)
        column = kana_class(second, right)
        japanese = _HIRAGANA <= left <= _KANJI or _HIRAGANA <= right <= _KANJI
        if not japanese or _BLANK in (left, right) or first in _ANYWHERE or second in _ANYWHERE:
            continue
        total += 1
        while word < start.size and start[word] <= i:
            within = np.int64(0) if unknown[word] else np.int64(end[word])
            word += 1
        if i + 1 >= within:
            place = pair_place(folded(first, left), folded(second, right))
            strange += (pairs[place >> 3] >> (place & 7)) & 1 == 0
        if row >= 0 and column >= 0 and not row == column == 180:
            place = row * KANA + column
            kana_total += 1
            kana_strange += (kana[place >> 3] >> (place & 7)) & 1 == 0
    return np.array([total, strange, kana_total, kana_strange])
