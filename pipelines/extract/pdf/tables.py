"""Ruled tables: the text in the cells of a grid.

In: a grid and the segments in it. Out: a `Table`, whose rows all have the same number of cells; numbers and signs are
as printed, an empty cell is an empty string, and a merged cell stands at its first place with empty ones after it, so
no column shifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING

from pipelines.extract.pdf.lines import Line, joined_text, line_of, rows_of
from pipelines.extract.pdf.printed import printed_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.extract.pdf.grid import Grid
    from pipelines.extract.pdf.segments import Segment


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
    lines = {cell: _cell_lines(found) for cell, found in inside.items()}
    rows: list[list[str]] = []
    seen: set[int] = set()
    for names in grid.cell.tolist():
        row = [
            [] if name in seen or names.index(name) != column else lines.get(name, [])
            for column, name in enumerate(names)
        ]
        seen.update(names)
        rows += [[joined_text(cell) for cell in printed] for printed in printed_rows(row, float(grid.x[1]))]
    sizes = median(s.size for s in segments)
    box = float(grid.x[0]), float(grid.y[0]), float(grid.x[-1]), float(grid.y[-1])
    return Table(*box, sizes, _without_empty(rows), tuple(grid.x.tolist()))


def _cell_lines(segments: Sequence[Segment]) -> list[Line]:
    """The lines of a cell; a unit set beside the middle of a label of several lines comes after the label."""
    if len(segments) == 1:
        return [line_of(segments)]
    rows = rows_of(segments)
    left, right = _sides(segments)
    if len(rows) > 1 and left and right and len(rows_of(right)) == 1 and len(rows_of(left)) > 1:
        beside = right[0].middle
        if all(abs(s.middle - beside) > 0.25 * s.height for s in left):
            rows = [*rows_of(left), right]
    return [line_of(row) for row in rows]


def _sides(segments: Sequence[Segment]) -> tuple[list[Segment], list[Segment]]:
    """What stands left and right of the widest gap between segments, taking them from left to right."""
    ordered = sorted(segments, key=lambda s: s.x0)
    reach = list(accumulate((s.x1 for s in ordered), max))
    gaps = [b.x0 - end for end, b in zip(reach, ordered[1:], strict=False)]
    if not gaps or max(gaps) <= 0:
        return ordered, []
    cut = gaps.index(max(gaps)) + 1
    return ordered[:cut], ordered[cut:]


def _without_empty(rows: list[list[str]]) -> list[list[str]]:
    """Rows and columns that hold no text are the rules' own doing."""
    rows = [row for row in rows if any(row)]
    used = [any(column) for column in zip(*rows, strict=True)]
    return [[cell for cell, keep in zip(row, used, strict=True) if keep] for row in rows]
