"""Tables: from the cells of a grid, or from the gaps between the columns of unruled rows.

In: segments. Out: `Table`s, whose rows all have the same number of cells; numbers and signs are as printed, an empty
cell is an empty string, and a merged cell stands at its first place with empty ones after it, so no column shifts.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.extract.pdf.lines import Line, Row, joined_text, line_of, rows_of
from pipelines.extract.pdf.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.extract.pdf.grid import Grid
    from pipelines.extract.pdf.segments import Segment

NUMBER, ITEM_MARK = pattern("number"), pattern("item_mark")


@dataclass(slots=True)
class Table:
    """A table on one page; lengths in points."""

    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    rows: list[list[str]]
    edges: tuple[float, ...]  # x of the columns' left edges and the last one's right: what continues it has the same


def ruled_table(grid: Grid, segments: Sequence[Segment]) -> Table:
    """The table in `grid`, whose text is `segments`."""
    inside: dict[int, list[Segment]] = {}
    for segment in segments:
        inside.setdefault(segment.cell, []).append(segment)
    lines = {cell: [line_of(row) for row in rows_of(found)] for cell, found in inside.items()}
    rows: list[list[str]] = []
    seen: set[int] = set()
    for names in grid.cell.tolist():
        row = [
            [] if name in seen or names.index(name) != column else lines.get(name, [])
            for column, name in enumerate(names)
        ]
        seen.update(names)
        rows += _printed_rows(row)
    sizes = float(np.median([s.size for s in segments]))
    box = float(grid.x[0]), float(grid.y[0]), float(grid.x[-1]), float(grid.y[-1])
    return Table(*box, sizes, _without_empty(rows), tuple(grid.x.tolist()))


def _printed_rows(row: list[list[Line]]) -> list[list[str]]:
    """One ruled row as the rows printed in it: several where the rules between them are left out.

    A new one starts at each line where some cell is a plain number or date, if there are at least three such lines;
    the header "前連結会計年度 / (自 2021年1月1日 / 至 2021年12月31日)" has none and stays one cell.
    """
    numbers = sorted(line.middle for cell in row for line in cell if NUMBER.fullmatch(line.text.strip()))
    height = max((line.y1 - line.y0 for cell in row for line in cell), default=0.0)
    starts = [y for y, last in zip(numbers, [-height, *numbers], strict=False) if y - last > height / 2]
    if len(starts) < 3:
        return [[joined_text(cell) for cell in row]]
    first = min(line.middle for cell in row for line in cell)
    bounds = [y - height / 2 for y in starts if y - height / 2 > first]
    placed: list[list[list[Line]]] = [[[] for _ in row] for _ in range(len(bounds) + 1)]
    for column, cell in enumerate(row):
        for line in cell:
            placed[bisect_left(bounds, line.middle)][column].append(line)
    return [[joined_text(cell) for cell in cells] for cells in placed]


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    """Rows and columns that hold no text are the rules' own doing."""
    rows = [row for row in rows if any(row)]
    used = [any(column) for column in zip(*rows, strict=True)]
    return [[cell for cell, keep in zip(row, used, strict=True) if keep] for row in rows]


def with_gap_tables(rows: Iterable[Row | Table]) -> list[Line | Table]:
    """The rows of a region as lines, and as tables where several rows in a row have gaps at the same places."""
    result: list[Line | Table] = []
    pending: list[Row] = []
    for row in rows:
        if isinstance(row, Table):
            result += [*_tables_in(pending), row]
            pending = []
        else:
            pending.append(row)
    return result + _tables_in(pending)


def _tables_in(rows: list[Row]) -> list[Line | Table]:
    result: list[Line | Table] = []
    start = 0
    while start < len(rows):
        end = _stretch(rows, start)
        table = _gap_table(rows[start:end]) if end - start > 1 else None
        if table is None:
            result.append(line_of(rows[start]))
            start += 1
        else:
            result.append(table)
            start = end
    return result


def _stretch(rows: list[Row], start: int) -> int:
    """Where the rows end that could be one table: at two lines of text in a row, at a wide gap, at a change of size."""
    end = start
    singles = 0
    for index in range(start, len(rows)):
        row = rows[index]
        if index > start and (row[0].y0 - rows[index - 1][0].y1 > 2.2 * row[0].height):
            break
        if _has_gaps(row):
            singles, end = 0, index + 1
        else:
            singles += 1
            if singles > 2 or index == start:
                break
    return max(end, start)


def _has_gaps(row: Row) -> bool:
    return len(row) > 1 and not (len(row) == 2 and ITEM_MARK.fullmatch(row[0].text))


def _gap_table(rows: list[Row]) -> Table | None:
    """The table that `rows` make, or None where their gaps are not at the same places or it is plainly no table."""
    gapped = [row for row in rows if _has_gaps(row)]
    if len(gapped) < 2 or len(gapped) < 0.5 * len(rows):
        return None
    columns = _columns(gapped)
    if len(columns) < 2:
        return None
    cells = [_in_columns(row, columns) for row in rows]
    if not _looks_like_table(cells, gapped):
        return None
    x0, x1 = min(s.x0 for row in rows for s in row), max(s.x1 for row in rows for s in row)
    y0, y1 = min(s.y0 for s in rows[0]), max(s.y1 for s in rows[-1])
    edges = (*(start for start, _ in columns), columns[-1][1])
    return Table(x0, y0, x1, y1, rows[0][0].size, cells, edges)


def _columns(rows: list[Row]) -> list[tuple[float, float]]:
    """The x ranges that text stands in, a few cells that span columns set aside: they may cover 1 row in 8."""
    starts = np.array([s.x0 for row in rows for s in row])
    ends = np.array([s.x1 for row in rows for s in row])
    low = starts.min()
    covered = np.zeros(int(ends.max() - low) + 2, int)
    for start, end in zip((starts - low).astype(int), np.ceil(ends - low).astype(int), strict=True):
        covered[start:end] += 1
    text = covered > len(rows) // 8
    change = np.flatnonzero(np.diff(np.r_[False, text, False].astype(int)))
    return [(float(a + low), float(b + low)) for a, b in zip(change[::2], change[1::2], strict=True)]


def _in_columns(row: Row, columns: list[tuple[float, float]]) -> list[str]:
    cells: list[list[Segment]] = [[] for _ in columns]
    for segment in row:
        overlaps = [min(segment.x1, end) - max(segment.x0, start) for start, end in columns]
        first = next((i for i, o in enumerate(overlaps) if o > 0.5 * (segment.x1 - segment.x0)), None)
        cells[
            first
            if first is not None
            else int(np.argmax(np.array(overlaps) > 0))
            if max(overlaps) > 0
            else int(np.argmax(overlaps))
        ].append(segment)
    return [line_of(cell).text if cell else "" for cell in cells]


def _looks_like_table(cells: list[list[str]], gapped: list[Row]) -> bool:
    """Three rows of numbers, or two rows of three columns, or three rows of short texts in at least three columns."""
    body = [cell for row in cells for cell in row[1:] if cell]
    numbers = sum(bool(NUMBER.fullmatch(cell.strip())) for cell in body) / max(len(body), 1)
    short = np.median([len(segment.text) for row in gapped for segment in row]) <= 16
    columns = len(cells[0])
    if numbers >= 0.5:
        return len(gapped) >= 3 or (columns >= 3 and len(gapped) >= 2)
    return bool(short and columns >= 3 and len(gapped) >= 3)
