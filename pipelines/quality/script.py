"""Rules on scripts: how long a text is, and what it is written in. Shares are of all characters but white space."""

from __future__ import annotations

import numpy as np

from pipelines.quality.alphabet import Script
from pipelines.quality.texts import Column, Texts, of_many, share
from registry.names import rule


@rule
@of_many
def characters(docs: Texts) -> Column:
    """How many characters there are, white space not counted."""
    return docs.characters.astype(np.float64)


@rule
@of_many
def japanese_ratio(docs: Texts) -> Column:
    """Share of Japanese among the letters: which language it is, however many numbers there are. 0 without letters."""
    counts = docs.scripts.T
    japanese = counts[Script.HIRAGANA] + counts[Script.KATAKANA] + counts[Script.KANJI]
    return share(japanese, japanese + counts[Script.LATIN] + counts[Script.FOREIGN])


@rule
@of_many
def hiragana_ratio(docs: Texts) -> Column:
    """Share of hiragana: about 0.5 in novels, 0.3 in reports, 0.05 and less in tables and keyword lists."""
    return _share(docs, Script.HIRAGANA)


@rule
@of_many
def katakana_ratio(docs: Texts) -> Column:
    """Share of katakana."""
    return _share(docs, Script.KATAKANA)


@rule
@of_many
def kanji_ratio(docs: Texts) -> Column:
    """Share of kanji."""
    return _share(docs, Script.KANJI)


@rule
@of_many
def foreign_ratio(docs: Texts) -> Column:
    """Share of letters that are neither Japanese nor Latin, such as Hangul and Cyrillic."""
    return _share(docs, Script.FOREIGN)


@rule
@of_many
def number_ratio(docs: Texts) -> Column:
    """Share of digits and other numbers, kanji numerals not counted."""
    return _share(docs, Script.NUMBER)


@rule
@of_many
def symbol_ratio(docs: Texts) -> Column:
    """Share of punctuation and symbols, the bars of tables included."""
    return _share(docs, Script.SYMBOL)


def _share(docs: Texts, script: Script) -> Column:
    return share(docs.scripts[:, script], docs.characters)
