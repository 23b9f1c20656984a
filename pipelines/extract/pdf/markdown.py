"""Markdown: paragraphs and tables as one text, headings by size and weight.

In: paragraphs and tables with their pages. Out: the text of a document, blocks parted by an empty line, and for each
page and each heading the number of the line that it starts on: what a paragraph's page and section are told by.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.extract.pdf.paragraphs import Paragraph
from pipelines.extract.pdf.patterns import pattern
from pipelines.extract.pdf.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LARGER = 1.15  # times the size of the body: a heading
BOLD, BOLDER = 550, 100  # a weight that is bold, and by how much more than the body's
LONGEST = 90  # characters of a heading
LEVELS = 5
FIGURE = pattern("figure")
Block = tuple[int, Paragraph | Table]


@dataclass(frozen=True, slots=True)
class Text:
    """A document's text and title; the line (from 0) that each page's first block starts on, by page; its headings."""

    text: str
    title: str
    page_lines: dict[int, int]
    headings: list[tuple[int, int, str]]  # line, level, text


def markdown(blocks: Iterable[Block]) -> Text:
    """The blocks of a document as Markdown."""
    found = list(_with_whole_tables(blocks))
    levels = _Levels([block for _, block in found if isinstance(block, Paragraph)])
    parts: list[str] = []
    page_lines: dict[int, int] = {}
    headings: list[tuple[int, int, str]] = []
    line = 0
    for page, block in found:
        if isinstance(block, str):
            part = block
        else:
            level = levels.of(block)
            part = f"{'#' * level} {block.text}" if level else block.text
            if level:
                headings.append((line, level, block.text))
        page_lines.setdefault(page, line)
        parts.append(part)
        line += part.count("\n") + 2
    return Text("\n\n".join(parts), headings[0][2] if headings else "", page_lines, headings)


def table_markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table as GitHub Markdown; the first row is its head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _with_whole_tables(blocks: Iterable[Block]) -> Iterator[tuple[int, Paragraph | str]]:
    """`blocks` with their tables as text, one that goes on over a page as one: the next's first, with its columns."""
    table: tuple[int, Table] | None = None
    for page, block in blocks:
        if table and isinstance(block, Table) and page > table[0] and _same_columns(table[1], block):
            table[1].rows += block.rows[1:] if block.rows[0] == table[1].rows[0] else block.rows
            continue
        if table:
            yield table[0], table_markdown(table[1].rows)
        table = (page, block) if isinstance(block, Table) else None
        if isinstance(block, Paragraph):
            yield page, block
    if table:
        yield table[0], table_markdown(table[1].rows)


def _same_columns(a: Table, b: Table) -> bool:
    """Whether `b` has the columns of `a`; those of unruled tables vary, so there its first row must be no head."""
    if len(a.edges) != len(b.edges) or len(a.rows[0]) != len(b.rows[0]):
        return False
    if all(abs(x - y) < a.size for x, y in zip(a.edges, b.edges, strict=True)):
        return True
    as_wide = abs(a.x0 - b.x0) < 2 * a.size and abs(a.x1 - b.x1) < 2 * a.size
    return as_wide and any(FIGURE.fullmatch(cell) for cell in b.rows[0][1:])


class _Levels:
    """Heading levels of a document: sizes above the body's, largest first, then bold lines of the body's size."""

    def __init__(self, texts: Sequence[Paragraph]) -> None:
        sizes, weights = Counter[float](), Counter[float]()
        for block in texts:
            sizes[round(block.size, 1)] += len(block.text)
            weights[block.weight] += len(block.text)
        self.body = sizes.most_common(1)[0][0] if sizes else 0.0
        self.weight = weights.most_common(1)[0][0] if weights else 0.0
        large = sorted({round(b.size, 1) for b in texts if self._is_large(b)}, reverse=True)
        self.sizes: list[float] = []  # one for each level; sizes that differ by less than 4 % are one
        for size in large:
            if not self.sizes or size < 0.96 * self.sizes[-1]:
                self.sizes.append(size)

    def of(self, block: Paragraph) -> int:
        """1 to 6 for a heading, 0 for text."""
        if self._is_large(block):
            return min(1 + sum(size > 1.02 * block.size for size in self.sizes), LEVELS)
        bold = block.weight >= max(BOLD, self.weight + BOLDER)
        if (bold and self._is_short(block) and block.lines == 1) or pattern("report_heading").fullmatch(block.text):
            return min(1 + len(self.sizes), LEVELS)
        return 0

    def _is_large(self, block: Paragraph) -> bool:
        return block.size >= LARGER * self.body and self._is_short(block) and block.lines <= 3

    def _is_short(self, block: Paragraph) -> bool:
        text = block.text
        ends = text[-1] not in "。、，,." and not pattern("entry_end").search(text)
        return 1 < len(text) <= LONGEST and ends and any(c.isalpha() for c in text)
