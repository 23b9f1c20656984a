"""A tree of markup -> blocks, in reading order: headings, paragraphs, list items, tables, code.

In: an lxml tree. Out: everything visible in it. The walk is one loop over start and end events, so no depth of nesting
can end it, and it alone decides what is written: filings, web pages and books all go through it, and so do the trees
of trafilatura, whose own Markdown has tables without separator rows and half of the code without its indent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lxml import etree

from pipelines.extract.code import code_text, fenced, language
from pipelines.extract.markup import ZERO_WIDTH, element_names, is_block, is_hidden, local_name
from pipelines.extract.tables import Block, Cell, Table, span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

MARGIN = " \t\r\n\f\v\xa0\u3000"
CJK = "[\u3000-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uffef]"  # without full-width digits: figures are never joined
BROKEN_LINE = re.compile(f"(?<={CJK})[ \t\f]*\r?\n[ \t\r\n\f]*(?={CJK})")
LINE_BREAK = "\x0b"  # no character of XML, and white space in HTML
SPACES = re.compile(r"[ \t\r\n\f]+")
GROUPS = frozenset({"thead", "tbody", "tfoot"})
HIGHEST = 1 << 31  # number of a list item
HEADINGS = {f"h{level}": level for level in range(1, 7)}
SHIFTED = frozenset({"sup", "sub"})
RAISED = re.compile(r"[0-9０-９A-Za-z)\]]$")  # what an exponent follows


def blocks_of(
    root: etree._Element, *, hidden: Collection[str] | None = None, names: Mapping[str, str] | None = None
) -> list[Block]:
    """The blocks of everything visible under `root`. `names` gives elements the names that HTML has for them."""
    walk = _Walk(names or {}, element_names("hidden") if hidden is None else hidden)
    events = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in events:
        if event == "start":
            walk.start(element) or events.skip_subtree()
        else:
            if event == "end":
                walk.end(element)
            if element is not root:
                walk.flow.add(element.tail)
    return walk.finish()


def to_markdown(blocks: Iterable[Block]) -> str:
    """Blocks one under another: a blank line between them, but not between the items of a list."""
    pieces: list[str] = []
    last = None
    for block in blocks:
        if last is not None:
            pieces.append("\n" if block.item and last.item else "\n\n")
        pieces.append(str(block))
        last = block
    return "".join(pieces)


def size(blocks: Iterable[Block]) -> int:
    """Characters of all blocks, without white space."""
    return sum(len("".join(block.text.split())) for block in blocks)


@dataclass(slots=True)
class _Flow:
    """A run of blocks being written: the page, or one cell of a table."""

    blocks: list[Block] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # of the paragraph at hand; a line break is LINE_BREAK
    lists: list[int | None] = field(default_factory=list)  # open lists: the number of the last item, none if unnumbered
    marker: str = ""  # of the list item that begins with the next block
    apart: bool = False  # what was added last is raised or lowered, or what comes is: their figures are not one

    def add(self, text: str | None) -> None:
        """More text of the paragraph at hand."""
        if not text:
            return
        if self.apart and text[0].isdigit() and self.pieces and self.pieces[-1][-1:].isdigit():
            self.pieces.append(" ")
        self.apart = False
        self.pieces.append(text)

    def close(self, level: int = 0) -> None:
        """The paragraph at hand becomes a block, if there is anything in it."""
        if not self.pieces:
            return
        lines = filter(None, map(_tidied, "".join(self.pieces).split(LINE_BREAK)))
        text = (" " if level else "\n").join(lines)
        self.pieces.clear()
        if not text:
            return
        indent = "  " * len(self.lists)
        if self.lists and not level:
            text = f"{indent[2:]}{self.marker or '  '}{text}".replace("\n", f"\n{indent}")
        self.marker = ""
        self.blocks.append(Block(text, level, item=bool(self.lists) and not level))

    def open_item(self, number: str | None) -> None:
        """The next block begins a list item, which may say its number."""
        self.marker = "- "
        if self.lists and self.lists[-1] is not None:
            self.lists[-1] = span(number, HIGHEST) if number else self.lists[-1] + 1
            self.marker = f"{self.lists[-1]}. "


def _tidied(line: str) -> str:
    """One line as a browser shows it, but a line broken between Japanese characters is joined without a space."""
    if "\n" in line:
        line = BROKEN_LINE.sub("", line)
    if not line.isascii():
        line = ZERO_WIDTH.sub("", line)
    return SPACES.sub(" ", line).strip(MARGIN)


class _Walk:
    """The state of a walk over a tree: a stack of flows (cells in tables in cells), and the tables they stand in."""

    def __init__(self, names: Mapping[str, str], hidden: Collection[str]) -> None:
        self.names, self.hidden = names, hidden
        self.block = element_names("block")
        self.flows: list[_Flow] = [_Flow()]
        self.flow = self.flows[-1]
        self.tables: list[Table] = []
        self.cells: list[etree._Element] = []  # the element of each flow but the first
        self.skipped = False  # the element that began last is not walked: its end is none

    def start(self, element: etree._Element) -> bool:
        """An element begins; false if what is in it is not to be walked."""
        name = self._name(element)
        self.skipped = is_hidden(element, name, self.hidden) or (name in {"pre", "code"} and self._code(element, name))
        if self.skipped:
            return False
        if is_block(element, name, self.block):
            self.flow.close()
        self._open(name, element)
        self.flow.add(element.text)
        return True

    def _open(self, name: str, element: etree._Element) -> None:
        if name == "br":
            self.flow.add(LINE_BREAK)
        elif name in SHIFTED:
            self.flow.add("^" if name == "sup" and RAISED.search("".join(self.flow.pieces[-1:])) else "")
            self.flow.apart = True
        elif name in {"ul", "ol"}:
            numbered = name == "ol" or element.get("rend") == "ol"
            self.flow.lists.append(span(element.get("start"), HIGHEST) - 1 if numbered else None)
        elif name == "li":
            self.flow.open_item(element.get("value"))
        elif name == "table":
            self.tables.append(Table())
        elif name in GROUPS and self.tables:
            self.tables[-1].open_group(name)
        elif name == "tr" and self.tables:
            self.tables[-1].open_row()
        elif name in {"td", "th"} and self.tables:
            self._enter(_Flow())
            self.cells.append(element)

    def end(self, element: etree._Element) -> None:
        """An element ends; its tail is added by the caller."""
        if self.skipped:
            self.skipped = False
            return
        name = self._name(element)
        if is_block(element, name, self.block):
            self.flow.close(HEADINGS.get(name, 0))
        if name in SHIFTED:
            self.flow.apart = True
        elif name in {"ul", "ol"} and self.flow.lists:
            self.flow.lists.pop()
        elif name == "li":
            self.flow.marker = ""
        elif self.cells and self.cells[-1] is element:
            self.cells.pop()
            cell = Cell(self._leave().blocks, span(element.get("colspan")) or 1, span(element.get("rowspan")))
            self.tables[-1].add(cell)
        elif name in GROUPS and self.tables:
            self.tables[-1].open_group()
        elif name == "table" and self.tables:
            self.flow.blocks += self.tables.pop().blocks()

    def _enter(self, flow: _Flow) -> None:
        self.flows.append(flow)
        self.flow = flow

    def _leave(self) -> _Flow:
        left = self.flows.pop()
        self.flow = self.flows[-1]
        return left

    def _code(self, element: etree._Element, name: str) -> bool:
        """Code of several lines becomes a fenced block, other code stays in its line, in backticks."""
        text = code_text(element).strip("\r\n")
        if name == "pre" or "\n" in text:
            self.flow.close()
            if text.strip():
                self.flow.blocks.append(Block(fenced(text, language(element)), solid=True))
        elif text := " ".join(text.split()):
            ticks = "``" if "`" in text else "`"
            self.flow.add(f"{ticks}{text}{ticks}")
        return True

    def _name(self, element: etree._Element) -> str:
        name = local_name(element)
        if not self.names:
            return name
        rend = element.get("rend") or ""
        return rend if name == "head" and rend in HEADINGS else self.names.get(name, name)

    def finish(self) -> list[Block]:
        """All blocks, the last paragraph too."""
        self.flow.close()
        return self.flow.blocks
