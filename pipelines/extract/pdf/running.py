"""Running heads: what repeats at the edge of page after page, and page numbers.

In: pages. Out: the same pages without them. Digits count as alike, so "41/183" and "42/183" repeat. A line goes where
it stands in the outer 12 % of the page and its like stands at the same height on a quarter of the pages and on three
at least (FinePDFs: a quarter and five; short documents need less). A bare page number goes where two pages have one
at their edge, and anywhere where the outermost lines of the pages count on.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.extract.pdf.lines import Line
from pipelines.extract.pdf.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.extract.pdf.pages import Page

EDGE = 0.12  # of the page's height
SHARE, PAGES = 0.25, 3
PAGE_NUMBER = pattern("page_number")


@dataclass(frozen=True, slots=True)
class _Running:
    """What runs through a document: lines by their keys, and by how much its page numbers are off the real ones."""

    heads: frozenset[tuple[str, int]]
    offsets: frozenset[int]
    numbered: bool  # several pages have a number at their edge

    def holds(self, line: Line, page: Page) -> bool:
        """Whether a line is one of them."""
        if _at_edge(line, page) and (_key(line) in self.heads or (self.numbered and _is_number(line))):
            return True
        return _offset(line, page) in self.offsets and line in _outermost(page)


def without_running_heads(pages: Sequence[Page]) -> list[Page]:
    """`pages` less the lines that repeat at their edges and their page numbers."""
    if len(pages) < 2:
        return list(pages)
    least = max(PAGES, SHARE * len(pages)) if len(pages) > PAGES else len(pages)
    edges = [(page, _edge_lines(page)) for page in pages]
    heads = Counter(key for _, lines in edges for key in {_key(line) for line in lines})
    offsets = Counter(offset for page in pages for offset in {_offset(line, page) for line in _outermost(page)})
    numbered = sum(any(_is_number(line) for line in lines) for _, lines in edges)
    running = _Running(
        frozenset(key for key, count in heads.items() if count >= least),
        frozenset(offset for offset, count in offsets.items() if offset is not None and count >= least),
        numbered >= 2,
    )
    return [_without(page, running) for page in pages]


def _without(page: Page, running: _Running) -> Page:
    columns = [
        replace(c, items=[i for i in c.items if not (isinstance(i, Line) and running.holds(i, page))])
        for c in page.columns
    ]
    return replace(page, columns=[column for column in columns if column.items])


def _lines(page: Page) -> list[Line]:
    return [item for column in page.columns for item in column.items if isinstance(item, Line)]


def _edge_lines(page: Page) -> list[Line]:
    return [line for line in _lines(page) if _at_edge(line, page)]


def _at_edge(line: Line, page: Page) -> bool:
    return line.y1 < EDGE * page.height or line.y0 > (1 - EDGE) * page.height


def _outermost(page: Page) -> list[Line]:
    """The topmost and the lowest line: a page printed from a web page may end, number and all, halfway down."""
    lines = sorted(_lines(page), key=lambda line: line.middle)
    return [lines[0], lines[-1]] if lines else []


def _key(line: Line) -> tuple[str, int]:
    """What makes two lines alike: their text with every number as #, and their height on the page to 10 points."""
    return re.sub(r"[0-9０-９]+", "#", line.text).replace(" ", ""), round(line.middle / 10)


def _is_number(line: Line) -> bool:
    return bool(PAGE_NUMBER.fullmatch(line.text.strip()))


def _offset(line: Line, page: Page) -> int | None:
    """By how much the number that a line is differs from the page's own; None where it is no number."""
    digits = re.search(r"[0-9０-９]+", line.text) if _is_number(line) else None
    return int(digits[0]) - page.number if digits else None
