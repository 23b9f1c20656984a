"""Rules on encoding damage: characters that no decoder could read, and text that was read in the wrong encoding."""

from __future__ import annotations

import re

from pipelines.quality.alphabet import Script
from pipelines.quality.text import Text
from registry.names import rule

FEW = 50  # kanji
_RARE, _UNREADABLE, _SUSPECTS = 9, 10, 11  # places in Text.scripts

_MOJIBAKE = re.compile(
    "[\u00c2-\u00ef\u0192\u201a縺繧繝縲、・](?:"  # led by a set, which the search skips to
    "(?<=[\u00c2-\u00ef])[\u00a1-\u00bf\u0152-\u017e\u0192\u02c6\u02dc\u201a\u201e\u2020-\u2022\u2030\u2039\u203a\u20ac\u2122]"
    "|(?<=[\u0192\u201a])\\S"  # Shift_JIS read as Windows-1252; above, UTF-8 read so: a lead byte, then a trail byte
    "|(?<=[縺繧繝縲])\\S"  # UTF-8 read as Shift_JIS: E3 81, E3 82, E3 83, E3 80
    "|(?<=[、・])[ァ-ヶー](?:[、・][ァ-ヶー]){2,})"  # EUC-JP read as Shift_JIS, half-width kana made full
)


@rule
def unreadable(doc: Text) -> float:
    """Share of U+FFFD and private-use characters."""
    return doc.scripts[_UNREADABLE] / max(doc.characters, 1)


@rule
def mojibake(doc: Text) -> float:
    """Share of the characters that stand in traces of a wrong encoding, such as 縺 or ã."""
    if not doc.scripts[_SUSPECTS]:
        return 0.0
    return sum(len(match[0]) for match in _MOJIBAKE.finditer(doc.text)) / max(doc.characters, 1)


@rule
def rare_kanji(doc: Text) -> float:
    """Share of the kanji outside JIS level 1, the 2,965 common ones: 0.01 today, 0.1 in old spelling, 0.5 in mojibake.

    Of 50 kanji at least, even where there are fewer: one rare name is no damage.
    """
    return doc.scripts[_RARE] / max(doc.scripts[Script.KANJI], FEW)
