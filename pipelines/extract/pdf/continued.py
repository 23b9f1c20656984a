"""Paragraphs across columns, pages and what floats in the text.

In: pages without their running heads. Out: `Paragraph`s and `Table`s, each with its page, in reading order. A paragraph
that runs over a page belongs to where it starts. Footnotes, and tables and small type that it goes on behind, follow
it; a footnote goes on in those of the next page.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from pipelines.extract.pdf.lines import Line, join, mid_sentence
from pipelines.extract.pdf.paragraphs import (
    GAP,
    HANG,
    IN_TEXT,
    INDENT,
    ITEM_START,
    SIZES,
    SLACK,
    TOP,
    Paragraph,
    blocks,
    has_ended,
)
from pipelines.extract.pdf.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipelines.extract.pdf.pages import Column, Page

Placed = tuple[int, Paragraph | Table]  # with its page
Found = tuple[Paragraph | Table, Line | None, "Column"]  # with its last line, if it is a paragraph, and where
SMALL = 0.92  # of the size of a page's text: footnotes, and captions of floats


def paragraphs(pages: Iterable[Page]) -> Iterator[Placed]:
    """(page, paragraph or table) in reading order."""
    text = _Text()
    for page in pages:
        body, footnotes = _without_footnotes(page.columns)
        notes: list[Found] = [(*found, column) for column in footnotes for found in blocks(column, page.number)]
        notes = notes[text.goes_on_in_notes(notes) :]
        for column in (_tightened(c, body) for c in body):
            for found in blocks(column, page.number):
                yield from text.add((*found, column), page.number)
        text.add_notes(notes, page.number)
    yield from text.end()


@dataclass(slots=True)
class _End:
    """Where a paragraph that may go on ends so far."""

    paragraph: Paragraph
    line: Line
    column: Column


@dataclass(slots=True)
class _Text:
    """What has been read and not given yet: a paragraph that may go on, and what follows it."""

    unfinished: _End | None = None
    floats: bool = False  # something stands between the paragraph and what comes next
    note: _End | None = None  # the last footnote
    aside: list[Placed] = field(default_factory=list)

    def add(self, found: Found, page: int) -> Iterator[Placed]:
        """Take the next block, and give what is finished by that."""
        (block, line, column), last = found, self.unfinished
        if last and _may_stand_within(block, last):
            self.aside.append((page, block))
            self.floats = True
        elif last and isinstance(block, Paragraph) and line and _runs_on(last, block, column, floats=self.floats):
            _go_on(last, block, line, column)
        else:
            yield from self.end()
            if isinstance(block, Paragraph) and line:
                self.unfinished = _End(block, line, column)
            else:
                yield page, block

    def end(self) -> Iterator[Placed]:
        """Give the unfinished paragraph and what follows it."""
        if self.unfinished:
            yield self.unfinished.paragraph.page, self.unfinished.paragraph
        yield from self.aside
        self.unfinished, self.floats, self.note, self.aside = None, False, None, []

    def goes_on_in_notes(self, notes: Sequence[Found]) -> bool:
        """Whether the last footnote, of several lines, goes on in the first of the next page; it then has that too."""
        if not self.note or self.note.paragraph.lines < 2 or not notes:
            return False
        block, line, column = notes[0]
        if not isinstance(block, Paragraph) or not line or not _runs_on(self.note, block, column, floats=False):
            return False
        _go_on(self.note, block, line, column)
        return True

    def add_notes(self, notes: Sequence[Found], page: int) -> None:
        """Take the footnotes of a page."""
        for block, line, column in notes:
            self.aside.append((page, block))
            self.note = _End(block, line, column) if isinstance(block, Paragraph) and line else None


def _go_on(end: _End, block: Paragraph, line: Line, column: Column) -> None:
    end.paragraph.text = join(end.paragraph.text, block.text)
    end.paragraph.lines += block.lines
    end.line, end.column = line, column


def _may_stand_within(block: Paragraph | Table, end: _End) -> bool:
    """Whether a block may be a float in a text of several lines whose last one so far is full, and ends no sentence."""
    small = isinstance(block, Table) or block.size < SMALL * end.paragraph.size
    full = end.column.x1 - end.line.x1 < SLACK * end.line.size
    return small and end.paragraph.lines > 2 and full and not has_ended(end.line.text, "あ")


def _runs_on(end: _End, block: Paragraph, column: Column, *, floats: bool) -> bool:
    """Whether the first block of a column, or of what follows `floats`, goes on with the last line of text before.

    After a full stop only where the column indents its paragraphs and this block is not indented.
    """
    line, before = end.line, end.column
    em = max(line.size, block.size)
    if (block.gap != TOP and not floats) or not 1 / SIZES < block.size / line.size < SIZES:
        return False
    full = before.x1 - line.x1 < block.first_word + SLACK * em or mid_sentence(line.text, block.text)
    indent, hang = block.x0 - column.x0, line.x0 - before.x0
    item = ITEM_START.match(end.paragraph.text)
    hangs = abs(indent - hang) < INDENT * em if end.paragraph.lines > 1 else bool(item) and indent < HANG * em
    ended = has_ended(line.text, block.text)
    starts = bool(ITEM_START.match(block.text)) and (ended or bool(item) or not IN_TEXT.match(block.text))
    starts |= indent > INDENT * em and not hangs
    return full and not starts and (not ended or (_indents(column, em) and not floats))


def _indents(column: Column, em: float) -> bool:
    """Whether some line of a column is indented by about one em, as the first lines of its paragraphs are."""
    return any(isinstance(i, Line) and INDENT * em < i.x0 - column.x0 < 2.5 * em for i in column.items)


def _without_footnotes(columns: Sequence[Column]) -> tuple[list[Column], list[Column]]:
    """The columns of a page less the small lines that end them, and columns of those lines."""
    lengths = Counter[float]()
    for line in (i for c in columns for i in c.items if isinstance(i, Line)):
        lengths[round(line.size, 1)] += len(line.text)
    if len(lengths) < 2:
        return list(columns), []
    small = SMALL * lengths.most_common(1)[0][0]
    texts = [i for c in columns for i in c.items if not (isinstance(i, Line) and i.size < small)]
    body, notes = [], []
    for column in columns:
        last = sum(1 for _ in takewhile(lambda i: isinstance(i, Line) and i.size < small, reversed(column.items)))
        first = len(column.items) - last
        if last and first and _is_foot(column.items[first - 1], column.items[first], texts):
            body.append(replace(column, items=column.items[:first]))
            notes.append(replace(column, items=column.items[first:]))
        else:
            body.append(column)
    return body, notes


def _is_foot(above: Line | Table, note: Line | Table, texts: Sequence[Line | Table]) -> bool:
    """Whether there is room for a rule between the text and its notes, and no text below them."""
    apart = isinstance(above, Line) and note.y0 - above.y1 > GAP * note.size
    return apart and not any(t.y0 > note.y0 and t.x0 < note.x1 and t.x1 > note.x0 for t in texts)


def _tightened(column: Column, columns: Sequence[Column]) -> Column:
    """`column` between the edges of the lines on its page that lie within its old ones.

    A running head or a table may have been wider than the text. The right edge is the outermost that two lines reach.
    """
    within = [i for c in columns for i in c.items if i.x0 >= column.x0 - 1 and i.x1 <= column.x1 + 1]
    lines = [i for i in within if isinstance(i, Line)]
    if not lines:
        return column
    ends = sorted((line.x1 for line in lines), reverse=True)
    slack = SLACK * max(line.size for line in lines)
    x1 = next((a for a, b in pairwise(ends) if a - b < slack), ends[0])
    return replace(column, x0=min(line.x0 for line in lines), x1=x1)
