"""Rules on repetition. Only prose counts: the rows of a table repeat by nature, and so do its numbers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pipelines.quality.text import LONGEST_GRAM, Text
from registry.names import rule

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from zstandard import ZstdCompressor

_FEW = 50  # characters or words below which shares of repetition say nothing
_RUN = 8  # place in Text.scripts


@rule
def repeated_lines(doc: Text, *, at_least: int = 10) -> float:
    """Share of the characters of prose in lines, of `at_least` characters or more, that were there before."""
    return _repeated_share(doc, doc.prose_table, at_least)


@rule
def repeated_sentences(doc: Text, *, at_least: int = 10) -> float:
    """Share of the characters of sentences, of `at_least` characters or more, that were there before."""
    return _repeated_share(doc, doc.sentence_table, at_least)


@rule
def repeated_characters(doc: Text, *, n: int = 10) -> float:
    """Share of the character n-grams within the lines of prose that occurred before."""
    from pipelines.quality.grams import repeated_strings

    return 0.0 if doc.line_counts.characters < _FEW + n else float(repeated_strings(doc.sums, doc.prose_table, n))


def _repeated(n: int) -> Callable[[Text], float]:
    def measure(doc: Text) -> float:
        return doc.grams[n][0] if len(doc.word_hashes) >= _FEW + n - 1 else 0.0

    measure.__doc__ = f"Share of the {n}-grams of the words of prose that occurred before."
    return measure


def _commonest(n: int) -> Callable[[Text], float]:
    def measure(doc: Text) -> float:
        words = len(doc.word_hashes)
        return min(doc.grams[n][1] * n / words, 1.0) if words >= _FEW else 0.0

    measure.__doc__ = f"Share of the words of prose that stand in the commonest of its {n}-grams."
    return measure


for _n in range(2, LONGEST_GRAM + 1):
    rule(f"repeated_{_n}grams")(_repeated(_n))
for _n in range(2, 5):
    rule(f"commonest_{_n}gram")(_commonest(_n))


@rule
def distinct_words(doc: Text, *, within: int = 1000) -> float:
    """Share of distinct ones among the first `within` Japanese words of prose; it falls with length, so a window."""
    from pipelines.quality.grams import distinct

    if min(within, doc.counted.japanese_prose) < _FEW:
        return 1.0
    different, words = distinct(doc.word_numbers, doc.marks, within)
    return float(different / words)


@rule
def longest_run(doc: Text) -> float:
    """Length of the longest run of one letter: ああああ. Runs of digits, symbols and blanks do not count."""
    return float(doc.scripts[_RUN])


@rule
def compression_ratio(doc: Text) -> float:
    """Bytes of the prose after Zstandard over before: 0.4, below 0.05 for machine repetition, 1 for nothing."""
    text = doc.text if len(doc.prose_table) == len(doc.line_table) else "\n".join(doc.prose)
    data = text.encode("utf-8", "surrogatepass")
    return len(_compressor().compress(data)) / len(data) if data else 1.0


@cache
def _compressor() -> ZstdCompressor:
    from zstandard import ZstdCompressor

    return ZstdCompressor(level=1)


def _repeated_share(doc: Text, table: NDArray[np.int32], least: int) -> float:
    from pipelines.quality.grams import repeated_share

    return float(repeated_share(doc.sums, table, least))
