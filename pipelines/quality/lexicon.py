"""Rules on words: does MeCab find a language in it? Shuffled characters and lists of keywords have other words.

Shares that must not be high are of 50 words at least, even where there are fewer: one name that the dictionary lacks
says nothing about a line of ten words. Without this, the limits that fit long filings reject 14 % of 1,473 sections.
"""

from __future__ import annotations

import numpy as np

from pipelines.quality.text import Script, Text
from pipelines.words import Pos
from registry.names import rule

FEW = 50  # words or kanji


@rule
def unknown_ratio(doc: Text) -> float:
    """Share of the words in Japanese script that the dictionary does not know."""
    return doc.unknown / max(int(np.count_nonzero(doc.japanese)), FEW)


@rule
def lone_kanji(doc: Text) -> float:
    """Share of the kanji that are a word by themselves: 0.2 to 0.4 in Japanese, 0.8 once characters are shuffled."""
    kanji = doc.script[doc.tokens.start] == Script.KANJI
    lone = np.count_nonzero(kanji & (doc.tokens.end - doc.tokens.start == 1))
    return float(lone) / max(doc.scripts[Script.KANJI], FEW)


@rule
def mean_word(doc: Text) -> float:
    """Mean length in characters of the words in Japanese script."""
    lengths = (doc.tokens.end - doc.tokens.start)[doc.japanese]
    return float(lengths.mean()) if len(lengths) else 0.0


@rule
def function_words(doc: Text) -> float:
    """Share of particles and auxiliaries among the Japanese words of prose, which make sentences of words."""
    pos = doc.tokens.pos[doc.japanese & doc.prose_words]
    return float(np.count_nonzero((pos == Pos.PARTICLE) | (pos == Pos.AUXILIARY))) / max(len(pos), 1)


@rule
def noun_ratio(doc: Text) -> float:
    """Share of nouns and names among the Japanese words of prose."""
    pos = doc.tokens.pos[doc.japanese & doc.prose_words]
    return float(np.count_nonzero((pos == Pos.NOUN) | (pos == Pos.NAME))) / max(len(pos), FEW)


@rule
def symbol_words(doc: Text) -> float:
    """Share of symbols and punctuation among the words of prose."""
    pos = doc.tokens.pos[doc.prose_words]
    return float(np.count_nonzero(pos >= Pos.SYMBOL)) / max(len(pos), 1)
