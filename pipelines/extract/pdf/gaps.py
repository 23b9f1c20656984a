"""Unruled tables: rows whose gaps stand one under the other.

In: the rows of a region, and the ruled tables among them. Out: its lines and tables. A table is a stretch of rows, of
which at least half have gaps, at the same places, between cells that are numbers, or short and in three columns. The
unruled test table comes out with 16 of 16 rows exact; pdfplumber's strategy for such tables gives 15 of them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, takewhile
from statistics import median
from typing import TYPE_CHECKING

from pipelines.extract.pdf.bands import Cell, bands_of, has_gaps
from pipelines.extract.pdf.lines import Line, Row, joined_text, line_of
from pipelines.extract.pdf.patterns import pattern
from pipelines.extract.pdf.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.extract.pdf.segments import Segment


NUMBER, FIGURE = pattern("number"), pattern("figure")
SIGN_EDGE, EQUATION_NUMBER = pattern("sign_edge"), pattern("equation_number")
APART = 2.2  # times the height of a row: a gap that ends a table
MOST_LABELS = 6  # lines in a row that stand in the first column only
TEXT = 24  # characters: a line of text, which ends a table
CURRENCIES = frozenset("$¥￥€£")
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
    """Where the rows end that could be one table: at a wide gap, or at text that runs on under the second column."""
    if not has_gaps(rows[start]):
        return start
    end, second = start, float("inf")
    for index in range(start, len(rows)):
        row = rows[index]
        if index > start and row[0].y0 - rows[index - 1][0].y1 > APART * row[0].height:
            break
        if has_gaps(row):
            second = min(second, row[1].x0)
            end = index + 1
        elif (row[-1].x1 > second and len(row[0].text) >= TEXT) or index - end >= (
            MOST_LABELS if row[-1].x1 < second else 2
        ):
            break
    return end


def _gap_table(rows: list[Row]) -> Table | None:
    """The table that `rows` make, or None where their gaps are not at the same places or it is plainly no table."""
    rows = [[piece for segment in row for piece in _at_signs(segment)] for row in rows]
    gapped = [row for row in rows if has_gaps(row)]
    if len(gapped) < 2 or len(gapped) < 0.5 * len(rows):
        return None
    columns = _columns(gapped)
    if len(columns) < 2:
        return None
    bands = bands_of(rows)
    cells = [_in_columns(band, columns) for band in bands]
    head = _head(bands, cells)
    texts = [[_text(cell) for cell in band] for band in cells[head:]]
    if not _looks_like_table(texts, gapped):
        return None
    if head:
        texts.insert(0, [_text([row for cell in column for row in cell]) for column in zip(*cells[:head], strict=True)])
    texts = _under_heads(_with_signs(texts))
    x0, x1 = min(s.x0 for row in rows for s in row), max(s.x1 for row in rows for s in row)
    y0, y1 = min(s.y0 for s in rows[0]), max(s.y1 for s in rows[-1])
    edges = tuple(start for start, _ in columns)
    return Table(x0, y0, x1, y1, rows[0][0].size, texts, edges)


def _at_signs(segment: Segment) -> list[Segment]:
    """A segment cut where a currency sign stands between figures: "62.4% $ 1,702" is of three columns.

    Places are reckoned by characters, as figures are equally wide.
    """
    cuts = [0, *(match.end() for match in SIGN_EDGE.finditer(segment.text)), len(segment.text)]
    if len(cuts) == 2:
        return [segment]
    step = (segment.x1 - segment.x0) / len(segment.text)
    pieces = []
    for start, end in pairwise(cuts):
        text = segment.text[start:end].rstrip()
        x0 = segment.x0 + step * start
        pieces.append(replace(segment, text=text, x0=x0, x1=x0 + step * len(text)))
    return pieces


def _with_signs(rows: list[list[str]]) -> list[list[str]]:
    """Rows whose currency signs, set in a column of their own, stand with their figures again."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    for index in range(len(columns) - 2, -1, -1):
        if _is_of_signs(columns[index], columns[index + 1]):
            after = columns.pop(index + 1)
            columns[index] = [f"{sign} {figure}".strip() for sign, figure in zip(columns[index], after, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _under_heads(rows: list[list[str]]) -> list[list[str]]:
    """Rows whose heads, where they stand beside their column and not over it, are in it.

    The head is the rows at the top that have no label, or one row without figures.
    """
    head = sum(1 for _ in takewhile(lambda row: not row[0], rows)) or not any(map(FIGURE.fullmatch, rows[0]))
    columns = [list(column) for column in zip(*rows, strict=True)]
    for index in range(len(columns) - 2, -1, -1):
        first, second = columns[index : index + 2]
        apart = not any(a and b for a, b in zip(first, second, strict=True))
        if head and apart and not (any(first[head:]) and any(second[head:])):
            columns[index : index + 2] = [[a or b for a, b in zip(first, second, strict=True)]]
    return [list(row) for row in zip(*columns, strict=True)]


def _is_of_signs(column: list[str], after: list[str]) -> bool:
    """Whether a column holds signs for the figures after it, and besides them at most words of the heading."""
    others = [pair for pair in zip(column, after, strict=True) if pair[0] and pair[0] not in CURRENCIES]
    signs = sum(cell in CURRENCIES for cell in column)
    return len(others) <= signs and not any(map(FIGURE.fullmatch, (cell for pair in others for cell in pair if cell)))


def _head(bands: list[Cell], cells: list[list[Cell]]) -> int:
    """How many bands at the top are the lines of one heading: close to each other, of words, over other columns too.

    Rows of words, which may stand as close, have a label each.
    """

    def of_words(index: int) -> bool:
        texts = [s.text for cell in cells[index][1:] for row in cell for s in row]
        top, above = bands[index][0][0], bands[index - 1][-1][0]
        close = index == 0 or top.y0 - above.y1 < TIGHT * top.height
        return close and bool(texts) and not any(FIGURE.fullmatch(text) for text in texts)

    lines = sum(1 for _ in takewhile(of_words, range(len(bands))))
    labelled = [bool(row[0]) for row in cells[:lines]]
    if sum(labelled) > 1:  # the last line of the heading has none
        lines = max((n for n in range(1, lines + 1) if not labelled[n - 1]), default=0)
    return lines if 1 < lines < len(bands) and 2 * sum(labelled[:lines]) <= lines else 0


def _text(cell: Cell) -> str:
    return joined_text([line_of(row) for row in cell])


def _columns(rows: list[Row]) -> list[tuple[float, float]]:
    """The x ranges that text stands in. Cells that span columns are set aside, as many as one row in eight has."""
    columns: list[list[float]] = []  # start, end, cells
    spanning = []
    for segment in sorted((s for row in rows for s in row), key=lambda s: s.x1 - s.x0):
        over = [c for c in columns if min(c[1], segment.x1) > max(c[0], segment.x0)]
        if sum(c[2] > 1 for c in over) > 1:
            spanning.append(segment)
        else:
            columns = [c for c in columns if c not in over]
            columns.append(_union(over, segment.x0, segment.x1))
    columns.sort()
    for index in range(len(columns) - 1, 0, -1):
        (_, end, _), (start, _, _) = columns[index - 1 : index + 1]
        if sum(s.x0 < end and s.x1 > start for s in spanning) > len(rows) // 8:
            columns[index - 1 : index + 1] = [_union(columns[index - 1 : index + 1], start, end)]
    return [(start, end) for start, end, _ in columns]


def _union(columns: list[list[float]], x0: float, x1: float) -> list[float]:
    starts, ends = [x0, *(c[0] for c in columns)], [x1, *(c[1] for c in columns)]
    return [min(starts), max(ends), 1 + sum(c[2] for c in columns)]


def _in_columns(band: Cell, columns: list[tuple[float, float]]) -> list[Cell]:
    """The cells of a band; one that spans columns stands in the first of them."""
    cells: list[Cell] = [[] for _ in columns]
    for row in band:
        places: dict[int, Row] = {}
        for segment in row:
            places.setdefault(_column_of(segment, columns), []).append(segment)
        for place, part in places.items():
            cells[place].append(part)
    return cells


def _column_of(segment: Segment, columns: list[tuple[float, float]]) -> int:
    overlaps = [min(segment.x1, end) - max(segment.x0, start) for start, end in columns]
    most = max(overlaps)
    return next(i for i, overlap in enumerate(overlaps) if overlap > 0 or overlap == most)


def _looks_like_table(cells: list[list[str]], gapped: list[Row]) -> bool:
    """Three rows of numbers, or two rows of three columns, or three rows of short texts in at least three columns."""
    if all(not row[-1] or EQUATION_NUMBER.fullmatch(row[-1]) for row in cells):
        return False
    body = [cell for row in cells for cell in row[1:] if cell]
    numbers = sum(bool(NUMBER.fullmatch(cell.strip())) for cell in body) / max(len(body), 1)
    columns = len(cells[0])
    if numbers >= 0.5:
        return len(gapped) >= 3 or (columns >= 3 and len(gapped) >= 2)
    short = median(len(segment.text) for row in gapped for segment in row) <= 16
    return short and columns >= 3 and len(gapped) >= 3
