"""A document as rules read it: the text, its words, and everything that several rules need, each computed once.

In: the cleaned text and the `Words` of one MeCab pass. Out: `Text`, which is a `registry.names.Reading` for the rules
of a domain, and for the rules built in here holds counts that quality/scan.py and quality/grams.py make in one pass.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipelines.quality import alphabet
from pipelines.quality.alphabet import Script
from pipelines.quality.phrases import found

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from pipelines.words import Words

LONGEST_GRAM = 10  # words


class WordCounts(NamedTuple):
    """How many words are what. Prose: outside of tables, code and rules of dashes."""

    japanese: int  # begin with kana or kanji
    unknown: int  # and are not in the dictionary
    lone_kanji: int  # are one kanji
    japanese_characters: int  # characters of the Japanese ones
    prose: int
    japanese_prose: int
    function: int  # particles and auxiliaries in prose
    nouns: int  # and names, in prose
    symbols: int  # and punctuation, in prose
    japanese_cost: int  # of the Japanese ones, as MeCab reckons it


class SentenceCounts(NamedTuple):
    """How many sentences are what, and how long."""

    sentences: int
    ended: int  # by a full stop or the like
    characters: int
    ended_characters: int
    longest: int


class Text:
    """One document, read. All properties are computed when first asked for, and kept."""

    def __init__(self, text: str, tokens: Words) -> None:
        self.text = text
        self.tokens = tokens
        self.codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)  # (characters,)

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not blank, stripped."""
        return self.strings(self.line_table)

    @cached_property
    def prose(self) -> list[str]:
        """The lines of prose, stripped: no table row, no code, no rule of dashes."""
        return self.strings(self.prose_table)

    @cached_property
    def sentences(self) -> list[str]:
        """The sentences of the prose, cut after 。！？ and at line ends."""
        return self.strings(self.sentence_table)

    @cached_property
    def words(self) -> list[str]:
        """The MeCab words."""
        return self.tokens.surfaces()

    @property
    def unknown(self) -> int:
        """How many words in Japanese script the dictionary does not know; numbers and Latin are in no dictionary."""
        return self.counted.unknown

    @property
    def script(self) -> NDArray[np.uint8]:
        """(characters,) the `Script` of each."""
        return self._characters[0]

    @property
    def scripts(self) -> Sequence[int]:
        """How many characters there are of each `Script`.

        Then the longest run of one letter, rare kanji, unreadable characters, and traces of a wrong encoding.
        """
        return self._characters[1]

    @property
    def characters(self) -> int:
        """How many characters there are that are not white space."""
        return len(self.text) - self.scripts[Script.BLANK]

    @property
    def line_table(self) -> NDArray[np.int32]:
        """(lines, 3) first character, end and form (quality.scan.PROSE, ...) of each line that is not blank."""
        return self._lines[0]

    @property
    def prose_table(self) -> NDArray[np.int32]:
        """(lines of prose, 3) likewise."""
        return self._lines[1]

    @property
    def prose_size(self) -> int:
        """Characters of the lines of prose."""
        return self._lines[2]

    @property
    def sentence_table(self) -> NDArray[np.int32]:
        """(sentences, 3) first character and end of each, and whether it ends as sentences do."""
        return self._sentences[0]

    @property
    def sentence_counts(self) -> SentenceCounts:
        """How many sentences are what, and how long."""
        return self._sentences[1]

    @property
    def counted(self) -> WordCounts:
        """How many words are what."""
        return self._words[1]

    @property
    def marks(self) -> NDArray[np.uint8]:
        """(words,) 1 of a word that begins with kana or kanji, plus 2 of one that stands in prose."""
        return self._words[0]

    @cached_property
    def word_hashes(self) -> NDArray[np.uint64]:
        """(prose words,) a hash of each word: equal words have equal ones."""
        hashes: NDArray[np.uint64] = _scan().hash_prose(self.codes, self.tokens.start, self.tokens.end, self.marks)
        return hashes

    @cached_property
    def grams(self) -> list[list[float]]:
        """By n up to 10, for the word n-grams of prose: the share that occurred before; the commonest's count."""
        from pipelines.quality.grams import repetition

        table: list[list[float]] = repetition(self.word_hashes, LONGEST_GRAM).tolist()
        return table

    @cached_property
    def phrases(self) -> dict[str, Counter[str]]:
        """By list of words/, how often each of its phrases occurs."""
        return found(self)

    @cached_property
    def pairs(self) -> list[int]:
        """How many pairs of characters there are, how many are strange, and both of pairs of kana."""
        from pipelines.quality.pairs import count_pairs, tables

        found = self.tokens
        counts: list[int] = count_pairs(
            self.codes, self.script, *tables(), found.start, found.end, found.unknown
        ).tolist()
        return counts

    def strings(self, table: NDArray[np.int32]) -> list[str]:
        """The strings at the first two columns of `table`."""
        text = self.text
        return [text[start:end] for start, end in table[:, :2].tolist()]

    @cached_property
    def _characters(self) -> tuple[NDArray[np.uint8], list[int]]:
        script, counts = _scan().count_characters(self.codes, alphabet.scripts(), alphabet.traits())
        return script, counts.tolist()

    @cached_property
    def _lines(self) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
        found: tuple[NDArray[np.int32], NDArray[np.int32], int] = _scan().find_lines(
            self.codes, self.script, alphabet.traits()
        )
        return found

    @cached_property
    def _sentences(self) -> tuple[NDArray[np.int32], SentenceCounts]:
        table, counts = _scan().find_sentences(self.codes, self.script, alphabet.traits(), self.prose_table)
        return table, SentenceCounts(*counts.tolist())

    @cached_property
    def _words(self) -> tuple[NDArray[np.uint8], WordCounts]:
        found = self.tokens
        marks, counts = _scan().count_words(
            self.script, found.start, found.end, found.pos, found.unknown, found.cost, self.prose_table
        )
        return marks, WordCounts(*counts.tolist())


def _scan() -> ModuleType:
    """The kernels, which take half a second to load: whoever only reads profiles does without."""
    from pipelines.quality import scan

    return scan
