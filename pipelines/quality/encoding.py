"""Rules on encoding damage: characters that no decoder could read, and text that was read in the wrong encoding."""

from __future__ import annotations

import re

import numpy as np

from pipelines.quality.alphabet import Script
from pipelines.quality.texts import Column, Texts, of_many, share
from registry.names import rule

FEW = 50  # kanji
_RARE, _UNREADABLE, _SUSPECTS = 9, 10, 11  # places in Texts.scripts

_MOJIBAKE = re.compile(
    "[\u00c2-\u00ef\u0192\u201a縺繧繝縲、・](?:"  # led by a set, which the search skips to
    "(?<=[\u00c2-\u00ef])[\u00a1-\u00bf\u0152-\u017e\u0192\u02c6\u02dc\u201a\u201e\u2020-\u2022\u2030\u2039\u203a\u20ac\u2122]"
    "|(?<=[\u0192\u201a])\\S"  # Shift_JIS read as Windows-1252; above, UTF-8 read so: a lead byte, then a trail byte
    "|(?<=[縺繧繝縲])\\S"  # UTF-8 read as Shift_JIS: E3 81, E3 82, E3 83, E3 80
    "|(?<=[、・])[ァ-ヶー](?:[、・][ァ-ヶー]){2,})"  # EUC-JP read as Shift_JIS, half-width kana made full
)


@rule
@of_many
def unreadable(docs: Texts) -> Column:
    """Share of U+FFFD and private-use characters."""
    return share(docs.scripts[:, _UNREADABLE], docs.characters)


@rule
@of_many
def mojibake(docs: Texts) -> Column:
    """Share of the characters that stand in traces of a wrong encoding, such as 縺 or ã."""
    traces = np.zeros(len(docs))
    for place in np.flatnonzero(docs.scripts[:, _SUSPECTS]).tolist():
        traces[place] = sum(len(match[0]) for match in _MOJIBAKE.finditer(docs.words[place].text))
    return share(traces, docs.characters)


@rule
@of_many
def rare_kanji(docs: Texts) -> Column:
    """Share of the kanji outside JIS level 1, the 2,965 common ones: 0.01 today, 0.1 in old spelling, 0.5 in mojibake.

    Of 50 kanji at least, even where there are fewer: one rare name is no damage.
    """
    return share(docs.scripts[:, _RARE], docs.scripts[:, Script.KANJI], FEW)
