"""Sources of textbooks (Quarto, reStructuredText, LaTeX, Markdown) -> plain Markdown.

In: the text of a source. Out: what its reader sees, in Markdown: no comments, chunk options, directives or preamble;
headings as headings, tables of LaTeX as tables. Code stays as it is. What each format looks like, and what is rewritten
in it, is a list of patterns in ``sources.yaml``: it follows these formats as far as their own text goes, and runs no
macros.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from pipelines.extract.tables import Block, Cell, Table, span
from registry.data import read_data

MARK = "\ue000{}\ue001"  # a piece of code, by its number, while the text around it is rewritten
LATEX_ROW = re.compile(r"\\\\(?:\[[^\]\n]*\])?|\\tabularnewline\b")
LATEX_CELL = re.compile(r"(?<!\\)&")
LATEX_WIDE = re.compile(r"\\multicolumn\{(\d{1,3})\}\{[^{}\n]*\}\{(.*)\}", re.DOTALL)
LATEX_RULE = re.compile(
    r"(?<!\\)%.*|\\(?:hline|toprule|midrule|bottomrule|endhead|endfirsthead)\b|\\(?:cline|cmidrule(?:\([^()\n]*\))?)\{[^{}\n]*\}"
)
MARKED = re.compile("\ue000(\\d+)\ue001")


def plain_markdown(text: str) -> str:
    """`text` as Markdown: rewritten by the rules of the format that it looks like, or as it is."""
    rules = next((rules for rules in _formats() if rules["sign"].search(text)), None)
    if rules is None:
        return text
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(_rewritten(found.expand(rules["code_as"]), rules["in_code"]))
        return MARK.format(len(kept) - 1)

    text = rules["code"].sub(keep, text.replace("\ue000", "").replace("\ue001", ""))
    if rules["table"]:
        text = rules["table"].sub(_table, text)
    text = _headings(_rewritten(text, rules["elsewhere"]), rules["underlines"])
    text = MARKED.sub(lambda found: kept[int(found.group(1))], text)
    return re.sub(r"\n{3,}", "\n\n", text)


def _rewritten(text: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _headings(text: str, underlines: re.Pattern[str] | None) -> str:
    """Underlined titles as headings; the order in which the underlines come is that of the levels (docutils)."""
    if underlines is None:
        return text
    levels: list[str] = []

    def heading(found: re.Match[str]) -> str:
        mark = found.group("mark") + str(found.group("over") is not None)
        if mark not in levels:
            levels.append(mark)
        return f"{'#' * min(6, levels.index(mark) + 1)} {found.group('title').strip()}\n"

    return underlines.sub(heading, text)


def _table(found: re.Match[str]) -> str:
    """A table of LaTeX as one of Markdown: what is over several columns stands in the first of them."""
    table = Table()
    for row in LATEX_ROW.split(LATEX_RULE.sub("", found.group("rows"))):
        table.open_row()
        for cell in LATEX_CELL.split(row):
            wide = LATEX_WIDE.fullmatch(cell.strip())
            text = " ".join((wide.group(2) if wide else cell).split())
            table.add(Cell([Block(text)] if text else [], span(wide.group(1)) if wide else 1))
    return "\n" + "\n\n".join(map(str, table.blocks())) + "\n"


@cache
def _formats() -> list[dict[str, Any]]:
    read: dict[str, dict[str, Any]] = read_data(Path(__file__).with_suffix(".yaml"))
    return [
        {
            "sign": re.compile(rules["sign"], re.MULTILINE),
            "code": re.compile(rules["code"], re.MULTILINE),
            "code_as": rules["code_as"],
            "table": re.compile(rules["table"]) if "table" in rules else None,
            "underlines": re.compile(rules["underlines"], re.MULTILINE) if "underlines" in rules else None,
            **{
                key: [(re.compile(a, re.MULTILINE), b) for a, b in rules.get(key, [])]
                for key in ("in_code", "elsewhere")
            },
        }
        for rules in read.values()
    ]
