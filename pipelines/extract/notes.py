"""Footnotes of a page -> Markdown's: the mark in the text becomes [^1], the note [^1]: in its place.

In: a tree of HTML. Out: the same tree, in which the links between marks and notes are text. A link counts as a mark
where its target is on the page and its class, role or address says note: Pandoc, Sphinx, kramdown, GitHub, MediaWiki.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.extract.markup import replace_with, text_of

if TYPE_CHECKING:
    from lxml import etree

LABEL = re.compile(r"[\[(（*†※]?\s*(?:注|註|note)?\s*([0-9a-z]{1,3})\s*[\])）]?", re.IGNORECASE)
MARKED = re.compile(r"foot-?note|noteref|cite_note|\bfn\b|_ftn", re.IGNORECASE)
ADDRESS = re.compile(r"#(?:user-content-)?(?:fn|foot-?note|cite_note|_ftn|note)[\w:.-]*\d", re.IGNORECASE)
BACK = re.compile(r"back|fnref|cite_ref|_ftnref|noteref", re.IGNORECASE)
ARROWS = re.compile(r"[\s↩︎↑^⬆]*")


def settle_footnotes(tree: etree._Element) -> None:
    """Replace the marks and the beginnings of the notes in `tree`."""
    links = [link for link in tree.iter("a") if (link.get("href") or "").startswith("#")]
    marks = [link for link in links if _is_mark(link)]
    if not marks:
        return
    targets = {element.get("id"): element for element in tree.iter() if element.get("id")}
    for link in marks:
        label = LABEL.fullmatch(text_of(link).strip())
        note = targets.get((link.get("href") or "")[1:])
        if label is None or note is None:
            continue
        _number(note, label.group(1))
        parent = link.getparent()
        replace_with(link, f"[^{label.group(1)}]")
        if parent is not None and parent.tag == "sup":
            parent.tag = "span"


def _is_mark(link: etree._Element) -> bool:
    said = f"{link.get('class') or ''} {link.get('role') or ''}"
    if BACK.search(said) and "noteref" not in said:
        return False
    return MARKED.search(said) is not None or ADDRESS.match(link.get("href") or "") is not None


def _number(note: etree._Element, label: str) -> None:
    """The note begins with its label and has no link back; an item of a list is one no more."""
    if note.get("data-note"):
        return
    note.set("data-note", label)
    for link in list(note.iter("a")):
        if ARROWS.fullmatch(text_of(link)) or BACK.search(f"{link.get('class')} {link.get('role')}"):
            link.drop_tree()  # type: ignore[attr-defined]
    for mark in list(note.iter("span", "sup"))[:2]:
        if LABEL.fullmatch(text_of(mark).strip()) and text_of(mark).strip("[]() ") == label:
            mark.drop_tree()  # type: ignore[attr-defined]
    first = next((child for child in note.iter("p", "div", "dd") if child is not note), note)
    first.text = f"[^{label}]: {(first.text or '').lstrip()}"
    parent = note.getparent()
    if note.tag == "li" and parent is not None:
        note.tag = parent.tag = "div"
