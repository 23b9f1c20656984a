"""A document as rules read it: the text, its words, and everything that several rules need, each computed once.

In: the cleaned text and the `Words` of one MeCab pass. Out: `Text`, which is a `registry.names.Reading` for the rules
of a domain, and for the rules built in here holds counts that quality/scan.py and quality/grams.py make in one pass.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pipelines.quality import alphabet
from pipelines.quality.alphabet import Script
from pipelines.quality.phrases import found, openings

if TYPE_CHECKING:
    import numpy as np
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
    before_end: int  # begin before the last line of prose ends


class LineCounts(NamedTuple):
    """How many lines of prose are what."""

    characters: int  # not lines: of all lines of prose
    listed: int  # begin with a bullet or a number
    trailing_off: int  # end with an ellipsis or an invitation to read on


class SentenceCounts(NamedTuple):
    """How many sentences are what, and how long."""

    sentences: int
    ended: int  # by a full stop or the like
    characters: int
    ended_characters: int
    longest: int


class Text:
    """One document, read.

    What rules need is counted at once; strings are made when they are first asked for.

    Attributes:
        text: the cleaned text.
        tokens: its words.
        codes: (characters,) its code points.
        kinds: (characters,) the `Script` and `Trait`s of each.
        scripts: how many characters there are of each `Script`; then the longest run of one letter, rare kanji,
            unreadable characters, and traces of a wrong encoding.
        characters: how many characters there are that are not white space.
        line_table: (lines, 3) first character, end and form (quality.scan.PROSE, ...) of each line that is not blank.
        prose_table: (lines of prose, 3) likewise.
        line_counts: how many lines of prose are what.
        sentence_table: (sentences, 3) first character and end of each, and whether it ends as sentences do.
        sentence_counts: how many sentences are what, and how long.
        marks: (words,) 1 of a word that begins with kana or kanji, plus 2 of one that stands in prose.
        counted: how many words are what.
        sums: (characters + 1,) the hash of the text up to each place, of which quality.scan.hash_span makes any other.
        word_hashes: (prose words,) a hash of each word: equal words have equal ones.
        pairs: how many pairs of characters there are, how many are strange, and both of pairs of kana.
        phrases: by list of words/, how often each of its phrases occurs.
    """

    def __init__(self, text: str, tokens: Words) -> None:
        from pipelines.quality import pairs  # its machine code takes half a second to load
        from pipelines.quality.counting import count_all

        self.text = text
        self.tokens = tokens
        self.codes: NDArray[np.uint32] = tokens.codes
        words = (tokens.start, tokens.end, tokens.pos, tokens.unknown, tokens.cost)
        arrays, counts = count_all(self.codes, *words, alphabet.kinds(), *pairs.tables(), openings())
        self.kinds: NDArray[np.uint16] = arrays[0]
        self.line_table: NDArray[np.int32] = arrays[1]
        self.prose_table: NDArray[np.int32] = arrays[2]
        self.sentence_table: NDArray[np.int32] = arrays[3]
        self.marks: NDArray[np.uint8] = arrays[4]
        self.sums: NDArray[np.uint64] = arrays[5]
        self.word_hashes: NDArray[np.uint64] = arrays[6]
        self.scripts: list[int] = counts[0].tolist()
        self.characters: int = len(text) - self.scripts[Script.BLANK]
        self.line_counts = LineCounts(*counts[1].tolist())
        self.sentence_counts = SentenceCounts(*counts[2].tolist())
        self.counted = WordCounts(*counts[3].tolist())
        self.pairs: list[int] = counts[4].tolist()
        self.phrases = found(self, arrays[7].tolist())

    @cached_property
    def grams(self) -> list[list[float]]:
        """By n up to 10, for the word n-grams of prose: the share that occurred before; the commonest's count."""
        table: list[list[float]] = self._repetition[0].tolist()
        return table

    @property
    def word_numbers(self) -> NDArray[np.int32]:
        """(prose words,) a number of each word: equal words have equal ones, the first one 0, the next other one 1."""
        return self._repetition[1]

    @cached_property
    def _repetition(self) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        from pipelines.quality.grams import repetition

        found: tuple[NDArray[np.float64], NDArray[np.int32]] = repetition(self.word_hashes, LONGEST_GRAM)
        return found

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

    def share(self, terms: frozenset[str]) -> float:
        """Share of the MeCab words that are among `terms`."""
        from pipelines.quality.terms import count_terms

        return count_terms(self.sums, self.tokens, terms) / max(len(self.tokens), 1)

    @property
    def unknown(self) -> int:
        """How many words in Japanese script the dictionary does not know; numbers and Latin are in no dictionary."""
        return self.counted.unknown

    def strings(self, table: NDArray[np.int32]) -> list[str]:
        """The strings at the first two columns of `table`."""
        text = self.text
        return [text[start:end] for start, end in table[:, :2].tolist()]
