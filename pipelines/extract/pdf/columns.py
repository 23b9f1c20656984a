"""Columns and reading order: the regions of a page in which one line simply follows the other.

In: boxes of text (and of tables). Out: `Region`s in reading order. A gutter is a strip that no text crosses for at
least three lines of real text on both sides; what crosses it (a heading, a figure, a footnote) ends it. So a page is
cut into what stands above, the left side, the right side and what stands below, and each of these again. Unlike an
XY-cut this finds columns under a heading that spans them, and columns whose lines stand at the same heights.

The page is a raster of half an em for this: 120 x 170 cells, which numpy scans at once (0.1 ms).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


LINES = 3  # of text, on each side of a gutter
WIDE = 9.0  # em: the median width of a column's lines, so that the columns of an unruled table are no columns of text
FULL_WIDE, FULL = 5.0, 0.6  # narrower ones count where this share of their lines reaches the same edge
FINE = 0.5  # em: of the raster
LARGER = 1.2  # times the height of the lines: a heading


class Box(Protocol):
    """Anything that takes up room on a page: its sides in points, and the size of its type."""

    x0: float
    y0: float
    x1: float
    y1: float
    size: float


BoxType = TypeVar("BoxType", bound=Box)


@dataclass(frozen=True, slots=True)
class Region(Generic[BoxType]):
    """Boxes that read from top to bottom between two edges, in points."""

    x0: float
    x1: float
    boxes: list[BoxType]


def regions(boxes: Sequence[BoxType]) -> list[Region[BoxType]]:
    """The regions of a page in reading order."""
    if not boxes:
        return []
    return _regions(list(boxes), min(b.x0 for b in boxes), max(b.x1 for b in boxes))


def _regions(boxes: list[BoxType], x0: float, x1: float, *, wider_follows: bool = False) -> list[Region[BoxType]]:
    gutter = _gutter(boxes, wider_follows=wider_follows) if len(boxes) >= 2 * LINES else None
    if gutter is None:
        return [Region(x0, x1, boxes)] if boxes else []
    x, top, bottom = gutter
    middle = [(b, (b.y0 + b.y1) / 2) for b in boxes]
    above = [b for b, y in middle if y < top]
    below = [b for b, y in middle if y > bottom]
    left = [b for b, y in middle if top <= y <= bottom and (b.x0 + b.x1) / 2 < x]
    right = [b for b, y in middle if top <= y <= bottom and (b.x0 + b.x1) / 2 >= x]
    sides = _regions(left, min(b.x0 for b in left), max(b.x1 for b in left)) + _regions(
        right, min(b.x0 for b in right), max(b.x1 for b in right)
    )
    return _regions(above, x0, x1, wider_follows=True) + sides + _regions(below, x0, x1, wider_follows=wider_follows)


def _gutter(boxes: list[BoxType], *, wider_follows: bool) -> tuple[float, float, float] | None:
    """The x of the best gutter and the y range that it runs through, or None."""
    em = median(b.size for b in boxes)
    if not _may_have_columns(boxes, em):
        return None
    edges = np.array([(b.x0, b.y0, b.x1, b.y1) for b in boxes])
    cell = max(FINE * em, 1.0)
    low = edges.min(axis=0)
    found = []
    for column, first, last in _free_strips(edges, cell):
        x, bottom = float(low[0] + (column + 0.5) * cell), float(low[1] + last * cell)
        inner = wider_follows or edges[:, 1].max() > bottom
        top, bottom, left, right = _sides(edges, x, float(low[1] + first * cell), bottom, inner=inner)
        if len(left) and len(right):
            found.append((min(len(left), len(right)), last - first, x, top, bottom, left, right))
    for _, _, x, top, bottom, left, right in sorted(found, key=lambda strip: (-strip[0], -strip[1])):
        if _are_columns(left, right, em):
            return x, top, bottom
    return None


def _sides(
    edges: NDArray[np.float64], x: float, top: float, bottom: float, *, inner: bool
) -> tuple[float, float, NDArray[np.float64], NDArray[np.float64]]:
    """What stands left and right of a strip, and its y range without what belongs to the text above and below it.

    That is a few lines above the first right one, and a heading under both sides where wider text follows (`inner`).
    """
    middle = (edges[:, :2] + edges[:, 2:]) / 2
    within = (middle[:, 1] >= top) & (middle[:, 1] <= bottom)
    left, right = edges[within & (middle[:, 0] < x)], edges[within & (middle[:, 0] >= x)]
    if not len(left) or not len(right):
        return top, bottom, left, right
    early = left[:, 3] <= right[:, 1].min()
    if 0 < early.sum() < min(2 * LINES, len(left)):
        top, left = float(left[early, 3].max()), left[~early]
    height = left[:, 3] - left[:, 1]
    headings = (left[:, 1] >= right[:, 3].max()) & (height > LARGER * np.median(height))
    if inner and headings.any():
        bottom = float(left[headings, 1].min())
        left = left[left[:, 1] < bottom]
    return top, bottom, left, right


def _are_columns(left: NDArray[np.float64], right: NDArray[np.float64], em: float) -> bool:
    """Whether two sides are columns of text; of the last column of a text there may be but a line."""
    few, many = sorted((left, right), key=len)
    if len(few) < LINES:
        return _is_justified(many, em) and bool(abs(few[:, 1].min() - many[:, 1].min()) < em)
    return (_is_text(left, em) and _is_text(right, em)) or _is_justified(left, em) or _is_justified(right, em)


def _may_have_columns(boxes: list[BoxType], em: float) -> bool:
    """Whether some boxes end left of where some others start, one of the sides wide; most pages have no such boxes."""
    wide = [box for box in boxes if box.x1 - box.x0 > FULL_WIDE * em]
    if len(wide) < LINES:
        return False
    ends, starts = sorted(b.x1 for b in boxes), sorted(b.x0 for b in boxes)
    return sorted(b.x1 for b in wide)[1] < starts[-1] or ends[LINES - 1] < sorted(b.x0 for b in wide)[-2]


def _is_text(edges: NDArray[np.float64], em: float) -> bool:
    """Whether boxes are lines of a column of text: enough of them, and wide, or of one width."""
    width = np.median(edges[:, 2] - edges[:, 0])
    full = (edges[:, 2] > edges[:, 2].max() - 1.5 * em).mean()
    return bool(width > WIDE * em or (width > FULL_WIDE * em and full >= FULL and len(edges) > LINES))


def _is_justified(edges: NDArray[np.float64], em: float) -> bool:
    """Whether boxes are plainly a column of running text, so that what stands beside it is none of it: a sidebar."""
    wide = np.median(edges[:, 2] - edges[:, 0]) > 1.5 * WIDE * em
    return bool(wide and len(edges) > 2 * LINES and (edges[:, 2] > edges[:, 2].max() - 0.5 * em).mean() > FULL)


def _free_strips(edges: NDArray[np.float64], cell: float) -> list[tuple[int, int, int]]:
    """(column, first row, last row) of the longest free run of each raster column; neighbours with one run are one."""
    low = edges.min(axis=0)
    at = (edges - low[[0, 1, 0, 1]]) / cell
    covered = _painted(np.round(at).astype(np.intp))
    rows = np.arange(len(covered), dtype=np.int16)[:, None]
    length = rows - np.maximum.accumulate(np.where(covered, rows, np.int16(-1)), axis=0)
    end = length.argmax(axis=0)
    best = length[end, np.arange(length.shape[1])]
    free = list(zip((end - best + 1).tolist(), (end + 1).tolist(), strict=True))
    strips = [[column for column, _ in group] for _, group in groupby(enumerate(free), key=lambda strip: strip[1])]
    return [(s[len(s) // 2], *free[s[0]]) for s in strips if free[s[0]][1] - free[s[0]][0] > 2]


def _painted(boxes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """A raster with every cell set that a box (x0, y0, x1, y1) covers, one at least."""
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    width, height = boxes[:, 2:].max(axis=0).tolist()
    covered = np.zeros((height + 1, width + 1), np.bool_)
    for x0, y0, x1, y1 in boxes.tolist():
        covered[y0:y1, x0:x1] = True
    return covered
