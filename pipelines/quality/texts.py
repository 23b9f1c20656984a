"""Documents as rules read them: everything that rules count, of many documents at once, in columns.

In: the `Words` of cleaned texts. Out: `Texts`, whose columns have a row for each document; one of them is a `Text`
(quality/text.py). A rule that reads columns takes a few microseconds for all documents together, where 37 rules that
each read one document take 20 us of every record.
"""

from __future__ import annotations

from functools import cached_property, wraps
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from pipelines.quality import alphabet
from pipelines.quality.alphabet import Script
from pipelines.quality.phrases import found, no_phrases, openings

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pipelines.quality.text import Text
    from pipelines.words import Words

Column: TypeAlias = "NDArray[np.float64]"  # (n,) a measurement of each document
Counts: TypeAlias = "NDArray[np.int64]"  # (n,)

LONGEST_GRAM = 10  # words
FEW = 50  # characters or words below which shares of repetition say nothing


class WordCounts(NamedTuple):
    """How many words of each document are what. Prose: outside of tables, code and rules of dashes."""

    japanese: Counts  # begin with kana or kanji
    unknown: Counts  # and are not in the dictionary
    lone_kanji: Counts  # are one kanji
    japanese_characters: Counts  # characters of the Japanese ones
    prose: Counts
    japanese_prose: Counts
    function: Counts  # particles and auxiliaries in prose
    nouns: Counts  # and names, in prose
    symbols: Counts  # and punctuation, in prose
    japanese_cost: Counts  # of the Japanese ones, as MeCab reckons it
    before_end: Counts  # begin before the last line of prose ends


class LineCounts(NamedTuple):
    """How many lines of prose of each document are what."""

    characters: Counts  # not lines: of all lines of prose
    listed: Counts  # begin with a bullet or a number
    trailing_off: Counts  # end with an ellipsis or an invitation to read on


class SentenceCounts(NamedTuple):
    """How many sentences of each document are what, and how long."""

    sentences: Counts
    ended: Counts  # by a full stop or the like
    characters: Counts
    ended_characters: Counts
    longest: Counts


class Spans(NamedTuple):
    """Lines or sentences of all documents, one document after another."""

    table: NDArray[np.int32]  # (spans, 3) first character, end, and what they are, as quality/scan.py tells
    of: Counts  # (n + 1,) those of document i are ``table[of[i]:of[i + 1]]``

    @property
    def each(self) -> Counts:
        """(n,) how many each document has."""
        return np.diff(self.of)


class Texts:
    """n documents, read together.

    Attributes:
        words: the words of each.
        codes, texts: code points of all; where those of each begin, (n + 1,).
        kinds: the `Script` and `Trait`s of each character.
        sums: (characters + 1,) the hash of all text up to each place, of which quality.scan.hash_span makes any other.
        marks, words_of: 1 of a word that begins with kana or kanji, plus 2 of one in prose; where those of each begin.
        lines, prose, sentences: where those that are not blank stand; those of prose; and its sentences.
        prose_words, prose_words_of: a hash of each word of prose, the same for equal words; where those of each begin.
        scripts: (n, 12) how many characters there are of each `Script`; then the longest run of one letter, rare kanji,
            unreadable characters, and traces of a wrong encoding.
        characters: how many characters there are that are not white space.
        pairs: (n, 4) how many pairs of characters there are, how many are strange, and both of pairs of kana.
        phrases: of each, by list of words/, how often each of its phrases occurs.
    """

    def __init__(self, words: Sequence[Words]) -> None:
        from pipelines.quality import counting, pairs  # machine code that takes half a second to load

        self.words = words
        self.codes: NDArray[np.uint32] = np.concatenate([some.codes for some in words])
        self.texts = _begins(len(some.codes) for some in words)
        self.words_of = _begins(map(len, words))
        columns = [np.concatenate([getattr(some, name) for some in words]) for name in _COLUMNS]
        count_all: Any = counting.count_all
        tables = (alphabet.kinds(), *pairs.tables(), openings())
        characters, self.marks, lists, of, counts = count_all(self.codes, self.texts, *columns, self.words_of, *tables)
        self.kinds: NDArray[np.uint16] = characters[0]
        self.sums: NDArray[np.uint64] = characters[1]
        self.lines, self.prose, self.sentences = (Spans(*both) for both in zip(lists[:3], of[:3], strict=True))
        self.prose_words: NDArray[np.uint64] = lists[3]
        self.prose_words_of: Counts = of[3]
        by_pass = np.split(counts, [counting.OF_LINES, counting.OF_SENTENCES, counting.OF_WORDS, counting.OF_PAIRS], 1)
        self.scripts, self.pairs = by_pass[0], by_pass[4]
        self.line_counts = LineCounts(*by_pass[1].T)
        self.sentence_counts = SentenceCounts(*by_pass[2].T)
        self.counted = WordCounts(*by_pass[3].T)
        self.characters: Counts = np.diff(self.texts) - self.scripts[:, Script.BLANK]
        self.phrases = self._phrases(lists[4], of[4])

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[Text]:
        return iter(self._each)

    def __getitem__(self, place: int) -> Text:
        return self._each[place]

    @cached_property
    def _each(self) -> list[Text]:
        from pipelines.quality.text import Text

        return [Text(self, place) for place in range(len(self))]

    def _phrases(self, places: NDArray[np.int32], of: Counts) -> list[dict[str, Counter[str]]]:
        counts = [no_phrases()] * len(self)
        for at in np.flatnonzero(np.diff(of)).tolist():
            counts[at] = found(self.words[at], places[of[at] : of[at + 1]].tolist())
        return counts

    @property
    def grams(self) -> NDArray[np.float64]:
        """(n, 11, 2) for the word n-grams of prose: the share that occurred before; the commonest's count.

        All 0 of documents with fewer than FEW words of prose.
        """
        return self._repetition[0]

    @property
    def word_numbers(self) -> NDArray[np.int32]:
        """(prose words,) a number of each word: the first one of a document 0, the next other one 1, and so on."""
        return self._repetition[1]

    @cached_property
    def _repetition(self) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        from pipelines.quality.grams import repetition_all

        both: tuple[NDArray[np.float64], NDArray[np.int32]] = repetition_all(
            self.prose_words, self.prose_words_of, LONGEST_GRAM, FEW
        )
        return both


_COLUMNS = ("start", "end", "pos", "unknown", "cost")


def _begins(sizes: Any) -> Counts:
    return np.array([0, *accumulate(sizes)], np.int64)


def share(part: Counts | Column, of: Counts, at_least: int = 1) -> Column:
    """`part` over `of`, which counts as `at_least` where it is less."""
    shares: Column = part / np.maximum(of, at_least)
    return shares


def of_many(function: Callable[..., Column]) -> Callable[..., float]:
    """A rule on one document, from a function that measures all of some `Texts`, which `Profile.measure_all` calls."""

    @wraps(function)
    def of_one(doc: Text, **options: Any) -> float:
        return float(function(doc.alone, **options)[0])

    of_one.of_many = function  # type: ignore[attr-defined]
    return of_one
