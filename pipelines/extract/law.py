"""Laws in the XML of e-Gov (法令標準XML) -> Markdown: headings for parts and chapters, lines for paragraphs and items.

In: a file whose root is, or holds, a <Law>. Out: the law as one document with its number, kind and era of promulgation.
Readings go, as everywhere; articles keep their numbers as the law prints them. Names of elements: ``law.yaml``.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from pipelines.extract import Failure, Part
from pipelines.extract.encoding import decode
from pipelines.extract.markup import parse, xml_parser
from pipelines.extract.tables import Block, Cell, Table, span
from pipelines.extract.walk import to_markdown
from registry.data import read_data
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.extract import Raw

DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")


def extract_law(raw: Raw) -> Iterator[Part | Failure]:
    """One law as one document.

    Raises:
        InputError: ``broken`` where it is not well-formed, ``unsupported`` where no <Law> is in it, ``empty``.
    """
    decoded = decode(raw.path.read_bytes())
    root = parse(DECLARATION.sub("", decoded.text, count=1), xml_parser())
    law = root if root.tag == "Law" else next(root.iter("Law"), None)
    if law is None:
        raise InputError("unsupported", "XML without a <Law>")
    blocks = list(_blocks(law))
    if not blocks:
        raise InputError("empty", "a law without text")
    facts = {key: law.get(name, "") for key, name in _rules()["facts"].items()}
    facts["law_number"] = _text(next(law.iter("LawNum"), None))
    title = _text(next(law.iter("LawTitle"), None))
    told = {key: value for key, value in facts.items() if value}
    yield Part(
        to_markdown(blocks), title=title, metadata=told, measurements={"undecodable": float(decoded.undecodable)}
    )


def _blocks(law: etree._Element) -> Iterator[Block]:
    """Titles as headings, captions and sentences as lines: a number and what it numbers stand together."""
    rules = _rules()
    pending = ""  # a number waiting for its text
    walk = etree.iterwalk(law, events=("start",))
    for _, element in walk:
        name = str(element.tag)
        if name in rules["left_out"]:
            walk.skip_subtree()
        elif name in rules["headings"]:
            if text := _text(element):
                yield Block(text, rules["headings"][name])
            walk.skip_subtree()
        elif name in rules["numbers"]:
            pending = f"{pending}　{_text(element)}".strip("　")
            walk.skip_subtree()
        elif name in rules["texts"]:
            if text := f"{pending}　{_text(element)}".strip("　"):
                yield Block(text)
            pending = ""
            walk.skip_subtree()
        elif name == "Table":
            yield from _table(element)
            walk.skip_subtree()
    if pending:
        yield Block(pending)


def _table(element: etree._Element) -> list[Block]:
    table = Table()
    for row in element.iter("TableRow", "TableHeaderRow"):
        table.open_row()
        for cell in row.iterchildren("TableColumn", "TableHeaderColumn"):
            text = _text(cell)
            table.add(Cell([Block(text)] if text else [], span(cell.get("colspan")), span(cell.get("rowspan"))))
    return table.blocks()


def _text(element: etree._Element | None) -> str:
    """The text of an element without readings, its sentences one after another."""
    if element is None:
        return ""
    pieces = [element.text or ""]
    for child in element.iterchildren(etree.Element):
        pieces += ["" if child.tag == "Rt" else _text(child), child.tail or ""]
    joined = "　" if element.tag in _rules()["spaced"] else ""
    return joined.join(filter(None, (re.sub(r"\s*\n\s*", "", piece) for piece in pieces))).strip()


@cache
def _rules() -> dict[str, Any]:
    read: dict[str, Any] = read_data(Path(__file__).with_suffix(".yaml"))
    return read
