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

    from pipelines.words import Words

COUNTED = ("advertising", "unwanted")


def found(words: Words, places: list[int]) -> dict[str, Counter[str]]:
    """By list, how often each of its phrases stands in a document; of phrases that begin alike, the longest counts.

    Args:
        words: the words of the document.
        places: characters at which a phrase could begin, by `openings`.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    text, end, phrases = words.text, words.end, _phrases()
    for place in places:
        for name, phrase in phrases.get(text[place : place + 2], ()):
            stop = np.int32(place + len(phrase))  # of another type, all of `end` would be made of it first
            if text.startswith(phrase, place) and end[min(int(np.searchsorted(end, stop)), len(end) - 1)] == stop:
                counts[name][phrase] += 1
                break
    return counts


def no_phrases() -> dict[str, Counter[str]]:
    """What is found where nothing is."""
    return {name: Counter() for name in COUNTED}


@cache
def listed(name: str) -> frozenset[str]:
    """The lines of words/`name`.txt; a line that begins with # is a comment."""
    lines = Path(__file__).with_name("words").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))


@cache
def openings() -> NDArray[np.bool_]:
    """Where a phrase could begin: see `opening_table`."""
    from pipelines.quality.openings import opening_table

    return opening_table(frozenset(phrase for name in COUNTED for phrase in listed(name)))


@cache
def _phrases() -> dict[str, list[tuple[str, str]]]:
    """(list, phrase) by the first two characters, the longest first."""
    by_opening: dict[str, list[tuple[str, str]]] = {}
    pairs = [(name, phrase) for name in COUNTED for phrase in listed(name)]
    for name, phrase in sorted(pairs, key=lambda pair: (-len(pair[1]), pair)):
        by_opening.setdefault(phrase[:2], []).append((name, phrase))
    return by_opening
