"""Tables ruled across only: rules of one width, one under the other, with columns between them.

In: the rulings and glyphs of a stream. Out: `Grid`s, as for tables ruled both ways, and the place of each glyph in
them: the rules part the rows, and where no glyph stands in any row but the head, columns part. Many tables of books,
and of reports typeset from HTML, are such. Their figures may stand less than an em apart, which on a single line
nothing tells from a space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.extract.pdf.grid import Grid
from pipelines.extract.pdf.rungs import RULES, rungs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.extract.pdf.glyphs import Glyphs
    from pipelines.extract.pdf.rulings import Lines, Rulings

LEVEL = 0.3  # em: by which the middles of one line's glyphs may differ
APART = 3.0  # em: lines of a table without a rule between them are no further apart
CLOSE = 1.5  # em: from the first and the last rule to the middle of a row outside
NEAR = 0.45  # em: glyphs no further apart are of one cell
GUTTER = 0.8  # em: between columns
FINE = 0.1  # em: of the raster on which gutters are found
SPANNING = 12  # of so many lines of a table, one may run over a gutter
LINES, WIDE = 4, 12.0  # lines, and em: two such cells side by side are columns of text


@dataclass(frozen=True, slots=True)
class _Runs:
    """Stretches of glyphs that stand next to each other in the content stream; lengths in points."""

    x0: NDArray[np.floating]
    x1: NDArray[np.floating]
    y: NDArray[np.floating]  # of their middle
    figure: NDArray[np.bool_]  # half of it is digits

    def take(self, index: NDArray[np.bool_]) -> _Runs:
        return _Runs(self.x0[index], self.x1[index], self.y[index], self.figure[index])


def ladders(glyphs: Glyphs, rulings: Rulings, height: float) -> list[tuple[Grid, NDArray[np.int32]]]:
    """The tables in `glyphs` that are ruled across only, with each glyph's cell; `height` of the page in points."""
    em = float(np.median(glyphs.size)) if len(glyphs) else 0.0
    groups = list(rungs(rulings, em, height)) if em else []
    if not groups:
        return []
    starts = _starts(glyphs)
    runs = _runs(glyphs, starts)
    lengths = np.diff(starts, append=len(glyphs))
    parts = (part for rules in groups for part in _without_text(runs, rules, em))
    found = [grid for rules in parts if (grid := _grid(runs, rules, em)) is not None]
    return [(grid, grid.at(runs.x0 + NEAR * em, runs.y).repeat(lengths)) for grid in found]


def _without_text(runs: _Runs, rules: Lines, em: float) -> Iterator[Lines]:
    """Rules parted where two stand around text: a line without columns over half of their length, or an empty line."""
    y, left, right = rules[:, 0], rules[0, 1] - em, rules[0, 2] + em
    within = runs.take((runs.x0 > left) & (runs.x1 < right) & (runs.y > y[0]) & (runs.y < y[-1]))
    heights = _distinct(within.y, em)
    line = np.searchsorted(heights - em / 4, within.y) - 1
    solid = [_is_solid(within.take(line == n), left, right, em) for n in range(len(heights))]
    after = np.flatnonzero(np.diff(heights) > APART * em)
    cuts = [
        *np.searchsorted(y, heights[solid]),
        *(n for n in np.searchsorted(y, heights[after]) if n in np.searchsorted(y, heights[after + 1])),
    ]
    yield from (part for part in np.split(rules, np.unique(cuts)) if len(part) >= RULES)


def _is_solid(line: _Runs, left: float, right: float, em: float) -> bool:
    """Whether a line starts at the left, has no gap wider than a full-width space, and is long."""
    order = np.argsort(line.x0)
    gaps = line.x0[order][1:] - line.x1[order][:-1]
    start, end = float(line.x0.min()), float(line.x1.max())
    return start < left + 4 * em and end - start > (right - left) / 2 and not (gaps > 1.3 * em).any()


def _starts(glyphs: Glyphs) -> NDArray[np.intp]:
    """Where the runs start."""
    em = np.maximum(glyphs.size[1:], glyphs.size[:-1])
    gap = glyphs.x0[1:] - glyphs.x1[:-1]
    level = abs(glyphs.y0[1:] + glyphs.y1[1:] - glyphs.y0[:-1] - glyphs.y1[:-1]) < em
    return np.append(0, np.flatnonzero(~(level & (gap > -0.6 * em) & (gap < NEAR * em))) + 1)


def _runs(glyphs: Glyphs, starts: NDArray[np.intp]) -> _Runs:
    digit = (glyphs.code >= 0x30) & (glyphs.code <= 0x39)
    return _Runs(
        np.minimum.reduceat(glyphs.x0, starts),
        np.maximum.reduceat(glyphs.x1, starts),
        ((glyphs.y0 + glyphs.y1) / 2)[starts],
        2 * np.add.reduceat(digit.astype(np.intp), starts) >= np.diff(starts, append=len(glyphs)),
    )


def _grid(runs: _Runs, rules: Lines, em: float) -> Grid | None:
    """The grid between rules of one width, or None where what stands there has no columns, or columns of text."""
    left, right = float(rules[:, 1].min()), float(rules[:, 2].max())
    y = rules[:, 0]
    middle = (runs.x0 + runs.x1) / 2
    across = (middle > left) & (middle < right)
    between = (runs.y > y[0]) & (runs.y < y[-1])
    inside = runs.take(across & between)
    if not len(inside.x0) or _goes_on_beside(inside, runs.take(between & ~across), em):
        return None
    band = np.searchsorted(y, inside.y)
    head = band == band.min()
    gutters = _gutters(inside if head.all() else inside.take(~head), left, right, em)
    x = np.array([left, *gutters, right], np.float32)
    if len(x) < 3:
        return None
    y = _with_open_ends(runs.take(across), x, y, em)
    inside = runs.take(across & (runs.y > y[0]) & (runs.y < y[-1]))
    bands = list(_cells(inside, x, y, em))
    parted = None if _is_text(bands, em) else _between_lines(bands, em)
    if parted is None:
        return None
    y = np.sort(np.concatenate([y, *parted]))
    return Grid(x, y, np.arange((len(y) - 1) * (len(x) - 1), dtype=np.int32).reshape(len(y) - 1, -1))


def _with_open_ends(runs: _Runs, x: NDArray[np.floating], y: NDArray[np.floating], em: float) -> NDArray[np.floating]:
    """The heights of rules with those of the line above the first and below the last, where it is a row too."""

    def row_at(near: NDArray[np.bool_]) -> NDArray[np.floating]:
        line = runs.take(near)
        columns = np.searchsorted(x, line.x0 + NEAR * em)
        level = len(line.y) > 1 and float(np.ptp(line.y)) < LEVEL * em
        fits = (np.searchsorted(x, line.x1 - NEAR * em) == columns).all()
        return line.y[:1] if level and fits and len(np.unique(columns)) == len(columns) else line.y[:0]

    above = row_at((runs.y < y[0]) & (runs.y > y[0] - CLOSE * em)) - em
    below = row_at((runs.y > y[-1]) & (runs.y < y[-1] + CLOSE * em)) + em
    return np.concatenate([above, y, below]).astype(np.float32)


def _goes_on_beside(runs: _Runs, outside: _Runs, em: float) -> bool:
    """Whether the lines between the rules go on outside: rules under the figures of a statement alone."""
    heights = _distinct(runs.y, em)
    apart = abs(heights[:, None] - outside.y[None]).min(axis=1, initial=em)
    return bool((apart < LEVEL * em).mean() >= 0.5)


def _gutters(runs: _Runs, left: float, right: float, em: float) -> list[float]:
    """The middles of the strips that hardly any line crosses, within the text; lines of few runs have no say."""
    heights = _distinct(runs.y, em)
    line = np.searchsorted(heights - em / 4, runs.y) - 1
    counts = np.bincount(line, minlength=len(heights))
    runs = runs.take(counts[line] >= counts.max() / 2)
    cell, half = FINE * em, NEAR / 2 * em
    size = int((right - left) / cell) + 2
    start = np.clip(((runs.x0 - half - left) / cell).astype(int), 0, size - 1)
    end = np.clip(((runs.x1 + half - left) / cell).astype(int) + 1, 0, size - 1)
    covered = np.cumsum(np.bincount(start, minlength=size) - np.bincount(end, minlength=size))
    free = covered <= len(heights) // SPANNING
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(int))).reshape(-1, 2)
    least = (GUTTER if len(heights) >= LINES else 2 * GUTTER) - NEAR
    inner = (edges[:, 0] > start.min()) & (edges[:, 1] < end.max()) & ((edges[:, 1] - edges[:, 0]) * FINE > least)
    gutters: list[float] = (left + edges[inner].mean(axis=1) * cell).tolist()
    return gutters


def _distinct(y: NDArray[np.floating], em: float) -> NDArray[np.floating]:
    """The heights of lines: values no nearer to each other than half an em."""
    ordered = np.sort(y)
    return ordered[np.diff(ordered, prepend=-np.inf) > em / 2]


def _cells(runs: _Runs, x: NDArray[np.floating], y: NDArray[np.floating], em: float) -> Iterator[list[_Runs]]:
    """The runs in each band, by columns."""
    band, column = np.searchsorted(y, runs.y) - 1, np.searchsorted(x, runs.x0 + NEAR * em) - 1
    for row in range(len(y) - 1):
        yield [runs.take((band == row) & (column == c)) for c in range(len(x) - 1)]


def _is_text(bands: list[list[_Runs]], em: float) -> bool:
    """Whether half of the bands hold two cells or more that are columns of running text."""

    def runs_on(cell: _Runs) -> bool:
        return len(_distinct(cell.y, em)) >= LINES and bool(np.median(cell.x1 - cell.x0) > WIDE * em)

    return 2 * sum(sum(map(runs_on, cells)) > 1 for cells in bands) >= len(bands)


def _between_lines(bands: list[list[_Runs]], em: float) -> list[NDArray[np.floating]] | None:
    """Where rows part within each band: between lines, if almost each starts in the first column and does not wrap.

    None where a band of many lines has no rows at all: the listing of a program, under its name.
    """
    result: list[NDArray[np.floating]] = []
    for labels, *others in bands:
        lines, beside = _distinct(labels.y, em), np.concatenate([cell.y for cell in others])
        heights = _distinct(np.concatenate([labels.y, beside]), em)
        if len(lines) < LINES:
            continue
        wraps = (labels.x1 > labels.x1.max() - em).mean() >= 0.6 and labels.x1.max() - labels.x0.min() > WIDE * em
        if not wraps and min(len(lines), len(_distinct(beside, em))) >= 0.8 * len(heights):
            result.append((heights[1:] + heights[:-1]) / 2)
        elif not wraps and not np.concatenate([[False], *(cell.figure for cell in others)]).mean() >= 0.4:
            return None
    return result
