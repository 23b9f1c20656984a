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
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.quality import alphabet
from pipelines.quality.alphabet import Script
from pipelines.quality.scan import LAST, SCRIPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIR_BITS = 21
KANA = 182  # hiragana, katakana, 、, 。, any kanji, 「 or 」
_BLANK, _HIRAGANA, _KANJI, _LATIN, _NUMBER = map(
    int, (Script.BLANK, Script.HIRAGANA, Script.KANJI, Script.LATIN, Script.NUMBER)
)
_ANY_KANJI, _JAPANESE, _OTHER, _APART = 180, KANA, KANA + 1, KANA + 2  # roles; nothing stands beside what is apart
_COUNTS, _KANA, _STRANGE = 1, 2, 4  # what a pair is
_DIGIT, _LETTER = np.uint32(48), np.uint32(65)
_ANYWHERE = (124, 0xA9, 0xAE, 0x2122)  # bars of tables; © ® ™ stand beside any name

_u8, _u16, _u32, _i32 = map(vector, (types.uint8, types.uint16, types.uint32, types.int32))


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


Tables: TypeAlias = "tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]"


@cache
def tables() -> Tables:
    """`tables_of` the bitmaps beside this file."""
    here = Path(__file__)
    return tables_of(*(np.fromfile(here.with_name(name), np.uint8) for name in ("pairs.bin", "kana.bin")))


def tables_of(pairs: NDArray[np.uint8], usual_kana: NDArray[np.uint8]) -> Tables:
    """The bitmap of usual pairs, (2**18,), eight a byte; the role of each character; what two roles are together.

    A role is the place in the table of kana, or one of the three named here: so one look tells all of a pair.
    """
    scripts = alphabet.scripts()
    roles: NDArray[np.uint8] = _roles(scripts)
    roles[list(_ANYWHERE)] = _APART
    japanese = np.zeros(256, bool)
    japanese[roles] = (scripts >= _HIRAGANA) & (scripts <= _KANJI)
    apart = np.arange(256) == _APART
    counts = (japanese[:, None] | japanese) & ~(apart[:, None] | apart)
    kana = counts.copy()
    kana[KANA:], kana[:, KANA:], kana[_ANY_KANJI, _ANY_KANJI] = False, False, False
    usual = np.zeros_like(kana)
    bits = np.unpackbits(usual_kana, count=KANA * KANA, bitorder="little")
    usual[:KANA, :KANA] = bits.reshape(KANA, KANA)
    told = (counts * _COUNTS + kana * _KANA + (kana & ~usual) * _STRANGE).astype(np.uint8)
    return pairs, roles, told.ravel()


@kernel(vector(types.uint8, writable=True), _u8)
def _roles(scripts: Any) -> Any:
    roles = np.empty(scripts.size, np.uint8)
    for code in range(scripts.size):
        role = kana_class(np.uint32(code), scripts[code])
        japanese = _HIRAGANA <= scripts[code] <= _KANJI
        plain = _APART if scripts[code] == _BLANK else _JAPANESE if japanese else _OTHER
        roles[code] = role if role >= 0 else plain
    return roles


@kernel(types.none, _u32, _u16, _u8, _u8, _u8, _i32, _i32, vector(types.boolean), vector(types.int64, writable=True))
def count_pairs(
    codes: Any, kinds: Any, pairs: Any, roles: Any, told: Any, start: Any, end: Any, unknown: Any, counts: Any
) -> None:
    """How many pairs there are, how many are strange and within no word that is known; and both of pairs of kana.

    `pairs`, `roles` and `told` are those of `tables`; `start`, `end` and `unknown` those of the words.
    """
    near = np.empty(codes.size, np.uint8)
    total = strange = kana = odd = 0
    before = np.uint8(_APART)
    for i in range(codes.size):
        near[i] = roles[min(codes[i], LAST)]
        pair = told[np.int64(before) << 8 | near[i]]
        total += pair & _COUNTS
        kana += (pair & _KANA) >> 1
        odd += (pair & _STRANGE) >> 2
        before = near[i]
    at = 0  # the first character that is not looked at
    for word in range(start.size + 1):
        known = word < start.size and not unknown[word]
        stop = codes.size - 1 if word == start.size else start[word] if known else min(end[word], codes.size - 1)
        for i in range(at, stop):
            if told[np.int64(near[i]) << 8 | near[i + 1]] & _COUNTS:
                first, second = folded(codes[i], kinds[i] & SCRIPT), folded(codes[i + 1], kinds[i + 1] & SCRIPT)
                place = pair_place(first, second)
                strange += (pairs[place >> 3] >> (place & 7)) & 1 == 0
        at = max(start[word], end[word] - 1) if known else stop
    counts[0], counts[1], counts[2], counts[3] = total, strange, kana, odd
