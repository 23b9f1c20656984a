"""What a PDF's character codes stand for: radicals become ideographs, ligatures letters, and damage is counted.

In: code points as the font's map gives them. Out: text for people. Chromium and Skia map 日 to U+2F47, a Kangxi
radical: 361 of them in one 10,000-character report. NFKC leaves the other block (⺠ ⻑ ⻄) as it is, so the table is
our own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIGATURES = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
Ranges = tuple[tuple[int, int], ...]
CJK: Ranges = ((0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))
KANA: Ranges = ((0x3041, 0x30FF), (0xFF66, 0xFF9F))
SPACES: Ranges = (
    (0x01, 0x01), (0x03, 0x20), (0xA0, 0xA0), (0xAD, 0xAD), (0x2000, 0x200F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
UNDECODABLE: Ranges = ((0, 0), (0xE000, 0xF8FF), (0xFFFD, 0xFFFD), (0xF0000, 0x10FFFF))  # U+FFFD and private use
IS_CJK, IS_KANA, IS_SPACE, IS_UNDECODABLE, IS_TRANSLATED = 1, 2, 4, 8, 16
REPLACEMENT = 0xFFFD
SECOND_HALF = 0x200B  # a space without width, where a pair of UTF-16 units had its second
HYPHEN = 0x2D
LINE_END_HYPHENS = (0x02, 0x2010, 0xFFFE)  # PDFium writes U+0002 or U+FFFE for a hyphen that ends a line


@cache
def radicals() -> dict[int, str]:
    """Code point of a radical (U+2E80-2FD5) -> the ideograph it stands for; 329 entries."""
    lines = (Path(__file__).parent / "radicals.txt").read_text(encoding="utf-8").splitlines()
    return {int(line[:4], 16): line[5:] for line in lines if not line.startswith("#")}


@cache
def translation() -> dict[int, str]:
    """For `str.translate`: radicals and Latin ligatures as the characters a reader sees."""
    return radicals() | {ord(ligature): letters for ligature, letters in LIGATURES.items()}


@cache
def _classes() -> NDArray[np.uint8]:
    """For every code point the sum of the classes it is in: one look-up is ten times faster than comparing ranges."""
    classes = np.zeros(0x110000, np.uint8)
    for bit, ranges in ((IS_CJK, CJK), (IS_KANA, KANA), (IS_SPACE, SPACES), (IS_UNDECODABLE, UNDECODABLE)):
        for first, last in ranges:
            classes[first : last + 1] |= bit
    classes[list(translation())] |= IS_TRANSLATED
    return classes


def _among(codes: NDArray[np.uint32], bit: int) -> NDArray[np.bool_]:
    return (_classes().take(codes, mode="clip") & bit).astype(np.bool_)


def is_cjk(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points are set solid, without spaces."""
    return _among(codes, IS_CJK)


@cache
def is_cjk_char(character: str) -> bool:
    """`is_cjk` for one character."""
    code = ord(character)
    return any(first <= code <= last for first, last in CJK)


def is_kana(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points are hiragana, katakana or the marks that go with them."""
    return _among(codes, IS_KANA)


def is_space(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points leave no ink."""
    return _among(codes, IS_SPACE)


def is_translated(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points `translation` changes."""
    return _among(codes, IS_TRANSLATED)


def undecodable(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points say nothing to a reader."""
    return _among(codes, IS_UNDECODABLE)


def whole(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """UTF-16 units as code points: 𠮷 and other rare ideographs are two of them, with one box each in PDFium."""
    first = np.flatnonzero((codes[:-1] >> 10 == 0xD800 >> 10) & (codes[1:] >> 10 == 0xDC00 >> 10))
    if len(first):
        codes[first] = 0x10000 + ((codes[first] & 0x3FF) << 10) + (codes[first + 1] & 0x3FF)
        codes[first + 1] = SECOND_HALF
    return codes


def repaired(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """`codes` with PDFium's marks for line-end hyphens as hyphens, and what is no character as U+FFFD."""
    codes = codes.copy()
    for hyphen in LINE_END_HYPHENS:
        codes[codes == hyphen] = HYPHEN
    codes[(codes == 0) | ((codes >= 0xD800) & (codes <= 0xDFFF)) | (codes > 0x10FFFF)] = REPLACEMENT
    return codes
