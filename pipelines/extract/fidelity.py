"""What of a source's figures stands in the output: the check that nothing was lost, made for every document.

In: a tree of markup and the Markdown made of it. Out: `numbers_kept` and `signs_kept`, the shares of the figures, and
of the figures after △, ▲ or a minus, that a reader sees in the source and that stand in the output, each as often;
and, where asked for, which are missing and where. The reference is a walk of its own, not the one that writes.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from lxml import etree

from pipelines.extract.majority import MARKS
from pipelines.extract.markup import ZERO_WIDTH, element_names, is_block, is_hidden, local_name

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = r"\d+(?:[.,．，]\d+)*"
FIGURES = re.compile(NUMBER)
SIGNED = re.compile(rf"[△▲−－–-][ \xa0\u3000]*{NUMBER}")  # a dash between figures must be kept as well
APART = frozenset({"br", "sup", "sub", "code", "math"})  # in a line, but figures in them are not those beside them
CELLS = re.compile(r"\n|(?<!\\)\|")
CONTEXT = 24  # characters shown on either side of a figure that is missing
MOST_TOLD = 50


def visible_text(root: etree._Element) -> str:
    """What a reader sees of a page, each block on its own line."""
    pieces: list[str] = []
    hidden = element_names("hidden")
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        name = local_name(element)
        if event == "start" and is_hidden(element, name, hidden):
            walk.skip_subtree()
        elif event == "start":
            pieces += [_edge(element, name), element.text or ""]
        if event != "start" and element is not root:
            pieces += [_edge(element, name), element.tail or ""]
    return ZERO_WIDTH.sub("", "".join(pieces))


def _edge(element: etree._Element, name: str) -> str:
    return "\n" if name in APART or is_block(element, name, element_names("block")) else ""


def fidelity(source: str, output: str) -> dict[str, float]:
    """The shares of the figures and signed figures of `source` that `output` has, each as often; 1 for none."""
    return {"numbers_kept": _kept(FIGURES, source, output), "signs_kept": _kept(SIGNED, source, output)}


def _kept(pattern: re.Pattern[str], source: str, output: str) -> float:
    wanted, found = _figures(pattern, source), _figures(pattern, output)
    return (wanted & found).total() / wanted.total() if wanted else 1.0


def _figures(pattern: re.Pattern[str], text: str) -> Counter[str]:
    return Counter(map(_bare, pattern.findall(text)))


def _bare(figure: str) -> str:
    return "".join(figure.split())


def missing(source: str, output: str) -> str:
    """A line for each figure of `source` that `output` has less often, signed ones first: it, and what is around it."""
    lines = list(_missing(SIGNED, source, output)) + list(_missing(FIGURES, source, output))
    told = lines[:MOST_TOLD]
    return "\n".join(told + [f"and {len(lines) - MOST_TOLD} more"] * (len(lines) > MOST_TOLD))


def _missing(pattern: re.Pattern[str], source: str, output: str) -> Iterator[str]:
    """Of several equal figures those are told whose line is not in the output, then the first ones."""
    lost = _figures(pattern, source) - _figures(pattern, output)
    if not lost:
        return
    lines = {_words(line) for line in CELLS.split(output)}
    hits = [hit for hit in pattern.finditer(source) if lost[_bare(hit.group())]]
    told = []
    for hit in sorted(hits, key=lambda hit: _words(_line(source, hit)) in lines):
        figure = _bare(hit.group())
        if lost[figure]:
            lost[figure] -= 1
            told.append(hit)
    for hit in sorted(told, key=lambda hit: hit.start()):
        around = source[max(0, hit.start() - CONTEXT) : hit.end() + CONTEXT]
        yield f"{_bare(hit.group())}\t{' '.join(around.split())}"


def _words(line: str) -> str:
    """A line without white space and Markdown's marks."""
    return MARKS.sub("", line)


def _line(text: str, hit: re.Match[str]) -> str:
    end = text.find("\n", hit.end())
    return text[text.rfind("\n", 0, hit.start()) + 1 : end if end >= 0 else len(text)]
