"""Rules on words: does MeCab find a language in it? Shuffled characters and lists of keywords have other words.

Shares that must not be high are of 50 words at least, even where there are fewer: one name that the dictionary lacks
says nothing about a line of ten words. Without this, the limits that fit long filings reject 14 % of 1,473 sections.
"""

from __future__ import annotations

from pipelines.quality.alphabet import Script
from pipelines.quality.texts import Column, Texts, of_many, share
from registry.names import rule

FEW = 50  # words or kanji
_FEW_CHARACTERS = 20


@rule
@of_many
def unknown_ratio(docs: Texts) -> Column:
    """Share of the words in Japanese script that the dictionary does not know."""
    return share(docs.counted.unknown, docs.counted.japanese, FEW)


@rule
@of_many
def lone_kanji(docs: Texts) -> Column:
    """Share of the kanji that are a word by themselves: 0.2 to 0.4 in Japanese, 0.8 once characters are shuffled."""
    return share(docs.counted.lone_kanji, docs.scripts[:, Script.KANJI], FEW)


@rule
@of_many
def mean_word(docs: Texts) -> Column:
    """Mean length in characters of the words in Japanese script."""
    return share(docs.counted.japanese_characters, docs.counted.japanese)


@rule
@of_many
def word_cost(docs: Texts) -> Column:
    """What MeCab's best path costs per character of the Japanese words, in thousands: 2 to 3 in prose, 4 if misread."""
    return share(docs.counted.japanese_cost / 1000, docs.counted.japanese_characters, _FEW_CHARACTERS)


@rule
@of_many
def function_words(docs: Texts) -> Column:
    """Share of particles and auxiliaries among the Japanese words of prose, which make sentences of words."""
    return share(docs.counted.function, docs.counted.japanese_prose)


@rule
@of_many
def noun_ratio(docs: Texts) -> Column:
    """Share of nouns and names among the Japanese words of prose."""
    return share(docs.counted.nouns, docs.counted.japanese_prose, FEW)


@rule
@of_many
def symbol_words(docs: Texts) -> Column:
    """Share of symbols and punctuation among the words of prose."""
    return share(docs.counted.symbols, docs.counted.prose)
