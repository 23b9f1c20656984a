"""Lists of phrases, from words/, and where they stand in a document.

A phrase counts only where MeCab sees word boundaries at both of its ends: デリ is found in neither デリバティブ nor
スーパーデリバリー. Substring lists reject 8 of 20 annual reports that way. Looked for at the beginnings of words alone,
by their first two characters, phrases cost 2 ms a MB, where a pattern of alternatives costs 12.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.quality.text import Text

COUNTED = ("advertising", "unwanted")


def found(doc: Text) -> dict[str, Counter[str]]:
    """By list, how often each of its phrases stands in `doc`; of phrases that begin alike, the longest counts."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    phrases, openings = _phrases()
    start, end = doc.tokens.start, doc.tokens.end
    if not len(start):
        return counts
    following = doc.codes[np.minimum(start + 1, len(doc.codes) - 1)]
    text = doc.text
    for place in start[openings[key(doc.codes[start], following)]].tolist():
        for name, phrase in phrases.get(text[place : place + 2], ()):
            stop = place + len(phrase)
            if text.startswith(phrase, place) and end[min(np.searchsorted(end, stop), len(end) - 1)] == stop:
                counts[name][phrase] += 1
                break
    return counts


def key(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """(n,) below 2**16, of each two characters in a row."""
    return (first * np.uint32(31) + second) & np.uint32(0xFFFF)


@cache
def listed(name: str) -> frozenset[str]:
    """The lines of words/`name`.txt; a line that begins with # is a comment."""
    lines = Path(__file__).with_name("words").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def openings(phrases: frozenset[str]) -> NDArray[np.bool_]:
    """(2**16,) whether a phrase begins with two characters of this `key`; the second one is 0 where there is none."""
    known = np.zeros(1 << 16, bool)
    first = np.array([ord(phrase[0]) for phrase in phrases], np.uint32)
    second = np.array([ord(phrase[1]) if len(phrase) > 1 else 0 for phrase in phrases], np.uint32)
    known[key(first, second)] = True
    return known


@cache
def _phrases() -> tuple[dict[str, list[tuple[str, str]]], NDArray[np.bool_]]:
    """(list, phrase) by the first two characters, the longest first; and the table of these."""
    by_opening: dict[str, list[tuple[str, str]]] = {}
    pairs = [(name, phrase) for name in COUNTED for phrase in listed(name)]
    for name, phrase in sorted(pairs, key=lambda pair: (-len(pair[1]), pair)):
        by_opening.setdefault(phrase[:2], []).append((name, phrase))
    return by_opening, openings(frozenset(phrase for _, phrase in pairs))
