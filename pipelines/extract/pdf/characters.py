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
REPLACEMENT = 0xFFFD
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


def among(codes: NDArray[np.uint32], ranges: Ranges) -> NDArray[np.bool_]:
    """Which code points lie in one of the ranges, ends included."""
    found = np.zeros(codes.shape, np.bool_)
    for first, last in ranges:
        found |= (codes >= first) & (codes <= last)
    return found


def is_cjk(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points are set solid, without spaces."""
    return among(codes, CJK)


def is_cjk_char(character: str) -> bool:
    """`is_cjk` for one character."""
    code = ord(character)
    return any(first <= code <= last for first, last in CJK)


def is_kana(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points are hiragana, katakana or the marks that go with them."""
    return among(codes, KANA)


def is_space(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points leave no ink."""
    return among(codes, SPACES)


def undecodable(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which code points say nothing to a reader."""
    return among(codes, UNDECODABLE)


def repaired(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """`codes` with PDFium's marks for line-end hyphens as hyphens, and what has no mapping as U+FFFD."""
    codes = np.where(np.isin(codes, LINE_END_HYPHENS), np.uint32(HYPHEN), codes)
    surrogate = (codes >= 0xD800) & (codes <= 0xDFFF)
    return np.where((codes == 0) | surrogate | (codes > 0x10FFFF), np.uint32(REPLACEMENT), codes).astype(np.uint32)
