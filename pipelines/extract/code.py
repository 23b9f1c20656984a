"""Code of a page -> its lines as they are, between fences that name its language.

In: the element that holds code, as highlighters leave it: a <span> or <div> for each line, <br>, buttons, and line
numbers in a column of their own or before each line. Out: Markdown. Line numbers are told by what they say, since every
program has another name for them: numbers that count up, and nothing else.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from lxml import etree

from pipelines.extract.markup import element_names, is_hidden, local_name, rules, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_DIGITS = 9
FURTHEST = 3  # elements around code that stand beside something of its program's
FEWEST = 4  # lines: three of code may begin with 1, 2 and 3


def settle_code(tree: etree._Element) -> None:
    """Take out of `tree` what programs set beside code: the numbers of its lines, the name of its language."""
    found: list[Any] = []
    for code in tree.iter("pre"):
        found += _numbers_within(code)
        for beside in _beside(code):
            short = _no_longer(beside, MOST_DIGITS * (1 + len(text_of(code))))
            if short and (short.strip().lower() == language(code) or _numbers(beside, code)):
                found.append(beside)
    for element in found:
        if element.getparent() is not None:
            element.drop_tree()


def _numbers_within(code: etree._Element) -> list[etree._Element]:
    """The elements that number the lines of the code, where every line begins with one and some line says more."""
    text = code_text(code)
    lines = [line.lstrip() for line in text.strip("\r\n").split("\n")]
    first = re.match(r"\d{1,9}", lines[0])
    if first is None or len(lines) < FEWEST:
        return []
    numbers = [str(number) for number in range(int(first.group()), int(first.group()) + len(lines))]
    if not all(map(str.startswith, lines, numbers)) or [line.rstrip() for line in lines] == numbers:
        return []
    found: list[etree._Element] = []
    line = len(text.lstrip("\r\n")) - len(text)  # the first line that is not blank is line 0
    for event, inner in etree.iterwalk(code, events=("start", "end")):
        begins = event == "start" and inner.tag in {"span", "a"} and line == len(found) < len(numbers)
        if begins and text_of(inner).strip() == numbers[line]:
            found.append(inner)
        if event == "start" or inner is not code:
            line += ((inner.text if event == "start" else inner.tail) or "").count("\n")
    return found if len(found) == len(numbers) else []


def _beside(code: etree._Element) -> Iterator[etree._Element]:
    """What stands next before the code, and before what holds it in its row."""
    for holder in (code, *islice(code.iterancestors(), FURTHEST)):
        if holder.tag not in {"pre", "div", "td"}:
            return
        before = holder.getprevious()
        if before is not None and isinstance(before.tag, str):
            yield before


def _no_longer(element: etree._Element, most: int) -> str:
    """Its text; nothing where that is longer than `most`, which is found out without reading on."""
    pieces: list[str] = []
    for piece in element.itertext():
        pieces.append(str(piece))
        most -= len(piece)
        if most < 0:
            return ""
    return "".join(pieces)


def _numbers(column: etree._Element, code: etree._Element) -> bool:
    """Whether it counts the lines of the code, one for each."""
    counted = code_text(column).split()
    if not counted or not all(number.isdecimal() for number in counted):
        return False
    first = int(counted[0][:MOST_DIGITS])
    lines = code_text(code).strip("\r\n").count("\n") + 1
    if lines == 1 and column.tag != "pre" and next(column.iter("pre"), None) is None:
        return False  # a cell of a table may well be "1"
    return len(counted) == lines and counted == [str(number) for number in range(first, first + lines)]


def fenced(text: str, language: str = "") -> str:
    """Lines of code between fences longer than any run of backticks in them (CommonMark 0.31, 4.5)."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def code_text(element: etree._Element) -> str:
    """The lines of code in an element: as they are, and where <br> or an element for each line breaks them."""
    pieces: list[str] = []
    hidden, lines, skipped = element_names("hidden") | {"button"}, element_names("line"), None
    events = etree.iterwalk(element, events=("start", "end"))
    for event, inner in events:
        name = local_name(inner)
        if event == "start":
            if inner is not element and is_hidden(inner, name, hidden):
                skipped = inner
                events.skip_subtree()
            else:
                pieces.append(inner.text or "")
            continue
        if inner is skipped:
            skipped = None
        elif name == "br" or (name in lines and inner is not element and not "".join(pieces[-2:]).endswith("\n")):
            pieces.append("\n")
        if inner is not element and not (name in lines and (inner.tail or "").isspace()):
            pieces.append(inner.tail or "")
    return "".join(pieces).replace("\r\n", "\n").replace("\xa0", " ")


def language(element: etree._Element) -> str:
    """The language that the classes of code, or of what it stands in, name; nothing where none does."""
    parent = element.getparent()
    above = [] if parent is None else [parent, parent.getparent()]
    for near in (element, *element.iterchildren("code"), *above):
        found = re.search(rules()["language"], near.get("class") or "") if near is not None else None
        if found:
            return str(next(filter(None, found.groups()))).lower()
    return ""
