"""Paragraphs: lines that read on, joined within a column.

In: a column of a page. Out: its `Paragraph`s and `Table`s in reading order.

Every extractor measured ends a paragraph at every line end, so 2-14 % of the Japanese paragraphs of a report come out
whole. Whether a line reads on is a question of room: where the first word of the next line would still have fitted at
the end of this one, the author ended the line; where it would not, the typesetter did. Indents, sizes, gaps and item
marks then say where a new paragraph starts although the line before was full.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from pipelines.extract.pdf.characters import is_cjk_char
from pipelines.extract.pdf.lines import Line, join, mid_sentence
from pipelines.extract.pdf.patterns import pattern
from pipelines.extract.pdf.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.extract.pdf.pages import Column

INDENT = 0.7  # em: a line that starts so much further in or out starts there on purpose
HANG = 8.0  # em: the text of an item may start so far right of its mark, as in "（注１） "
SLACK = 1.1  # em: a line that ends within this (and the next word) of the edge is full; hanging marks need one em
GAP = 0.45  # em more than the usual gap between lines is a gap between paragraphs
WIDEST_GAP = 1.3  # em: lines further apart than in double spacing are no paragraph
FEW, WIDE_GAP = 3, 0.8  # where so few gaps tell of the spacing, it is taken to be that of Japanese books at most (em)
SIZES = 1.12  # ratio of sizes within a paragraph
TOP = float("inf")  # the gap above the first line of a column
SMALL = 0.92  # of the size of a page's text: footnotes
ITEM_START, ENTRY_END, IN_TEXT = pattern("item_start"), pattern("entry_end"), pattern("item_mark_in_text")


@dataclass(slots=True)
class Paragraph:
    """A paragraph; `size` and `weight` are those of its first line, lengths in points."""

    text: str
    page: int
    size: float
    weight: float
    lines: int
    x0: float
    first_word: float  # in points, as `Line.first_word`
    gap: float  # above it, in points; TOP at the top of a column


def has_ended(text: str, more: str) -> bool:
    """Whether a text ends with its sentence; a Latin full stop before an ideograph may be one in a number."""
    return text[-1] in "。！？" or (text[-1] in ".．!?" and not is_cjk_char(more[0]))


def blocks(column: Column, page: int) -> Iterator[tuple[Paragraph | Table, Line | None]]:
    """The paragraphs and tables of one column, each paragraph with its last line."""
    lines: list[Line] = []
    for item in column.items:
        if isinstance(item, Table):
            yield from _paragraphs(lines, column, page)
            yield item, None
            lines = []
        else:
            lines.append(item)
    yield from _paragraphs(lines, column, page)


def _paragraphs(lines: Sequence[Line], column: Column, page: int) -> Iterator[tuple[Paragraph, Line]]:
    if not lines:
        return
    usual = _usual_gap(lines)
    edges = _right_edges(lines, column, usual)
    text, first, start, above = lines[0].text, lines[0], 0, TOP

    def paragraph(end: int) -> Paragraph:
        return Paragraph(text, page, first.size, first.weight, end - start, first.x0, first.first_word, above)

    for index in range(1, len(lines)):
        line, before = lines[index], lines[index - 1]
        if _continues(lines, index, start, column, edges[index - 1], usual):
            text = join(text, line.text)
            continue
        yield paragraph(index), before
        text, first, start, above = line.text, line, index, line.y0 - before.y1
    yield paragraph(len(lines)), lines[-1]


def _usual_gap(lines: Sequence[Line]) -> float:
    """The usual gap between lines in points, those of two em and more left out."""
    gaps = [b.y0 - a.y1 for a, b in pairwise(lines) if b.y0 - a.y1 < 2 * b.size]
    widest = WIDEST_GAP if len(gaps) > FEW else WIDE_GAP
    return min(median(gaps), widest * lines[0].size) if gaps else 0.0


def _right_edges(lines: Sequence[Line], column: Column, usual: float) -> list[float]:
    """Where each line would be full: at the column's edge, or at that of an inset block (an abstract, a quotation).

    Such a block is at least 15 em wide, and three of its lines end at one place, or most of six Latin ones nearly so.
    """
    edges: list[float] = []
    for group in _groups(lines, usual):
        em, end = group[0].size, max(line.x1 for line in group)
        inset = column.x1 - end > SLACK * em and end - min(line.x0 for line in group) > 15 * em
        flush = sum(end - line.x1 < 0.3 * em for line in group)
        ragged = sum(end - line.x1 < 5 * em and not is_cjk_char(line.text[-1]) for line in group)
        is_block = inset and (flush >= 3 or (len(group) >= 6 and ragged > 0.6 * len(group)))
        edges += [end if is_block else column.x1] * len(group)
    return edges


def _groups(lines: Sequence[Line], usual: float) -> Iterator[list[Line]]:
    """Lines that follow each other without a gap or a change of size."""
    group: list[Line] = []
    for line in lines:
        if group and not _is_near(group[-1], line, usual):
            yield group
            group = []
        group.append(line)
    yield group


def _is_near(before: Line, line: Line, usual: float) -> bool:
    alike = 1 / SIZES < line.size / before.size < SIZES
    return alike and line.y0 - before.y1 <= usual + GAP * max(line.size, before.size)


def _continues(lines: Sequence[Line], index: int, start: int, column: Column, edge: float, usual: float) -> bool:
    """Whether line `index` reads on from the one before, in the paragraph that starts at line `start`."""
    line, before, first = lines[index], lines[index - 1], lines[start]
    em = max(line.size, before.size)
    if not _is_near(before, line, usual) or ENTRY_END.search(before.text):
        return False
    if edge - before.x1 > line.first_word + SLACK * em and not mid_sentence(before.text, line.text):
        return False
    if ITEM_START.match(line.text) and not _stands_in_text(first, before, line):
        return False
    step = line.x0 - before.x0
    if step > INDENT * em:  # further in: only where the first line of an item stands out
        after = lines[index + 1] if index + 1 < len(lines) else None
        hangs = after is None or after.x0 > line.x0 - INDENT * em or not _is_near(line, after, usual)
        return index - 1 == start and step < HANG * em and (hangs or bool(ITEM_START.match(first.text)))
    if step < -INDENT * em:  # further out: only after the indented first line
        return index - 1 == start and step > -5 * em
    ended = before.text[-1] in "。」』）" and is_cjk_char(before.text[-1])
    alone = index - 1 == start and first.x0 > column.x0 + INDENT * em
    return not (ended and alone)


def _stands_in_text(first: Line, before: Line, line: Line) -> bool:
    """Whether the mark that `line` starts with is but part of the sentence that `before`, a full line, breaks off."""
    if not IN_TEXT.match(line.text) or ITEM_START.match(first.text) or before.text[-1] in ":：":
        return False
    return line.x0 - before.x0 < INDENT * line.size and not has_ended(before.text, line.text)
