"""Rules on scripts: how long a text is, and what it is written in. Shares are of all characters but white space."""

from __future__ import annotations

from pipelines.quality.alphabet import Script
from pipelines.quality.text import Text
from registry.names import rule


@rule
def characters(doc: Text) -> float:
    """How many characters there are, white space not counted."""
    return float(doc.characters)


@rule
def japanese_ratio(doc: Text) -> float:
    """Share of Japanese among the letters: which language it is, however many numbers there are. 0 without letters."""
    counts = doc.scripts
    japanese = counts[Script.HIRAGANA] + counts[Script.KATAKANA] + counts[Script.KANJI]
    return japanese / max(japanese + counts[Script.LATIN] + counts[Script.FOREIGN], 1)


@rule
def hiragana_ratio(doc: Text) -> float:
    """Share of hiragana: about 0.5 in novels, 0.3 in reports, 0.05 and less in tables and keyword lists."""
    return _share(doc, Script.HIRAGANA)


@rule
def katakana_ratio(doc: Text) -> float:
    """Share of katakana."""
    return _share(doc, Script.KATAKANA)


@rule
def kanji_ratio(doc: Text) -> float:
    """Share of kanji."""
    return _share(doc, Script.KANJI)


@rule
def foreign_ratio(doc: Text) -> float:
    """Share of letters that are neither Japanese nor Latin, such as Hangul and Cyrillic."""
    return _share(doc, Script.FOREIGN)


@rule
def number_ratio(doc: Text) -> float:
    """Share of digits and other numbers, kanji numerals not counted."""
    return _share(doc, Script.NUMBER)


@rule
def symbol_ratio(doc: Text) -> float:
    """Share of punctuation and symbols, the bars of tables included."""
    return _share(doc, Script.SYMBOL)


def _share(doc: Text, script: Script) -> float:
    return doc.scripts[script] / max(doc.characters, 1)
