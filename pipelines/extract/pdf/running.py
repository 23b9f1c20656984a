"""Running heads: what repeats at the edge of page after page, and page numbers.

In: pages. Out: the same pages without them. Digits count as alike, so "41/183" and "42/183" repeat. A line goes where
it stands in the outer 12 % of the page and its like stands at the same height on a quarter of the pages and on three
at least (FinePDFs: a quarter and five; short documents need less); a bare page number goes where two pages have one.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.extract.pdf.lines import Line
from pipelines.extract.pdf.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.extract.pdf.pages import Page
    from pipelines.extract.pdf.tables import Table

EDGE = 0.12  # of the page's height
SHARE, PAGES = 0.25, 3
PAGE_NUMBER = pattern("page_number")


def without_running_heads(pages: Sequence[Page]) -> list[Page]:
    """`pages` less the lines that repeat at their edges."""
    seen = Counter(key for page in pages for key in {_key(line) for line in _edge_lines(page)})
    least = max(PAGES, SHARE * len(pages)) if len(pages) > 3 else len(pages)
    repeated = {key for key, count in seen.items() if count >= least and len(pages) > 1}
    numbered = sum(any(_is_number(line) for line in _edge_lines(page)) for page in pages)
    return [_without(page, repeated, numbers=numbered >= 2) for page in pages]


def _without(page: Page, repeated: set[tuple[str, int]], *, numbers: bool) -> Page:
    def stays(item: Line | Table) -> bool:
        if not isinstance(item, Line) or not _at_edge(item, page):
            return True
        return _key(item) not in repeated and not (numbers and _is_number(item))

    columns = [replace(column, items=[item for item in column.items if stays(item)]) for column in page.columns]
    return replace(page, columns=[column for column in columns if column.items])


def _edge_lines(page: Page) -> list[Line]:
    return [item for column in page.columns for item in column.items if isinstance(item, Line) and _at_edge(item, page)]


def _at_edge(line: Line, page: Page) -> bool:
    return line.y1 < EDGE * page.height or line.y0 > (1 - EDGE) * page.height


def _key(line: Line) -> tuple[str, int]:
    """What makes two lines alike: their text with every number as #, and their height on the page to 10 points."""
    return re.sub(r"[0-9０-９]+", "#", line.text).replace(" ", ""), round(line.middle / 10)


def _is_number(line: Line) -> bool:
    return bool(PAGE_NUMBER.fullmatch(line.text.strip()))
