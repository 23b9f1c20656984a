"""Chapters of books, lectures and documentation: the whole main text, and nothing that the program put around it.

In: the tree of a web page. Out: its blocks, or nothing where the page is no chapter. A chapter is read whole: its short
lines are code, formulas and headings: main-content extractors take them for furniture. Of 31 chapters trafilatura
keeps no heading mark and 78 % of the code lines with their indent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.extract.markup import element_names, rules, text_of
from pipelines.extract.walk import blocks_of, size

if TYPE_CHECKING:
    from lxml import etree

    from pipelines.extract.tables import Block

SYMBOL = re.compile(r"[\s¶#§🔗⚓\ufe0f\u200b]*")
GENERATORS = "//meta[translate(@name, 'G', 'g') = 'generator']/@content"


def read_book(tree: Any) -> list[Block]:
    """The blocks of a chapter, without the furniture around it; none where the page is no chapter."""
    place = _place(tree)
    if place is None:
        return []
    rule = rules()["book"]
    _prune(place, rule)
    hidden = element_names("hidden") | frozenset(rule["furniture"])
    blocks = blocks_of(place, hidden=hidden)
    own = size(blocks_of(place, hidden=hidden | {"a"}))
    around = size(blocks_of(tree, hidden=element_names("hidden") | element_names("furniture") | {"a"}))
    is_chapter = own >= rule["own"] * size(blocks) and own >= rule["whole"] * around
    return blocks if is_chapter else []


def _place(tree: Any) -> etree._Element | None:
    rule = rules()["book"]
    made = any(re.search(rule["generators"], made_by) for made_by in tree.xpath(GENERATORS))
    if not made and not tree.xpath(rule["signs"]):
        return None
    for path in rule["places"]:
        found = tree.xpath(path)
        if len(found) == 1:
            place: etree._Element = found[0]
            return place
    return None


def _prune(place: etree._Element, rule: dict[str, Any]) -> None:
    classes, roles = set(rule["pruned_classes"]), set(rule["pruned_roles"])
    for element in list(place.iterdescendants("*")):
        words = (element.get("class") or "").split()
        if not classes.isdisjoint(words) or element.get("role") in roles or _is_permalink(element):
            element.drop_tree()  # type: ignore[attr-defined]
        elif element.tag in {"aside", "footer"} and "footnote" in (element.get("class") or ""):
            element.tag = "div"


def _is_permalink(element: etree._Element) -> bool:
    """A link to a place on this page that shows nothing but a symbol."""
    address = element.get("href") or ""
    return element.tag == "a" and "#" in address and SYMBOL.fullmatch(text_of(element)) is not None
