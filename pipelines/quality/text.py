"""A document as rules read it: the text, its words, and everything that several rules need, each computed once.

In: the cleaned text and the `Words` of one MeCab pass. Out: `Text`, which is a `registry.names.Reading` for the rules
of a domain, and has counts of characters and masks of words besides for the rules built in here.
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.words import Words

_SENTENCE = re.compile(r"[^。！？]+[。！？]*[」』）)]*")
_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_BASE = np.uint64(0x9E3779B97F4A7C15)
_RULE = re.compile(r"[\s\-=_*~─━―・.…]+")


class Script(IntEnum):
    """What kind of character it is; the indices of `Text.scripts`."""

    SYMBOL = 0
    BLANK = 1
    HIRAGANA = 2
    KATAKANA = 3
    KANJI = 4
    LATIN = 5
    NUMBER = 6
    FOREIGN = 7


class Text:
    """One document, read. All properties are computed when first asked for, and kept."""

    def __init__(self, text: str, tokens: Words) -> None:
        self.text = text
        self.tokens = tokens

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not blank, stripped."""
        return [line for line in map(str.strip, self.text.split("\n")) if line]

    @cached_property
    def sentences(self) -> list[str]:
        """The sentences of the prose, cut after 。！？ and at line ends."""
        found = (sentence.strip() for line in self.prose for sentence in _SENTENCE.findall(line))
        return [sentence for sentence in found if sentence]

    @cached_property
    def words(self) -> list[str]:
        """The MeCab words."""
        return self.tokens.surfaces()

    @cached_property
    def unknown(self) -> int:
        """How many words in Japanese script the dictionary does not know; numbers and Latin are in no dictionary."""
        return int(np.count_nonzero(self.tokens.unknown & self.japanese))

    @cached_property
    def codes(self) -> NDArray[np.uint32]:
        """(characters,) the code points of the text."""
        return np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), np.uint32)

    @cached_property
    def script(self) -> NDArray[np.uint8]:
        """(characters,) the `Script` of each."""
        return _scripts()[np.minimum(self.codes, 0x20000)]

    @cached_property
    def scripts(self) -> list[int]:
        """How many characters there are of each `Script`."""
        counts: list[int] = np.bincount(self.script, minlength=len(Script)).tolist()
        return counts

    @cached_property
    def characters(self) -> int:
        """How many characters there are that are not white space."""
        return len(self.text) - self.scripts[Script.BLANK]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """First and last character of every line of prose: no table row, no code, no rule of dashes."""
        spans, fenced = [], False
        for match in _LINE.finditer(self.text):
            line = match[0]
            fence = _FENCE.match(line) is not None
            fenced ^= fence
            if not (fence or fenced or line.startswith("|") or _RULE.fullmatch(line)):
                spans.append(match.span())
        return spans

    @cached_property
    def prose(self) -> list[str]:
        """The lines of prose, stripped."""
        return [self.text[start:end].strip() for start, end in self.spans]

    @cached_property
    def in_prose(self) -> NDArray[np.bool_]:
        """(characters + 1,) whether a character stands in prose."""
        within = np.zeros(len(self.text) + 1, bool)
        for start, end in self.spans:
            within[start:end] = True
        return within

    @cached_property
    def prose_words(self) -> NDArray[np.bool_]:
        """(words,) whether a word stands in prose."""
        return self.in_prose[self.tokens.start]

    @cached_property
    def japanese(self) -> NDArray[np.bool_]:
        """(words,) whether a word begins with kana or kanji."""
        first = self.script[self.tokens.start]
        return (first >= Script.HIRAGANA) & (first <= Script.KANJI)

    @cached_property
    def word_hashes(self) -> NDArray[np.uint64]:
        """(prose words,) a hash of each word: equal words have equal ones."""
        return self.hashes(self.tokens.start[self.prose_words], self.tokens.end[self.prose_words])

    def hashes(self, start: NDArray[np.signedinteger[Any]], end: NDArray[np.signedinteger[Any]]) -> NDArray[np.uint64]:
        """(n,) a hash of each of the n strings ``text[start:end]``, without making the strings.

        The polynomial hash of a string is a difference of prefix sums, shifted back to where the string begins; modulo
        2**64 every odd base has an inverse, so both are exact.
        """
        sums, inverse = self._prefixes
        hashes: NDArray[np.uint64] = (sums[end] - sums[start]) * inverse[start]
        return hashes

    @cached_property
    def _prefixes(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        powers, inverse = _powers(len(self.text).bit_length())
        sums = np.zeros(len(self.text) + 1, np.uint64)
        np.cumsum((self.codes + np.uint64(1)) * powers[: len(self.text)], out=sums[1:])
        return sums, inverse


@cache
def _powers(bits: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(2**bits,) powers of the base of the hash, and of its inverse modulo 2**64."""
    size = 1 << bits
    powers = np.cumprod(np.concatenate([np.ones(1, np.uint64), np.full(size - 1, _BASE, np.uint64)]))
    inverse = np.full(size - 1, pow(int(_BASE), -1, 1 << 64), np.uint64)
    return powers, np.cumprod(np.concatenate([np.ones(1, np.uint64), inverse]))


@cache
def _scripts() -> NDArray[np.uint8]:
    """(0x20001,) the script of every character below U+20000; the last entry is for all kanji from there on."""
    classes = np.fromiter((_general(chr(code)) for code in range(0x20001)), np.uint8, 0x20001)
    classes[-1] = Script.KANJI
    ranges: dict[str, list[list[int]]] = yaml.safe_load(
        Path(__file__).with_name("scripts.yaml").read_text(encoding="utf-8")
    )
    for name, pairs in ranges.items():
        for first, last in pairs:
            classes[first : last + 1] = Script[name.upper()]
    return classes


def _general(character: str) -> Script:
    if character.isspace():
        return Script.BLANK
    match unicodedata.category(character)[0]:
        case "L":
            return Script.FOREIGN
        case "N":
            return Script.NUMBER
        case "C":
            return Script.SYMBOL if character in "\ufffd\ue000" else Script.BLANK
        case _:
            return Script.SYMBOL
