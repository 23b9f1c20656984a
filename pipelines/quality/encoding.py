"""Rules on encoding damage: characters that no decoder could read, and text that was read in the wrong encoding."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pipelines.quality.lexicon import FEW
from pipelines.quality.text import Script, Text
from registry.names import rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOJIBAKE = re.compile(
    "[\u00c2-\u00ef][\u00a1-\u00bf\u0152-\u017e\u0192\u02c6\u02dc\u201a\u201e\u2020-\u2022\u2030\u2039\u203a\u20ac\u2122]"
    "|[\u0192\u201a]\\S"  # Shift_JIS read as Windows-1252; above, UTF-8 read so: a lead byte, then a trail byte
    "|[縺繧繝縲]\\S"  # UTF-8 read as Shift_JIS: E3 81, E3 82, E3 83, E3 80
    "|(?:[、・][ァ-ヶー]){3,}"  # EUC-JP read as Shift_JIS, its half-width kana made full-width: A4 is ､ and A5 is ･
)


@rule
def unreadable(doc: Text) -> float:
    """Share of U+FFFD, private-use and unassigned characters."""
    codes = doc.codes
    bad = (codes == 0xFFFD) | ((codes >= 0xE000) & (codes <= 0xF8FF)) | (codes >= 0xF0000)
    return float(np.count_nonzero(bad)) / max(doc.characters, 1)


@rule
def mojibake(doc: Text) -> float:
    """Share of the characters that stand in traces of a wrong encoding, such as 縺 or ã."""
    return sum(len(match[0]) for match in _MOJIBAKE.finditer(doc.text)) / max(doc.characters, 1)


@rule
def rare_kanji(doc: Text) -> float:
    """Share of the kanji outside JIS level 1, the 2,965 common ones: 0.01 today, 0.1 in old spelling, 0.5 in mojibake.

    Of 50 kanji at least, even where there are fewer: one rare name is no damage.
    """
    kanji = doc.codes[doc.script == Script.KANJI]
    return float(np.count_nonzero(~_common()[np.minimum(kanji, 0xFFFF)])) / max(len(kanji), FEW)


@cache
def _common() -> NDArray[np.bool_]:
    """(0x10000,) whether a character is a kanji of JIS X 0208 level 1 (rows 16 to 47), or 々〆〇."""
    common = np.zeros(0x10000, bool)
    level_1 = bytes(byte for row in range(0xB0, 0xD0) for cell in range(0xA1, 0xFF) for byte in (row, cell))
    common[[ord(character) for character in level_1.decode("euc_jp", "ignore") + "々〆〇"]] = True
    return common
