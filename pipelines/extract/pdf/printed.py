"""The rows printed within one row of a ruled table, where the rules between them are left out.

In: the cells of a ruled row as lines. Out: the rows that a reader sees in them: statements of a report rule off their
totals only. A label may take several lines, with its figures beside the middle of them, and a figure two, with its part
in brackets under it. So the lines of the first cell are cut into labels where that costs least: lines of one label
stand closer than rows do, all but its last are full, and figures are level with the middle of a label. The heading
"前連結会計年度 / (自 2021年1月1日 / 至 2021年12月31日)" stays one cell.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from pipelines.extract.pdf.heights import LEVEL, Entry, Heights, is_level, middle
from pipelines.extract.pdf.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.extract.pdf.lines import Line

FIGURE = pattern("figure")
BRACKETS = "(（[［〔"  # a figure in them under another is a part of it: "6,941 / [716]"
APART = 1.25  # times the least distance between lines: those further apart are of two rows, where distances differ
FAR = 0.75  # of the size of a line: a figure this far from the middle of a label has none
LONGEST = 12  # lines of a label
# Costs: a figure off the level of a label; lines far apart in one label; lines that stand close cut; a full one cut.
OFF, WIDE, CLOSE, ROOM = 4, 3, 2, 1
Cells = list[list["Line"]]


def printed_rows(row: Cells, edge: float) -> list[Cells]:
    """A ruled row as the rows printed in it; `edge` is the right one of its first cell."""
    if all(len(cell) < 2 for cell in row):
        return [row]
    distances = [b.middle - a.middle for cell in row for a, b in pairwise(cell) if b.middle > a.middle]
    close = APART * min(distances, default=0.0)
    if max(distances, default=0.0) <= close or _rows_are_close(row, close):
        close = 0.0
    columns = [_cut(cell, close) for cell in row[1:]]
    starts = _starts(row[0], columns, edge, close)
    if len(starts) < 2:
        return [row]
    heights = Heights(starts)
    rows: list[Cells] = [[[] for _ in row] for _ in starts]
    for column, found in enumerate([_cut(row[0], 0.0), *columns]):
        entries = [part for entry in found for part in _parted(entry, heights)]
        for entry, place in zip(entries, _places(entries, starts), strict=True):
            rows[place][column] += entry
    return rows


def _rows_are_close(row: Cells, close: float) -> bool:
    """Whether what stands close are rows: three figures in a column, or two in two columns."""
    figures = [_cut([line for line in cell if FIGURE.fullmatch(line.text.strip())], close) for cell in row]
    longest = [max(map(len, entries), default=0) for entries in figures]
    return max(longest) > 2 or longest.count(2) > 1


def _cut(lines: Sequence[Line], close: float) -> list[Entry]:
    """Lines parted where they stand further apart than `close`; a unit beside the middle of a label comes after it."""
    entries: list[Entry] = []
    for line in lines:
        if entries and line.middle - entries[-1][-1].middle <= close:
            entries[-1].append(line)
        else:
            entries.append([line])
    return entries


def _starts(first: list[Line], columns: list[list[Entry]], edge: float, close: float) -> list[Entry]:
    """What rows start with, nothing for one row: labels, or the figures of a column with more, some far from any label.

    There are several where a column has figures in three places, or two columns have them in the same two, or where
    figures stand beside a label's later line alone. Beside one label, where two columns have them in the same places.
    """
    figures = [[e for e in entries if _is_figure(e)] for entries in [_cut(first, 0.0), *columns]]
    most = max(figures, key=len)
    if not most:
        return []
    levels = Counter(round(middle(entry)) for found in figures for entry in found)
    labels = _Labels(first, levels, edge, close).cheapest()
    alike = [found for found in figures if len(found) == len(most) and is_level(found[0], most[0])]
    if not labels:
        return most if len(most) > 2 or len(alike) > 1 else []
    if len(labels) < 2:
        inner = all(found[-1][0].text[0] in BRACKETS for found in alike)
        return most if len(alike) > 1 and not (len(most) == 2 and inner) else []
    if len(most) > 2 or (len(most) == 2 and len(alike) > 1) or _stand_low(labels, columns):
        heights = Heights(labels)
        far = any(heights.nearest(middle(figure))[0] > FAR * figure[0].size for figure in most)
        return most if far and len(most) > len(labels) else labels
    return []


@dataclass(frozen=True)
class _Labels:
    """The lines of a first cell, to be cut into labels by the levels of the figures beside them."""

    lines: list[Line]
    levels: Counter[int]  # in points, with how many columns have one there
    edge: float
    close: float  # distance of lines that are of one row; 0 where distances tell nothing

    @cached_property
    def heights(self) -> list[int]:
        """The levels from top to bottom."""
        return sorted(self.levels)

    def cheapest(self) -> list[Entry]:
        """The labels whose lines cost least (by dynamic programming over where the last label starts)."""
        pairs = list(pairwise(self.lines))
        full = [self._is_full(before, line) for before, line in pairs]
        short = list(accumulate((not one for one in full), initial=0))
        apart = list(accumulate((0 < self.close < b.middle - a.middle for a, b in pairs), initial=0))
        best = [(0.0, 0)]  # the cost of the first lines, and where their last label starts
        for end in range(1, len(self.lines) + 1):
            options = []
            for start in range(max(0, end - LONGEST), end):
                inner = short[end - 1] - short[start], apart[end - 1] - apart[start]
                cut = ROOM * full[start - 1] + CLOSE * self._is_close(start) if start else 0
                options.append((best[start][0] + cut + self._joined(self.lines[start:end], *inner), start))
            best.append(min(options))
        cuts = [len(self.lines)]
        while cuts[-1]:
            cuts.append(best[cuts[-1]][1])
        return [self.lines[a:b] for a, b in pairwise(cuts[::-1])]

    def _is_close(self, start: int) -> bool:
        return self.lines[start].middle - self.lines[start - 1].middle <= self.close

    def _joined(self, entry: Entry, short: int, apart: int) -> float:
        """What it costs that an entry, with so many lines that are not full, and so many far apart, is one label."""
        places, near = (middle(entry), entry[0].middle, entry[-1].middle), LEVEL * entry[0].size
        low, high = bisect_left(self.heights, entry[0].y0), bisect_right(self.heights, max(line.y1 for line in entry))
        inside = [(y, self.levels[y]) for y in self.heights[low:high]]
        beside = max((n for y, n in inside if min(abs(y - place) for place in places) < near), default=0)
        off = sum(n for _, n in inside) - 2 * beside
        return short * (ROOM if beside else WIDE) + apart * WIDE + OFF * off

    def _is_full(self, before: Line, line: Line) -> bool:
        """Whether a line could not have taken the next one's first word."""
        return self.edge - before.x1 <= line.first_word + 1.5 * line.size


def _stand_low(labels: list[Entry], columns: list[list[Entry]]) -> bool:
    """Whether the figures of a column stand beside labels, and not at the first one or halfway down all of them."""
    centre_of_all, heights = (labels[0][0].y0 + labels[-1][-1].y1) / 2, Heights(labels)

    def low(entries: list[Entry]) -> bool:
        centre = (entries[0][0].y0 + entries[-1][-1].y1) / 2
        beside = all(_is_figure(entry) and heights.level_with(entry) for entry in entries)
        return beside and centre - centre_of_all > entries[0][0].size / 2 and not is_level(entries[0], labels[0])

    return any(low(entries) for entries in columns if entries)


def _parted(entry: Entry, starts: Heights) -> list[Entry]:
    """An entry cut where several of its lines start level with a row, though they stand close."""
    level = [n for n, line in enumerate(entry) if starts.start_level_with(line)]
    if len(level) < 2:
        return [entry]
    return [entry[a:b] for a, b in pairwise([0, *level[1:], len(entry)])]


def _places(entries: list[Entry], starts: list[Entry]) -> Iterator[int]:
    """The row of each entry of a column: that of a start at its level, else of the nearest, else of the last above.

    The nearest where nothing stands at that one's level: a figure of two lines beside the middle of its label. The last
    above where the column has its entries at the level of all starts near by: the later lines of a text.
    """
    heights = Heights(starts)
    level = [heights.level_with(entry) for entry in entries]
    taken = {found[0] for found in level if found}
    tops = [start[0].y0 for start in starts]
    for entry, found in zip(entries, level, strict=True):
        _, nearest = heights.nearest(middle(entry))
        above = max(bisect_left(tops, middle(entry)) - 1, 0)
        yield found[0] if found else above if nearest in taken else nearest


def _is_figure(entry: Entry) -> bool:
    return bool(FIGURE.fullmatch(entry[0].text.strip()))
