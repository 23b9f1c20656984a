"""One page: glyphs and rulings in, lines and tables in reading order out.

Out: a `Page`. Nothing of PDFium is kept, so a 900-page book needs the memory of its text alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.extract.pdf.characters import undecodable
from pipelines.extract.pdf.columns import regions
from pipelines.extract.pdf.flow import Stream, streams
from pipelines.extract.pdf.gaps import with_gap_tables
from pipelines.extract.pdf.glyphs import read_glyphs
from pipelines.extract.pdf.grid import cells_of, grids
from pipelines.extract.pdf.ladders import ladders
from pipelines.extract.pdf.lines import Line, Row, rows_of
from pipelines.extract.pdf.ruby import without_ruby
from pipelines.extract.pdf.rulings import read_rulings
from pipelines.extract.pdf.segments import Segment, chains, joined
from pipelines.extract.pdf.tables import Table, ruled_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pypdfium2 import PdfPage


@dataclass(frozen=True, slots=True)
class Column:
    """Lines and tables that read from top to bottom between two edges, in points."""

    x0: float
    x1: float
    items: list[Line | Table]


@dataclass(frozen=True, slots=True)
class Page:
    """What stands on one page, in reading order."""

    number: int  # from 1
    width: float  # of the frame that its columns are measured in, points
    height: float
    columns: list[Column]
    glyphs: int
    undecodable: int  # glyphs without a meaning: no mapping, U+FFFD, private use


def read_page(page: PdfPage, number: int, *, keep_ruby: bool) -> Page:
    """Read one page; the caller closes it."""
    left, bottom, right, top = frame = page.get_bbox()
    glyphs, rulings = read_glyphs(page, frame), read_rulings(page, frame)
    parts = streams(glyphs, rulings, right - left, top - bottom)
    columns = [column for part in parts for column in _columns(part, keep_ruby=keep_ruby)]
    return Page(number, parts[0].width, parts[0].height, columns, len(glyphs), int(undecodable(glyphs.code).sum()))


def _columns(stream: Stream, *, keep_ruby: bool) -> list[Column]:
    across = ladders(stream.glyphs, stream.rulings, stream.height)
    found, cells = cells_of([*grids(stream.glyphs, stream.rulings), *across], len(stream.glyphs))
    segments = joined(without_ruby(chains(stream.glyphs, cells), keep=keep_ruby))
    tables = []
    for grid in found:
        names = set(grid.cell.ravel().tolist())
        tables.append(ruled_table(grid, [s for s in segments if s.cell in names]))
    boxes: list[Segment | Table] = [s for s in segments if s.cell < 0]
    boxes += [table for table in tables if table.rows]
    return [Column(r.x0, r.x1, with_gap_tables(_rows(r.boxes))) for r in regions(boxes)]


def _rows(boxes: Sequence[Segment | Table]) -> list[Row | Table]:
    """Segments as rows, tables where they stand among them; tables side by side from left to right."""
    tables = [box for box in boxes if isinstance(box, Table)]
    rows: list[Row | Table] = [*rows_of(box for box in boxes if isinstance(box, Segment)), *tables]
    if not tables:
        return rows
    em = min(box.size for box in boxes)

    def place(row: Row | Table) -> tuple[int, float]:
        first = row if isinstance(row, Table) else row[0]
        return round(first.y0 / em), first.x0

    return sorted(rows, key=place)
