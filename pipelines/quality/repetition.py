"""Rules on repetition. Only prose counts: the rows of a table repeat by nature, and so do its numbers.

N-grams are 64-bit hashes made from the text's prefix sums, and sorted once per length.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from pipelines.quality.text import Text
from registry.names import rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BASE = np.uint64(0xD6E8FEB86659FD93)  # odd, and another one than words are hashed with
_FEW = 50  # characters or words below which shares of repetition say nothing


@rule
def repeated_lines(doc: Text, *, at_least: int = 10) -> float:
    """Share of the characters of prose in lines, of `at_least` characters or more, that were there before."""
    seen: set[str] = set()
    repeated = 0
    for line in doc.prose:
        if len(line) >= at_least and line in seen:
            repeated += len(line)
        seen.add(line)
    return repeated / max(sum(map(len, doc.prose)), 1)


@rule
def repeated_sentences(doc: Text, *, at_least: int = 10) -> float:
    """Share of the characters of sentences, of `at_least` characters or more, that were there before."""
    seen: set[str] = set()
    repeated = 0
    for sentence in doc.sentences:
        if len(sentence) >= at_least and sentence in seen:
            repeated += len(sentence)
        seen.add(sentence)
    return repeated / max(sum(map(len, doc.sentences)), 1)


@rule
def repeated_characters(doc: Text, *, n: int = 10) -> float:
    """Share of the character n-grams of prose that occurred before in it."""
    before = np.cumsum(np.roll(doc.in_prose, 1), dtype=np.int32)  # characters of prose before each character
    start = np.flatnonzero(before[n:] - before[:-n] == n)
    return _repeated(doc.hashes(start, start + n))


@rule
def repeated_words(doc: Text, *, n: int = 5) -> float:
    """Share of the word n-grams of prose that occurred before in it."""
    return _repeated(_grams(doc.word_hashes, n))


@rule
def commonest_words(doc: Text, *, n: int = 3) -> float:
    """Share of prose that the commonest word n-gram makes up: the number of its words over the number of all words."""
    if len(doc.word_hashes) < _FEW:
        return 0.0
    grams = np.sort(_grams(doc.word_hashes, n))
    edges = np.flatnonzero(grams[1:] != grams[:-1])
    commonest = np.diff(edges, prepend=-1, append=len(grams) - 1).max()
    return min(float(commonest) * n / len(doc.word_hashes), 1.0)


@rule
def distinct_words(doc: Text, *, within: int = 1000) -> float:
    """Share of distinct ones among the first `within` Japanese words of prose; it falls with length, so a window."""
    return 1.0 - _repeated(doc.word_hashes[doc.japanese[doc.prose_words]][:within])


@rule
def longest_run(doc: Text) -> float:
    """Length of the longest run of one letter: ああああ. Runs of digits, symbols and blanks do not count."""
    letters = np.where(
        (doc.script >= 2) & (doc.script <= 5), doc.codes, np.arange(len(doc.codes), dtype=np.uint32) + 0x110000
    )
    if not len(letters):
        return 0.0
    edges = np.flatnonzero(np.diff(letters, prepend=letters[0] + 1, append=letters[-1] + 1))
    return float(np.diff(edges).max(initial=0))


@rule
def compression_ratio(doc: Text) -> float:
    """Bytes of the text after zlib over before: 0.4 for prose, below 0.1 for machine repetition, 1 for nothing."""
    data = doc.text.encode("utf-8", "surrogatepass")
    return len(zlib.compress(data, 1)) / len(data) if data else 1.0


def _grams(hashes: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """(len - n + 1,) a hash of every n hashes in a row."""
    count = max(len(hashes) - n + 1, 0)
    grams = np.zeros(count, np.uint64)
    for place in range(n):
        grams = (grams ^ (grams >> np.uint64(29))) * _BASE + hashes[place : place + count]
    return grams


def _repeated(grams: NDArray[np.uint64]) -> float:
    """Share of `grams` that stand earlier among them; 0 where there are too few to tell."""
    if len(grams) < _FEW:
        return 0.0
    ordered = np.sort(grams)
    return float(np.count_nonzero(ordered[1:] == ordered[:-1])) / len(grams)
