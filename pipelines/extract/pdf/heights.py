"""Entries of a table's column by their heights: which stand level with another, and which is the nearest.

In: entries, each the lines of one cell, in any order. Out: answers in the time of a binary search, so that a cell of
thousands of lines costs what as many cells do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.extract.pdf.lines import Line

LEVEL = 0.25  # of the size of a line: by which the middles of what stands level may differ
Entry = list["Line"]  # lines of a cell that belong together


def middle(entry: Sequence[Line]) -> float:
    """The y halfway down an entry, in points."""
    return (entry[0].y0 + max(line.y1 for line in entry)) / 2


def is_level(one: Entry, other: Entry) -> bool:
    """Whether the middles, or the first lines, of two entries stand level."""
    near = LEVEL * one[0].size
    return abs(middle(one) - middle(other)) < near or abs(one[0].middle - other[0].middle) < near


class Heights:
    """Entries, to be asked for those at a height."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._middles = sorted((middle(entry), index) for index, entry in enumerate(entries))
        self._firsts = sorted((entry[0].middle, index) for index, entry in enumerate(entries))

    def level_with(self, entry: Entry) -> list[int]:
        """The entries that are level with one, by their indices."""
        near = LEVEL * entry[0].size
        found = _within(self._middles, middle(entry), near) | _within(self._firsts, entry[0].middle, near)
        return sorted(found)

    def start_level_with(self, line: Line) -> bool:
        """Whether the first line of an entry is level with a line."""
        return bool(_within(self._firsts, line.middle, LEVEL * line.size))

    def nearest(self, y: float) -> tuple[float, int]:
        """How far the entry is whose middle is nearest to a height, and its index."""
        at = bisect_left(self._middles, (y,))
        found, _ = min(self._middles[max(at - 1, 0) : at + 1], key=lambda place: abs(place[0] - y))
        return abs(found - y), self._middles[bisect_left(self._middles, (found,))][1]


def _within(places: list[tuple[float, int]], y: float, near: float) -> set[int]:
    low, high = bisect_right(places, (y - near, len(places))), bisect_left(places, (y + near,))
    return {index for _, index in places[low:high]}
