"""Rules on words: does MeCab find a language in it? Shuffled characters and lists of keywords have other words.

Shares that must not be high are of 50 words at least, even where there are fewer: one name that the dictionary lacks
says nothing about a line of ten words. Without this, the limits that fit long filings reject 14 % of 1,473 sections.
"""

from __future__ import annotations

from pipelines.quality.alphabet import Script
from pipelines.quality.text import Text
from registry.names import rule

FEW = 50  # words or kanji
_FEW_CHARACTERS = 20


@rule
def unknown_ratio(doc: Text) -> float:
    """Share of the words in Japanese script that the dictionary does not know."""
    return doc.counted.unknown / max(doc.counted.japanese, FEW)


@rule
def lone_kanji(doc: Text) -> float:
    """Share of the kanji that are a word by themselves: 0.2 to 0.4 in Japanese, 0.8 once characters are shuffled."""
    return doc.counted.lone_kanji / max(doc.scripts[Script.KANJI], FEW)


@rule
def mean_word(doc: Text) -> float:
    """Mean length in characters of the words in Japanese script."""
    return doc.counted.japanese_characters / max(doc.counted.japanese, 1)


@rule
def word_cost(doc: Text) -> float:
    """What MeCab's best path costs per character of the Japanese words, in thousands: 2 to 3 in prose, 4 if misread."""
    return doc.counted.japanese_cost / 1000 / max(doc.counted.japanese_characters, _FEW_CHARACTERS)


@rule
def function_words(doc: Text) -> float:
    """Share of particles and auxiliaries among the Japanese words of prose, which make sentences of words."""
    return doc.counted.function / max(doc.counted.japanese_prose, 1)


@rule
def noun_ratio(doc: Text) -> float:
    """Share of nouns and names among the Japanese words of prose."""
    return doc.counted.nouns / max(doc.counted.japanese_prose, FEW)


@rule
def symbol_words(doc: Text) -> float:
    """Share of symbols and punctuation among the words of prose."""
    return doc.counted.symbols / max(doc.counted.prose, 1)
