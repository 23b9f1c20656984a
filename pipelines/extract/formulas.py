"""Formulas of a page, in whatever way they are put there -> LaTeX between $ or $$, in place.

In: a tree of HTML. Out: the same tree, in which MathML, KaTeX, MathJax 2 and 3, and the spans of Pandoc and Sphinx are
each one piece of text. Where the TeX source is on the page (an <annotation>, a <script type="math/tex">, alttext) it is
taken as it is; otherwise `mathml` writes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.extract.markup import HIDING, local_name, replace_with, text_of
from pipelines.extract.mathml import latex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

TEX_SCRIPT = "//script[starts-with(@type, 'math/tex')]"
RENDERED = "//*[starts-with(@class, 'MathJax')]"
KATEX = "//*[contains(concat(' ', @class, ' '), ' katex ')]"
MATHJAX_3 = "//mjx-container"
MATHML = "//math"
MARKED = (
    "//*[self::span or self::div or self::p or self::script][contains(concat(' ', @class, ' '), ' math ')"
    " or contains(concat(' ', @class, ' '), ' arithmatex ')]"
)
DELIMITED = re.compile(r"\s*(?:\\\((.*)\\\)|\\\[(.*)\\\]|\$\$(.*)\$\$|\$(.*)\$)\s*", re.DOTALL)
STYLED = re.compile(r"\A\{\\(?:display|text)style (.*)\}\Z")  # as MediaWiki has it around every formula
TEX_ENCODINGS = ("application/x-tex", "tex", "latex")


def settle_formulas(tree: Any) -> None:
    """Replace every formula in `tree` by its LaTeX."""
    scripts = tree.xpath(TEX_SCRIPT)
    if scripts:
        for rendered in tree.xpath(RENDERED):
            rendered.drop_tree()
    for script in scripts:
        _put(script, script.text or "", display="mode=display" in script.get("type"))
    for path in (KATEX, MATHJAX_3, MATHML):
        for element in tree.xpath(path):
            if (tex := _tex(element)) is not None:
                _put(element, tex, display=_is_display(element))
    for element in tree.xpath(MARKED):
        _settle_marked(element)


def _settle_marked(element: Any) -> None:
    """A formula in its TeX: between delimiters, or, as Pandoc has it for KaTeX, without them and in no markup."""
    number = "".join(_taken(element, "eqno")).strip("() \n¶")
    text, words = text_of(element), (element.get("class") or "").split()
    if found := DELIMITED.fullmatch(text):
        inline, *displayed = found.groups()
        inline = inline or displayed.pop()
        tex = inline or next(filter(None, displayed), "")
        _put(element, f"{tex} \\tag{{{number}}}" if number else tex, display=inline is None)
    elif not len(element) and ("inline" in words or "display" in words):
        _put(element, text, display="display" in words)


def _taken(element: Any, called: str) -> Iterator[str]:
    """The texts of what is called so in `element`, which is taken out."""
    for inner in element.find_class(called):
        yield text_of(inner)
        inner.drop_tree()


def _put(element: etree._Element, tex: str, *, display: bool) -> None:
    tex = STYLED.sub(r"\1", " ".join(tex.split()))
    if not tex:
        return
    parent = element.getparent()
    if parent is not None and HIDING.search(parent.get("style") or ""):
        del parent.attrib["style"]  # the source of a formula that is shown as a picture
    replace_with(element, f"$${tex}$$" if display else f"${tex}$", "div" if display else "span")
    element.set("class", "math")  # the page has formulas: a sign of a chapter


def _tex(element: etree._Element) -> str | None:
    """The TeX in or of a formula; none where the element holds no formula."""
    for annotation in element.iter("annotation"):
        if (annotation.get("encoding") or "").lower() in TEX_ENCODINGS:
            return text_of(annotation)
    math = element if local_name(element) == "math" else next(element.iter("math"), None)
    if math is None:
        return None
    return math.get("alttext") or latex(math)


def _is_display(element: etree._Element) -> bool:
    parent = element.getparent()
    around = parent.get("class") or "" if parent is not None else ""
    inner = element if local_name(element) == "math" else next(element.iter("math"), element)
    return "katex-display" in around or element.get("display") == "true" or inner.get("display") == "block"
