"""Code points -> what they fold to: which code points, how many, which of them belong to a figure, and their hash.

Folding is NFKD, then case, without white space and invisible characters, so that the same words in full and half width,
in capitals or with other line breaks between them are alike. It goes by a table of code points, where
`unicodedata.normalize` takes 120 ns a character on text with full-width figures. The table holds the hash of each
folded form too, so that a text is hashed without being folded: the hash is a polynomial, and those of the texts up to
two places give that of the text between them.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNICODE = sys.maxunicode + 1  # a value from here on says at which place the longer form stands
FOLDED = 0x30000  # beyond this code point nothing changes, but for a few invisible tags
INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # categories of control and format characters, spaces and line breaks
SIGNS = frozenset(
    "+-\u00b1\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u25b2\u25b3"
)  # in a table a dash is a figure too: nil
POWER = np.uint64(0x9FB21C651E98DF25)  # odd: the base of the polynomials
POWERS = np.array([pow(int(POWER), k, 1 << 64) for k in range(256)], np.uint64)
_SPREAD, _FIRST, _HALF = np.uint64(0xD6E8FEB86659FD93), np.uint64(0x9E3779B97F4A7C15), np.uint64(32)

# What is counted of a text is one number, so that it is one addition: code points once folded in the lower 32 bits;
# then digits, commas and points; then digits and signs. The upper two run over at 65,536, which no word reaches.
IN_FIGURE, TOLD = np.uint64(32), np.uint64(48)
LENGTH, SHORT = np.uint64(0xFFFFFFFF), np.uint64(0xFFFF)


class Folding(NamedTuple):
    """The table."""

    known: NDArray[np.uint64]  # [FOLDED, 2] the hash of the folded form, and what is counted of it
    forms: NDArray[np.uint32]  # [FOLDED + m] a code point, or UNICODE + place: there stand a count and as many of them


@cache
def folding() -> Folding:
    """The table; it takes 0.3 s to make."""
    forms: list[int] = []
    longer: list[int] = []
    for code in range(FOLDED):
        folded = _folded(chr(code))
        forms.append(ord(folded) if len(folded) == 1 else UNICODE + FOLDED + len(longer))
        longer += [] if len(folded) == 1 else [len(folded), *map(ord, folded)]
    table = np.array(forms + longer, np.uint32)
    return Folding(_known(table), table)


def _folded(character: str) -> str:
    if unicodedata.category(character) in INVISIBLE:
        return ""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(folded.split())


@cache
def marks() -> NDArray[np.bool_]:
    """Which code points belong to the character before them."""
    return np.array([unicodedata.combining(chr(code)) != 0 for code in range(FOLDED)])


def _known(forms: NDArray[np.uint32]) -> NDArray[np.uint64]:
    counted = np.full(FOLDED, 1, np.uint64)
    counted[[*map(ord, "0123456789,.")]] += np.uint64(1) << IN_FIGURE
    counted[[*map(ord, "0123456789"), *map(ord, SIGNS)]] += np.uint64(1) << TOLD
    known: NDArray[np.uint64] = _summed(forms, counted)
    return known


@kernel(types.uint64, types.uint64)
def spread(code: Any) -> Any:
    """A code point's share in a hash: 64 random-looking bits."""
    code = code * _SPREAD + _FIRST
    code = (code ^ (code >> _HALF)) * POWER
    return code ^ (code >> np.uint64(29))


@kernel(vector(types.uint64, dimensions=2, writable=True), vector(types.uint32), vector(types.uint64))
def _summed(forms: Any, counted: Any) -> Any:
    known = np.zeros((counted.size, 2), np.uint64)
    for code in range(counted.size):
        place = np.int64(forms[code]) - UNICODE
        for at in range(place + 1, place + 1 + forms[place]) if place >= 0 else range(code, code + 1):
            known[code, 0] = known[code, 0] * POWER + spread(np.uint64(forms[at]))
            known[code, 1] += counted[forms[at]] if forms[at] < counted.size else np.uint64(1)
    return known


@kernel(types.uint64, types.uint64)
def power(exponent: Any) -> Any:
    """POWER to any exponent."""
    found, base = POWERS[exponent & np.uint64(255)], POWERS[255] * POWER
    exponent = exponent >> np.uint64(8)
    while exponent:
        found *= base if exponent & np.uint64(1) else np.uint64(1)
        base *= base
        exponent = exponent >> np.uint64(1)
    return found
