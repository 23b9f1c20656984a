"""Rules on repetition. Only prose counts: the rows of a table repeat by nature, and so do its numbers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pipelines.quality.texts import FEW, LONGEST_GRAM, Column, Counts, Texts, of_many
from registry.names import rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from zstandard import ZstdCompressor

_RUN = 8  # place in Texts.scripts


@rule
@of_many
def repeated_lines(docs: Texts, *, at_least: int = 10) -> Column:
    """Share of the characters of prose in lines, of `at_least` characters or more, that were there before."""
    from pipelines.quality.grams import repeated_share

    shares: Column = repeated_share(docs.sums, docs.texts, *docs.prose, at_least)
    return shares


@rule
@of_many
def repeated_sentences(docs: Texts, *, at_least: int = 10) -> Column:
    """Share of the characters of sentences, of `at_least` characters or more, that were there before."""
    from pipelines.quality.grams import repeated_share

    shares: Column = repeated_share(docs.sums, docs.texts, *docs.sentences, at_least)
    return shares


@rule
@of_many
def repeated_characters(docs: Texts, *, n: int = 10) -> Column:
    """Share of the character n-grams within the lines of prose that occurred before."""
    from pipelines.quality.grams import repeated_strings

    shares = repeated_strings(docs.sums, docs.texts, *docs.prose, n)
    return np.where(docs.line_counts.characters < FEW + n, 0.0, shares)


def _repeated(n: int) -> Callable[[Texts], Column]:
    def measure(docs: Texts) -> Column:
        return np.where(_words(docs) >= FEW + n - 1, docs.grams[:, n, 0], 0.0)

    measure.__doc__ = f"Share of the {n}-grams of the words of prose that occurred before."
    return measure


def _commonest(n: int) -> Callable[[Texts], Column]:
    def measure(docs: Texts) -> Column:
        return np.minimum(docs.grams[:, n, 1] * n / np.maximum(_words(docs), 1), 1.0)

    measure.__doc__ = f"Share of the words of prose that stand in the commonest of its {n}-grams."
    return measure


for _n in range(2, LONGEST_GRAM + 1):
    rule(f"repeated_{_n}grams")(of_many(_repeated(_n)))
for _n in range(2, 5):
    rule(f"commonest_{_n}gram")(of_many(_commonest(_n)))


@rule
@of_many
def distinct_words(docs: Texts, *, within: int = 1000) -> Column:
    """Share of distinct ones among the first `within` Japanese words of prose; it falls with length, so a window."""
    from pipelines.quality.grams import distinct

    shares = distinct(docs.word_numbers, docs.prose_words_of, docs.marks, docs.words_of, within)
    return np.where(np.minimum(docs.counted.japanese_prose, within) < FEW, 1.0, shares)


@rule
@of_many
def longest_run(docs: Texts) -> Column:
    """Length of the longest run of one letter: ああああ. Runs of digits, symbols and blanks do not count."""
    return docs.scripts[:, _RUN].astype(np.float64)


@rule
@of_many
def compression_ratio(docs: Texts) -> Column:
    """Bytes of the prose after Zstandard over before: 0.4, below 0.05 for machine repetition, 1 for nothing."""
    prosaic = (docs.prose.each == docs.lines.each).tolist()
    texts = (doc.text if whole else "\n".join(doc.prose) for doc, whole in zip(docs, prosaic, strict=True))
    return np.array([_compressed(text.encode("utf-8", "surrogatepass")) for text in texts])


def _words(docs: Texts) -> Counts:
    return np.diff(docs.prose_words_of)


def _compressed(data: bytes) -> float:
    return len(_compressor().compress(data)) / len(data) if data else 1.0


@cache
def _compressor() -> ZstdCompressor:
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=1)
