"""Pages in few bytes: while they wait for the pages after them, and on their way from one process to another.

In: a `Page`. Out: a `Packed`, its numbers as one array and its texts as one string, and the same page from that. A page
of an annual report takes 4 KB so, where its objects take 17.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from pipelines.extract.pdf.lines import Line
from pipelines.extract.pdf.pages import Column, Page
from pipelines.extract.pdf.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable

BETWEEN = "\0"  # in no text: a glyph with this code is read as U+FFFD


@dataclass(frozen=True, slots=True)
class Packed:
    """A page; what of it is a whole number is below 2^53, and so the same as a double."""

    glyphs: int
    undecodable: int
    numbers: bytes  # doubles
    texts: str


def pack(page: Page) -> Packed:
    """`page` in few bytes."""
    numbers: list[float] = [page.number, page.width, page.height, len(page.columns)]
    texts: list[str] = []
    for column in page.columns:
        numbers += column.x0, column.x1, len(column.items)
        for item in column.items:
            rows = item.rows if isinstance(item, Table) else []
            numbers += len(rows), item.x0, item.y0, item.x1, item.y1, item.size
            if isinstance(item, Line):
                numbers.append(item.weight)
                texts.append(item.text)
            else:
                numbers += len(rows[0]), len(item.edges), *item.edges
                texts += (cell for row in rows for cell in row)
    return Packed(page.glyphs, page.undecodable, array("d", numbers).tobytes(), BETWEEN.join(texts))


def unpack(packed: Packed) -> Page:
    """The page that was packed."""
    numbers, texts = iter(array("d", packed.numbers)), iter(packed.texts.split(BETWEEN))
    number, width, height, count = (next(numbers) for _ in range(4))
    columns = [_column(numbers.__next__, texts.__next__) for _ in range(int(count))]
    return Page(int(number), width, height, columns, packed.glyphs, packed.undecodable)


def _column(number: Callable[[], float], text: Callable[[], str]) -> Column:
    x0, x1, count = number(), number(), int(number())
    return Column(x0, x1, [_item(number, text) for _ in range(count)])


def _item(number: Callable[[], float], text: Callable[[], str]) -> Line | Table:
    rows = int(number())
    box = number(), number(), number(), number(), number()
    if not rows:
        return Line(*box, number(), text())
    cells, edges = int(number()), int(number())
    places = tuple(number() for _ in range(edges))
    return Table(*box, [[text() for _ in range(cells)] for _ in range(rows)], places)


class Pages(Sequence[Page]):
    """Packed pages as pages: each is unpacked when it is asked for, and then anew."""

    def __init__(self, packed: Sequence[Packed]) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> Page: ...
    @overload
    def __getitem__(self, index: slice) -> Pages: ...
    def __getitem__(self, index: int | slice) -> Page | Pages:
        return Pages(self._packed[index]) if isinstance(index, slice) else unpack(self._packed[index])
