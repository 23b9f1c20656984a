"""The rows of an unruled table: lines beside each other, and the lines of one label.

In: its lines. Out: bands of them, one for each row that a reader sees. "Average monthly revenue per paying /
membership  $ 8.50  $ 8.14" is one row of an annual report, and not a label without figures over another.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

from pipelines.extract.pdf.lines import Row, mid_sentence
from pipelines.extract.pdf.patterns import pattern

Cell = list[Row]  # the lines of a cell, or of a whole row of a table
ITEM_MARK = pattern("item_mark")
OVERLAP = 0.15  # of the height of a row: lines that share more stand beside each other
CLOSE = 0.8  # of the step between rows: lines of one label stand closer
HANG = 2.5  # em: by which the lines of a label may start further in or out


def has_gaps(row: Row) -> bool:
    """Whether a line has several cells; the mark of a list's item is none."""
    return len(row) > 1 and not (len(row) == 2 and ITEM_MARK.fullmatch(row[0].text))


def bands_of(rows: list[Row]) -> list[Cell]:
    """The rows of the table: lines that overlap in height are one, such as a figure beside a label of two lines.

    So are the lines of one label (see `_labels`).
    """
    bands: list[Cell] = []
    bottom = 0.0
    for row, goes_on in zip(rows, _labels(rows), strict=True):
        top, height = min(s.y0 for s in row), max(s.height for s in row)
        if bands and (bottom - top > OVERLAP * height or goes_on):
            bands[-1].append(row)
            bottom = max(bottom, *(s.y1 for s in row))
        else:
            bands.append([row])
            bottom = max(s.y1 for s in row)
    return bands


def _labels(rows: list[Row]) -> list[bool]:
    """Of each line, whether it goes on with the label of the one before.

    One of the two has nothing but that label; they stand closer than rows do, and than the next lines, or the one
    breaks off within a sentence that the other goes on with. The step between rows is the usual one from a line with
    gaps to the next, or to it from the one before: figures may stand beside the first or the last line of a label.
    """
    steps = [b[0].middle - a[0].middle for a, b in pairwise(rows)]
    after = [step for step, row in zip(steps, rows, strict=False) if has_gaps(row)]
    before = [step for step, row in zip(steps, rows[1:], strict=True) if has_gaps(row)]
    close = CLOSE * max(median(found or [0.0]) for found in (after, before))
    goes_on = [False]
    for index, (above, row) in enumerate(pairwise(rows)):
        near = steps[index] < close and steps[index] == min(steps[max(index - 1, 0) : index + 2])
        breaks_off = len(above) == 1 and mid_sentence(above[0].text, row[0].text)
        goes_on.append(_may_be_one_label(above, row) and (breaks_off or (near and len(above) != len(row))))
    return goes_on


def _may_be_one_label(above: Row, row: Row) -> bool:
    beside = abs(row[0].x0 - above[0].x0) < HANG * row[0].size
    return min(len(above), len(row)) == 1 and beside and above[0].text[-1] not in ":："
