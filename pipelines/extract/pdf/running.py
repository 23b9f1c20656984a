"""Running heads: what repeats at the edge of page after page, and page numbers.

In: pages. Out: the same pages without them. Numbers count as alike, so "41/183" and "42/183" repeat. A line goes where
it stands in the outer 12 % of the page and its like stands at the same height on a quarter of the pages and on three
at least (FinePDFs: a quarter and five; short documents need less). A bare page number goes where two pages have one
at their edge, and anywhere where the outermost lines of the pages count on. On one or two pages nothing repeats: there
a small line in the outer 8 % goes that stands apart.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from pipelines.extract.pdf.lines import Line
from pipelines.extract.pdf.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.extract.pdf.pages import Page

EDGE = 0.12  # of the page's height
SHARE, PAGES = 0.25, 3
MARGIN, LONGEST = 0.08, 120  # of the page's height, and characters, for heads that cannot be told by repetition
FULL = 0.9  # of the widest line: a head is seldom set so wide
PAGE_NUMBER = pattern("page_number")
BESIDE = re.compile(
    r"^[0-9０-９]{1,4}(?![0-9０-９,.])|(?<![0-9０-９,.])[0-9０-９]{1,4}$"
)  # in a head such as "12 Results"
COUNTED = re.compile(r"[0-9０-９]+|^[ivxlc]{1,6}(?=\s)|(?<=\s)[ivxlc]{1,6}$")  # figures, and Roman ones at either end


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


def without_running_heads(pages: Sequence[Page]) -> Iterator[Page]:
    """`pages` less the lines that repeat at their edges and their page numbers; each is asked for twice."""
    if len(pages) < PAGES:
        pages = [_without_margins(page) for page in pages]
    running = _running(pages)
    for page in pages:
        yield _less(page, {id(line) for line in _lines(page) if running.holds(line, page)})


def _running(pages: Sequence[Page]) -> _Running:
    """What repeats on `pages`."""
    heads, offsets, numbered = Counter[tuple[str, int]](), Counter[int | None](), 0
    for page in pages:
        edge = [line for line in _lines(page) if _at_edge(line, page)]
        heads.update({_key(line) for line in edge})
        offsets.update({_offset(line, page) for line in _outermost(page)})
        numbered += any(map(_is_number, edge))
    least = max(PAGES, SHARE * len(pages)) if len(pages) > PAGES else max(len(pages), 2)
    return _Running(
        frozenset(key for key, count in heads.items() if count >= least),
        frozenset(offset for offset, count in offsets.items() if offset is not None and count >= least),
        numbered >= 2,
    )


def _without_margins(page: Page) -> Page:
    """A page of a short document, where nothing repeats, less what stands in its outer 8 % apart from the rest.

    Apart is: a line's height and more away from the next line or table inwards that stays, and no larger than the text.
    A number, of any size, needs a quarter of its height. What reads as text, as wide as the others or ending its
    sentence, stays.
    """
    lines = sorted(_lines(page), key=lambda line: line.middle)
    low, high = MARGIN * page.height, (1 - MARGIN) * page.height
    inner = [line for line in lines if low < line.middle < high]
    if not inner:
        return page
    size, width = median(line.size for line in inner), max(line.x1 - line.x0 for line in inner)
    tables = [item for column in page.columns for item in column.items if not isinstance(item, Line)]
    edges = [(item.y0, item.y1) for item in inner] + [(item.y0, item.y1) for item in tables]
    top, bottom = min(y0 for y0, _ in edges), max(y1 for _, y1 in edges)
    gone = set()
    above, below = [line for line in lines if line.middle <= low], [line for line in lines if line.middle >= high]
    for line in above[::-1] + below:
        away = max(top - line.y1, line.y0 - bottom)
        least = (0.25 if _is_number(line) else 1.0) * (line.y1 - line.y0)
        text = line.size > size / 1.05 and (line.x1 - line.x0 > FULL * width or line.text[-1] in "。．")
        small = line.size <= 1.05 * size or _is_number(line)
        if away > least and small and len(line.text) < LONGEST and not text:
            gone.add(id(line))
        else:
            top, bottom = min(top, line.y0), max(bottom, line.y1)
    return _less(page, gone)


def _less(page: Page, gone: set[int]) -> Page:
    """`page` without the lines of these identities."""
    if not gone:
        return page
    columns = [replace(column, items=[i for i in column.items if id(i) not in gone]) for column in page.columns]
    return replace(page, columns=[column for column in columns if column.items])


def _lines(page: Page) -> list[Line]:
    return [item for column in page.columns for item in column.items if isinstance(item, Line)]


def _at_edge(line: Line, page: Page) -> bool:
    return line.y1 < EDGE * page.height or line.y0 > (1 - EDGE) * page.height


def _outermost(page: Page) -> list[Line]:
    """The topmost and the lowest line where they are a number or, at the page's edge, stand apart as a head does.

    A page printed from a web page may end, number and all, halfway down.
    """
    lines = sorted(_lines(page), key=lambda line: line.middle)
    if len(lines) < 2:
        return lines
    size = median(line.size for line in lines)
    ends = (lines[0], lines[1].y0 - lines[0].y1), (lines[-1], lines[-1].y0 - lines[-2].y1)
    return [
        line
        for line, away in ends
        if _is_number(line) or (_at_edge(line, page) and line.size <= size and away > line.y1 - line.y0)
    ]


def _key(line: Line) -> tuple[str, int]:
    """What makes two lines alike: their text with every number as #, and their height on the page to 10 points."""
    return COUNTED.sub("#", line.text).replace(" ", ""), round(line.middle / 10)


def _is_number(line: Line) -> bool:
    return bool(PAGE_NUMBER.fullmatch(line.text.strip()))


def _offset(line: Line, page: Page) -> int | None:
    """By how much the number that a line is, or that it starts or ends with, differs from the page's own."""
    text = line.text.strip()
    digits = re.search(r"[0-9０-９]+", text) if _is_number(line) else BESIDE.search(text)
    return int(digits[0]) - page.number if digits else None
