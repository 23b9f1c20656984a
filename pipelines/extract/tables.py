"""A table's cells -> GitHub Markdown in which every row has the same number of cells.

In: the cells of a table in the order of the markup, each with its blocks and spans. Out: blocks. A cell that spans rows
or columns is written once, at its top left, and blank in the rest of its span: the grid stays aligned and no figure is
counted twice. Rows and columns that are blank throughout (spacers) are left out. A sign in a cell of its own goes to
its figure: reports to the SEC have "$", "(1,234" and ")" in three.

Tables that only place things on the page are taken apart in reading order: a table of one row or one column, and one
whose cells hold headings, lists or tables of their own. html2text and markdownify shift the rows under a rowspan to the
left; trafilatura leaves out the separator row of a table without <th>, which every EDINET table is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

WIDEST_SPAN = 1000  # HTML Living Standard, 4.9.11: larger colspans are cut to this

CURRENCY = re.compile(r"[$€£¥￥]|US\$|HK\$")
SIGNS = re.compile(rf"(?:{CURRENCY.pattern})?[△▲(（]?(?<=.)")
FIGURE = re.compile(r"[$€£¥￥(（△▲−-]*(?:\d|—)")
CLOSING = re.compile(r"[)）]?[%％]?(?<=.)")
MARKS = re.compile(f"{SIGNS.pattern}|{CLOSING.pattern}")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (`level` 1-6), a list item, a table or code (`solid`), or a paragraph of text in Markdown."""

    text: str
    level: int = 0
    item: bool = False
    solid: bool = False  # several lines that belong together: it cannot stand in a table's cell

    @property
    def plain(self) -> bool:
        """Whether it is nothing but a paragraph."""
        return not (self.level or self.item or self.solid)

    def __str__(self) -> str:
        return f"{'#' * self.level} {self.text}" if self.level else self.text


@dataclass(frozen=True, slots=True)
class Cell:
    """One <td> or <th>: what is in it, and how many columns and rows it covers (0 rows: to the end of the table)."""

    blocks: list[Block]
    across: int = 1
    down: int = 1

    @property
    def is_page(self) -> bool:
        """Whether it holds what a line cannot: a table or code, or text under a heading."""
        return any(block.solid or (block.level and len(self.blocks) > 1) for block in self.blocks)

    @property
    def line(self) -> str:
        """Its text on one line."""
        return " ".join(" ".join(block.text.split("\n")) for block in self.blocks)


@dataclass(slots=True)
class Table:
    """The rows of a table while its markup is read, in the groups that no cell spans beyond."""

    groups: list[list[list[Cell]]] = field(default_factory=lambda: [[]])
    feet: list[list[list[Cell]]] = field(default_factory=list)  # shown last, wherever they stand

    def open_group(self, name: str = "") -> None:
        """The rows that come are a <thead>, <tbody> or <tfoot>, or in none."""
        self.groups.append([])
        if name == "tfoot":
            self.feet.append(self.groups[-1])

    def open_row(self) -> None:
        """The cells that come are in a row of their own."""
        self.groups[-1].append([])

    def add(self, cell: Cell) -> None:
        """One more cell in the last row."""
        if not self.groups[-1]:
            self.open_row()
        self.groups[-1][-1].append(cell)

    def blocks(self) -> list[Block]:
        """The table as one block of Markdown, or what it holds in reading order where it is only layout."""
        grid = _with_signs(self._grid())
        columns = sorted({column for _, column in grid})
        rows = [[grid[at] for at in places] for _, places in groupby(sorted(grid), key=itemgetter(0))]
        if len(rows) < 2 or len(columns) < 2 or any(cell.is_page for cell in grid.values()):
            return [block for row in rows for block in _in_reading_order(row)]
        lines = [[_escaped(grid.get((row, column))) for column in columns] for row in sorted({row for row, _ in grid})]
        lines.insert(1, ["---"] * len(columns))
        return [Block("\n".join(f"| {' | '.join(line)} |" for line in lines), solid=True)]

    def _grid(self) -> dict[tuple[int, int], Cell]:
        """The cells that are not blank, by row and column (WHATWG table model, without the overlaps it allows)."""
        grid: dict[tuple[int, int], Cell] = {}
        first = 0
        for group in sorted(self.groups, key=lambda group: any(group is foot for foot in self.feet)):
            taken: dict[int, int] = {}  # column -> the row up to which a cell from above covers it
            for row, cells in enumerate(group):
                column = 0
                for cell in cells:
                    while taken.get(column, 0) > row:
                        column += 1
                    if cell.blocks:
                        grid[first + row, column] = cell
                    last = row + cell.down if cell.down else len(group)
                    for covered in range(column, column + cell.across):
                        taken[covered] = max(last, taken.get(covered, 0))
                    column += cell.across
            first += len(group)
        return grid


def _with_signs(grid: dict[tuple[int, int], Cell]) -> dict[tuple[int, int], Cell]:
    """A currency stands with the figure after it; a sign, bracket or per cent, in a column of such, with its figure."""
    others = {column for (_, column), cell in grid.items() if not MARKS.fullmatch(cell.line)}
    joined: dict[tuple[int, int], Cell] = {}
    last = (-1, -1)
    for (row, column), cell in sorted(grid.items(), key=itemgetter(0)):
        before = joined.get(last) if last[0] == row else None
        if before and last[1] + before.across == column:
            opens, closes = last[1] not in others, column not in others
            if _belong_together(before, cell, opens=opens, closes=closes):
                del joined[last]
                across = before.across + cell.across
                if opens:  # the figures of other rows stand in the column of this one
                    last, across = (row, column), cell.across
                joined[last] = Cell([Block(before.line + cell.line)], across, cell.down)
                continue
        last = (row, column)
        joined[last] = cell
    return joined


def _belong_together(before: Cell, after: Cell, *, opens: bool, closes: bool) -> bool:
    """Whether they are a figure and a mark of it; `opens`, `closes`: whether they stand in columns of marks alone."""
    if any(len(cell.blocks) != 1 or not cell.blocks[0].plain for cell in (before, after)):
        return False
    if FIGURE.match(after.line):
        return (SIGNS if opens else CURRENCY).fullmatch(before.line) is not None
    return closes and CLOSING.fullmatch(after.line) is not None and FIGURE.search(before.line) is not None


def span(value: str | None, most: int = WIDEST_SPAN) -> int:
    """A colspan or rowspan attribute as a number, and 1 for what is none."""
    value = (value or "").strip()
    return min(int(value), most) if value.isdecimal() and len(value) < 10 else 1


def _in_reading_order(cells: list[Cell]) -> list[Block]:
    if all(len(cell.blocks) == 1 and cell.blocks[0].plain for cell in cells):
        return [Block(" ".join(cell.blocks[0].text for cell in cells))]
    return [block for cell in cells for block in cell.blocks]


def _escaped(cell: Cell | None) -> str:
    return cell.line.replace("|", "\\|") if cell else ""
