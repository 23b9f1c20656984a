"""Chapters of books, lectures and documentation: the whole main text, and nothing that the program put around it.

In: the tree of a web page. Out: its blocks, or nothing where the page is no chapter. A chapter is read whole: its short
lines are code, formulas and headings: main-content extractors take them for furniture. Of 31 chapters trafilatura
keeps no heading mark and 78 % of the code lines with their indent.
"""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pipelines.extract.markup import element_names, rules, text_of
from pipelines.extract.walk import blocks_of, size

if TYPE_CHECKING:
    from lxml import etree

    from pipelines.extract.tables import Block

SYMBOL = re.compile(r"[\s¶#§🔗⚓\ufe0f\u200b\ue000-\uf8ff]*")  # the last are icons
GENERATORS = "//meta[translate(@name, 'G', 'g') = 'generator']/@content | /html/@*[name() = 'xmlns:epub']"


def read_book(tree: Any) -> list[Block]:
    """The blocks of a chapter, without the furniture around it; none where the page is no chapter.

    Takes the permanent links of headings out of `tree`, chapter or not.
    """
    rule = rules()["book"]
    made = any(re.search(rule["generators"], made_by) for made_by in tree.xpath(GENERATORS))
    signed = made or bool(tree.xpath(rule["signs"]))
    for link in list(tree.iter("a")):
        if _is_permalink(link):
            link.drop_tree()
    found = (tree.xpath(path) for path in rule["places"]) if signed else ()
    place = next((places[0] for places in found if len(places) == 1), tree.find("body") if made else None)
    if place is None:
        return []
    _prune(place, rule)
    hidden = element_names("hidden") | frozenset(rule["furniture"])
    blocks = blocks_of(place, hidden=hidden)
    own = size(blocks_of(place, hidden=hidden | {"a"}))
    around = size(blocks_of(tree, hidden=element_names("hidden") | element_names("furniture") | {"a"}))
    is_chapter = (made or own >= rule["own"] * size(blocks)) and own >= rule["whole"] * around
    return blocks if is_chapter else []


def _prune(place: etree._Element, rule: dict[str, Any]) -> None:
    for element in _pagers(place, rule):
        if element.getparent() is not None:
            element.drop_tree()  # type: ignore[attr-defined]
    classes, roles = set(rule["pruned_classes"]), set(rule["pruned_roles"])
    for element in list(place.iterdescendants("*")):
        words = (element.get("class") or "").split()
        if not classes.isdisjoint(words) or element.get("role") in roles:
            element.drop_tree()  # type: ignore[attr-defined]
        elif element.tag in {"aside", "footer"} and "footnote" in (element.get("class") or ""):
            element.tag = "div"


def _pagers(place: Any, rule: dict[str, Any]) -> list[etree._Element]:
    """What holds links to the chapters around this one, and neither a heading, code nor much text."""
    found = []
    for link in place.xpath(rule["pagers"]):
        holder = link
        for up in takewhile(lambda up: up is not place, link.iterancestors()):
            if (
                len(text_of(up)) > rule["pager"]
                or next(up.iter("h1", "h2", "h3", "h4", "h5", "h6", "pre"), None) is not None
            ):
                break
            holder = up
        found.append(holder)
    return found


def _is_permalink(element: etree._Element) -> bool:
    """A link to a place on this page that shows nothing but a symbol."""
    address = element.get("href") or ""
    return "#" in address and SYMBOL.fullmatch(text_of(element)) is not None
