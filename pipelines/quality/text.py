"""One document as rules read it: the text, its words, its lines and sentences; a `registry.names.Reading`.

In: a place among `Texts`, which has everything that is counted. Strings are made when they are first asked for.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.quality.texts import Texts

if TYPE_CHECKING:
    from collections import Counter

    import numpy as np
    from numpy.typing import NDArray

    from pipelines.words import Words


class Text:
    """One of some documents."""

    def __init__(self, texts: Texts, place: int) -> None:
        self._texts, self._place = texts, place
        self.tokens: Words = texts.words[place]
        self.text = self.tokens.text

    @classmethod
    def of(cls, words: Words) -> Text:
        """A document by itself."""
        return Texts([words])[0]

    @cached_property
    def alone(self) -> Texts:
        """This document without the others."""
        return self._texts if len(self._texts) == 1 else Texts([self.tokens])

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not blank, stripped."""
        return self.strings(self._texts.lines.table, self._texts.lines.of)

    @cached_property
    def prose(self) -> list[str]:
        """The lines of prose, stripped: no table row, no code, no rule of dashes."""
        return self.strings(self._texts.prose.table, self._texts.prose.of)

    @cached_property
    def sentences(self) -> list[str]:
        """The sentences of the prose, cut after 。！？ and at line ends."""
        return self.strings(self._texts.sentences.table, self._texts.sentences.of)

    @cached_property
    def words(self) -> list[str]:
        """The MeCab words."""
        return self.tokens.surfaces()

    def share(self, terms: frozenset[str]) -> float:
        """Share of the MeCab words that are among `terms`."""
        from pipelines.quality.terms import count_terms

        first, last = self._texts.texts[self._place : self._place + 2]
        return count_terms(self._texts.sums[first : last + 1], self.tokens, terms) / max(len(self.tokens), 1)

    @property
    def unknown(self) -> int:
        """How many words in Japanese script the dictionary does not know; numbers and Latin are in no dictionary."""
        return int(self._texts.counted.unknown[self._place])

    @property
    def japanese(self) -> int:
        """How many words are in Japanese script."""
        return int(self._texts.counted.japanese[self._place])

    @property
    def phrases(self) -> dict[str, Counter[str]]:
        """By list of words/, how often each of its phrases occurs."""
        return self._texts.phrases[self._place]

    def strings(self, table: NDArray[np.int32], of: NDArray[np.int64]) -> list[str]:
        """The strings of this document at the first two columns of a table of `Texts`."""
        text = self.text
        return [text[start:end] for start, end in table[of[self._place] : of[self._place + 1], :2].tolist()]
