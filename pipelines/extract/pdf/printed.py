"""The rows printed within one row of a ruled table, where the rules between them are left out.

In: the cells of a ruled row as lines. Out: the rows that a reader sees in them: statements of a report rule off their
totals only. A label may take several lines, with its figures beside the middle of them, and a figure two, with its part
in brackets under it. So the lines of the first cell are cut into labels where that costs least: lines of one label
stand closer than rows do, all but its last are full, and figures are level with the middle of a label. The heading
"前連結会計年度 / (自 2021年1月1日 / 至 2021年12月31日)" stays one cell.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pipelines.extract.pdf.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.extract.pdf.lines import Line

FIGURE = pattern("figure")
BRACKETS = "(（[［〔"  # a figure in them under another is a part of it: "6,941 / [716]"
APART = 1.25  # times the least distance between lines: those further apart are of two rows, where distances differ
LEVEL = 0.25  # of the size of a line: by which the middles of what stands level may differ
FAR = 0.75  # of the size of a line: a figure this far from the middle of a label has none
LONGEST = 12  # lines of a label
# Costs: a figure off the level of a label; lines far apart in one label; lines that stand close cut; a full one cut.
OFF, WIDE, CLOSE, ROOM = 4, 3, 2, 1
Entry = list["Line"]  # lines of a cell that belong together
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
    rows: list[Cells] = [[[] for _ in row] for _ in starts]
    for column, found in enumerate([_cut(row[0], 0.0), *columns]):
        entries = [part for entry in found for part in _parted(entry, starts)]
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
    levels = Counter(round(_middle(entry)) for found in figures for entry in found)
    labels = _Labels(first, levels, edge, close).cheapest()
    alike = [found for found in figures if len(found) == len(most) and _level(found[0], most[0])]
    if not labels:
        return most if len(most) > 2 or len(alike) > 1 else []
    if len(labels) < 2:
        inner = all(found[-1][0].text[0] in BRACKETS for found in alike)
        return most if len(alike) > 1 and not (len(most) == 2 and inner) else []
    if len(most) > 2 or (len(most) == 2 and len(alike) > 1) or _stand_low(labels, columns):
        far = any(all(abs(_middle(f) - _middle(label)) > FAR * f[0].size for label in labels) for f in most)
        return most if far and len(most) > len(labels) else labels
    return []


@dataclass(frozen=True, slots=True)
class _Labels:
    """The lines of a first cell, to be cut into labels by the levels of the figures beside them."""

    lines: list[Line]
    levels: Counter[int]  # in points, with how many columns have one there
    edge: float
    close: float  # distance of lines that are of one row; 0 where distances tell nothing

    def cheapest(self) -> list[Entry]:
        """The labels whose lines cost least (by dynamic programming over where the last label starts)."""
        best: list[tuple[float, list[int]]] = [(0, [])]
        for end in range(1, len(self.lines) + 1):
            starts = range(max(0, end - LONGEST), end)
            options = [(best[s][0] + self._cut_at(s) + self._joined(s, end), [*best[s][1], s]) for s in starts]
            best.append(min(options))
        return [self.lines[a:b] for a, b in pairwise([*best[-1][1], len(self.lines)])]

    def _cut_at(self, start: int) -> float:
        if start == 0:
            return 0
        before, line = self.lines[start - 1 : start + 1]
        return ROOM * self._is_full(before, line) + CLOSE * (line.middle - before.middle <= self.close)

    def _joined(self, start: int, end: int) -> float:
        entry = self.lines[start:end]
        places, near = (_middle(entry), entry[0].middle, entry[-1].middle), LEVEL * entry[0].size
        inside = {y: n for y, n in self.levels.items() if entry[0].y0 <= y <= max(line.y1 for line in entry)}
        beside = max((n for y, n in inside.items() if min(abs(y - place) for place in places) < near), default=0)
        short = sum(not self._is_full(a, b) for a, b in pairwise(entry))
        apart = sum(0 < self.close < b.middle - a.middle for a, b in pairwise(entry))
        return short * (ROOM if beside else WIDE) + apart * WIDE + OFF * (sum(inside.values()) - 2 * beside)

    def _is_full(self, before: Line, line: Line) -> bool:
        """Whether a line could not have taken the next one's first word."""
        return self.edge - before.x1 <= line.first_word + 1.5 * line.size


def _stand_low(labels: list[Entry], columns: list[list[Entry]]) -> bool:
    """Whether the figures of a column stand beside labels, and not at the first one or halfway down all of them."""
    middle = (labels[0][0].y0 + labels[-1][-1].y1) / 2

    def low(entries: list[Entry]) -> bool:
        centre = (entries[0][0].y0 + entries[-1][-1].y1) / 2
        beside = all(_is_figure(entry) and any(_level(entry, label) for label in labels) for entry in entries)
        return beside and centre - middle > entries[0][0].size / 2 and not _level(entries[0], labels[0])

    return any(low(entries) for entries in columns if entries)


def _parted(entry: Entry, starts: list[Entry]) -> list[Entry]:
    """An entry cut where several of its lines start level with a row, though they stand close."""
    level = [
        n for n, line in enumerate(entry) if any(abs(line.middle - s[0].middle) < LEVEL * line.size for s in starts)
    ]
    if len(level) < 2:
        return [entry]
    return [entry[a:b] for a, b in pairwise([0, *level[1:], len(entry)])]


def _places(entries: list[Entry], starts: list[Entry]) -> Iterator[int]:
    """The row of each entry of a column: that of a start at its level, else of the nearest, else of the last above.

    The nearest where nothing stands at that one's level: a figure of two lines beside the middle of its label. The last
    above where the column has its entries at the level of all starts near by: the later lines of a text.
    """
    level = [[n for n, start in enumerate(starts) if _level(entry, start)] for entry in entries]
    taken = {found[0] for found in level if found}
    tops = [start[0].y0 for start in starts]
    for entry, found in zip(entries, level, strict=True):
        nearest = min(range(len(starts)), key=lambda n: abs(_middle(starts[n]) - _middle(entry)))
        above = max(bisect_left(tops, _middle(entry)) - 1, 0)
        yield found[0] if found else above if nearest in taken else nearest


def _is_figure(entry: Entry) -> bool:
    return bool(FIGURE.fullmatch(entry[0].text.strip()))


def _middle(entry: Entry) -> float:
    return (entry[0].y0 + max(line.y1 for line in entry)) / 2


def _level(one: Entry, other: Entry) -> bool:
    """Whether the middles, or the first lines, of two entries stand level."""
    near = LEVEL * one[0].size
    return abs(_middle(one) - _middle(other)) < near or abs(one[0].middle - other[0].middle) < near
