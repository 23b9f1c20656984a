"""Presentation MathML -> LaTeX (MathML 3.0, chapter 3).

In: a <math> element. Out: one line of LaTeX. Symbols are in ``mathml.yaml``; what is not known stands as it is.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.extract.markup import local_name, text_of
from registry.data import read_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

DEEPEST = 60  # levels: what nests deeper is no formula
ONE_SYMBOL = re.compile(r"\w|\\\w+|")


def latex(element: etree._Element, depth: int = 0) -> str:
    """An element of MathML, with all in it."""
    name = local_name(element)
    if name in {"mi", "mn", "mo", "mtext", "ms"}:
        return _token(name, text_of(element).strip())
    if depth > DEEPEST or name in {"annotation", "annotation-xml"}:
        return ""
    parts = [latex(child, depth + 1) for child in element.iterchildren() if isinstance(child.tag, str)]
    count, write = FORMS.get(name, (None, _joined))
    return write(parts) if count in {None, len(parts)} else _joined(parts)


def _token(name: str, text: str) -> str:
    if name == "mtext":
        return rf"\text{{{text}}}"
    known = "".join(_symbols()["characters"].get(character, character) for character in text)
    if name == "mi" and len(text) > 1:
        named: str = _symbols()["names"].get(text, rf"\mathrm{{{known}}}")
        return named
    return known


def _joined(parts: list[str]) -> str:
    """One after another; a space where a command would run into a letter."""
    text = ""
    for part in filter(None, parts):
        text += f" {part}" if re.search(r"\\[a-zA-Z]+$", text) and part[0].isalpha() else part
    return text


def _scripted(places: str) -> Callable[[list[str]], str]:
    def write(parts: list[str]) -> str:
        base, *scripts = parts
        base = base if ONE_SYMBOL.fullmatch(base) else f"{{{base}}}"
        return base + "".join(f"{place}{{{script}}}" for place, script in zip(places, scripts, strict=True))

    return write


def _over(parts: list[str]) -> str:
    base, mark = parts
    if mark in _symbols()["accents"]:
        return f"{_symbols()['accents'][mark]}{{{base}}}"
    return _scripted("^")(parts) if base in _symbols()["operators"] else rf"\overset{{{mark}}}{{{base}}}"


def _under(parts: list[str]) -> str:
    base, mark = parts
    return _scripted("_")(parts) if base in _symbols()["operators"] else rf"\underset{{{mark}}}{{{base}}}"


def _matrix(rows: list[str]) -> str:
    return r"\begin{matrix}" + r" \\ ".join(rows) + r"\end{matrix}"


# How an element is written, and how many children it must have for that.
FORMS: dict[str, tuple[int | None, Callable[[list[str]], str]]] = {
    "mfrac": (2, lambda parts: rf"\frac{{{parts[0]}}}{{{parts[1]}}}"),
    "msqrt": (None, lambda parts: rf"\sqrt{{{_joined(parts)}}}"),
    "mroot": (2, lambda parts: rf"\sqrt[{parts[1]}]{{{parts[0]}}}"),
    "msub": (2, _scripted("_")),
    "msup": (2, _scripted("^")),
    "msubsup": (3, _scripted("_^")),
    "munderover": (3, _scripted("_^")),
    "mover": (2, _over),
    "munder": (2, _under),
    "mtable": (None, _matrix),
    "mtr": (None, " & ".join),
}


@cache
def _symbols() -> dict[str, Any]:
    read: dict[str, Any] = read_data(Path(__file__).with_suffix(".yaml"))
    return read
