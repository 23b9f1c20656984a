"""Markup -> a tree that is safe to walk: parsed, with readings settled and what no reader sees marked.

In: decoded HTML or XHTML. Out: an lxml tree, and what its elements are: their names as HTML has them, whether a browser
shows them. The parser fetches nothing, expands no entities but HTML's own, and never gives the half of a tree.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lxml import etree

from registry.data import read_data
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Ruby = Literal["drop", "keep"]
INVALID = re.compile(r"[\x00\x0b\ud800-\udfff]")
ZERO_WIDTH = re.compile("[\u200b\u2060\ufeff\xad]")  # where a line may or may not break: they cut figures in two
HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
DISPLAY = re.compile(r"(?:^|[;\s])display\s*:\s*(inline\b(?!-)|block|flex|grid|list-item|table)", re.IGNORECASE)
INLINED = frozenset({"div", "p"})  # what a style may make part of a line; other blocks have a form of their own
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
MOST_ELEMENTS = 2_000_000  # a report of 60 MB has half of them; a walk over them takes 20 s and 1.5 GB
CONDITIONAL = re.compile(r"@[^{;]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")  # @media and the like: it may not apply
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
SELECTOR = re.compile(r"(\w*)([.#])([\w-]+)")


def parse_html(text: str) -> etree._Element:
    """A tree of `text` as HTML.

    Raises:
        InputError: ``broken`` where it holds no element, ``too_large`` where elements nest deeper than 2,048 or are
            more than two million.
    """
    from lxml.html import HTMLParser

    parser = HTMLParser(encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True)
    return parse(text, parser)


def xml_parser(*, recover: bool = False) -> Any:
    """A parser of XML in UTF-8 that resolves no entity of the file's own."""
    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, recover=recover
    )


def parse(text: str, parser: Any) -> etree._Element:
    """A tree of `text` with a parser of UTF-8.

    Raises:
        InputError: as `parse_html`.
    """
    try:
        root: etree._Element | None = etree.fromstring(INVALID.sub("\ufffd", text).encode(), parser)
    except etree.XMLSyntaxError as error:
        raise InputError("broken", f"line {error.lineno}") from None
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise InputError("too_large", "elements or entities nest deeper than the parser goes")
    if root is None:
        raise InputError("broken", "no element in it")
    elements: Any = root.xpath("count(//*)")
    if elements > MOST_ELEMENTS:
        raise InputError("too_large", f"more than {MOST_ELEMENTS} elements")
    return root


def settle_ruby(tree: etree._Element, ruby: Ruby) -> None:
    """Readings (<rt>) taken out of `tree`, or left in it as 《》; the parentheses (<rp>) always go."""
    for element in list(tree.iter("rt", "rp", "rtc")):
        if ruby == "keep" and element.tag == "rt":
            replace_with(element, f"《{text_of(element).strip()}》")
        else:
            element.drop_tree()  # type: ignore[attr-defined]


def replace_with(element: etree._Element, text: str, tag: str = "span") -> None:
    """`element` becomes a <span> (or other `tag`) of nothing but `text`, shown."""
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = tag, text, tail


def hide_by_style(root: etree._Element) -> None:
    """Mark what the page's own style sheets hide by class, id, or name and class, outside @media: as `hidden`."""
    hiding = set(_hiding_selectors(root))
    if not hiding:
        return
    for element in root.iter(etree.Element):
        name = local_name(element)
        marks = [(".", word) for word in (element.get("class") or "").split()] + [("#", element.get("id") or "")]
        if any((tag, *mark) in hiding for tag in ("", name) for mark in marks):
            element.set("hidden", "")


def _hiding_selectors(root: etree._Element) -> Iterator[tuple[str, str, str]]:
    for style in root.iter("{*}style"):
        sheet = style.text or ""
        if not HIDING.search(sheet):
            continue
        for selectors, declarations in RULE.findall(CONDITIONAL.sub("", COMMENT.sub("", sheet))):
            if HIDING.search(declarations):
                for selector in selectors.split(","):
                    if found := SELECTOR.fullmatch(selector.strip()):
                        yield found.group(1).lower(), found.group(2), found.group(3)


@cache
def rules() -> dict[str, Any]:
    """What ``html.yaml`` says."""
    read: dict[str, Any] = read_data(Path(__file__).with_name("html.yaml"))
    return read


@cache
def element_names(key: str) -> frozenset[str]:
    """A set of element names of ``html.yaml``: "block", "hidden" or "furniture"."""
    return frozenset(rules()[key])


def text_of(element: etree._Element) -> str:
    """All characters in an element, seen or not."""
    return "".join(str(text) for text in element.itertext())


@cache
def _named(tag: str) -> str:
    namespace, _, local = tag.rpartition("}")
    return ("ix:" + local if namespace.endswith("inlineXBRL") else local).lower()


def local_name(element: etree._Element) -> str:
    """An element's name without its namespace, but with the prefix that HTML parsers leave on: "td", "ix:header"."""
    tag = element.tag
    return _named(tag) if isinstance(tag, str) else ""


def is_hidden(element: etree._Element, name: str, hidden: Collection[str]) -> bool:
    """Whether a browser would show nothing of it: by its name, or by its own style."""
    if name in hidden or element.get("hidden") is not None:
        return True
    style = element.get("style")
    return style is not None and _shown_as(style) == "none"


def is_block(element: etree._Element, name: str, block: Collection[str]) -> bool:
    """Whether it begins and ends a line: its own style says so, or its name is one of `block`."""
    style = element.get("style")
    shown = "" if style is None else _shown_as(style)
    if name in block:
        return shown != "inline" or name not in INLINED
    return shown == "block"


@lru_cache(4096)
def _shown_as(style: str) -> str:
    """How a style attribute displays its element: "none", "inline", "block"; "" where it does not say."""
    if HIDING.search(style):
        return "none"
    found = DISPLAY.search(style)
    return "" if found is None else "inline" if found.group(1).lower() == "inline" else "block"
