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
_NOTHING: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}


def found(doc: Text) -> dict[str, Counter[str]]:
    """By list, how often each of its phrases stands in `doc`; of phrases that begin alike, the longest counts."""
    from pipelines.quality.scan import find_openings

    phrases, openings = _phrases()
    places = find_openings(doc.codes, doc.tokens.start, openings)
    if not len(places):
        return _NOTHING
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    text, end = doc.text, doc.tokens.end
    for place in places.tolist():
        for name, phrase in phrases.get(text[place : place + 2], ()):
            stop = place + len(phrase)
            if text.startswith(phrase, place) and end[min(np.searchsorted(end, stop), len(end) - 1)] == stop:
                counts[name][phrase] += 1
                break
    return counts


@cache
def listed(name: str) -> frozenset[str]:
    """The lines of words/`name`.txt; a line that begins with # is a comment."""
    lines = Path(__file__).with_name("words").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def opening_table(phrases: frozenset[str]) -> NDArray[np.bool_]:
    """(2**16,) whether a phrase begins with two characters of this hash, as the kernels of quality/scan.py make it."""
    known = np.zeros(1 << 16, bool)
    known[[(ord(phrase[0]) * 31 + ord((phrase + "\0")[1])) & 0xFFFF for phrase in phrases]] = True
    return known


@cache
def _phrases() -> tuple[dict[str, list[tuple[str, str]]], NDArray[np.bool_]]:
    """(list, phrase) by the first two characters, the longest first; and the table of these."""
    by_opening: dict[str, list[tuple[str, str]]] = {}
    pairs = [(name, phrase) for name in COUNTED for phrase in listed(name)]
    for name, phrase in sorted(pairs, key=lambda pair: (-len(pair[1]), pair)):
        by_opening.setdefault(phrase[:2], []).append((name, phrase))
    return by_opening, opening_table(frozenset(phrase for _, phrase in pairs))
