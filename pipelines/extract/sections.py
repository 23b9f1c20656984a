"""Blocks of a report -> its sections, each with the headings it stands under.

In: the blocks of one file. Out: runs of blocks with their path. Headings are those marked as such, and paragraphs that
are nothing but a numbered title of the disclosure form; ``sections.yaml`` has the forms of EDINET and SEC. A file is
cut at its high headings; what is still longer than 20,000 characters is cut again, a level at a time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.data import read_data

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.extract.tables import Block

LOWEST = 6


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks, and the headings that they stand under, from the highest down."""

    under: tuple[Block, ...]
    blocks: list[Block]

    @property
    def path(self) -> tuple[str, ...]:
        """The headings as text, each on one line."""
        return tuple(" ".join(heading.text.split()) for heading in self.under)


def sections(blocks: Iterable[Block]) -> list[Section]:
    """The sections of a file, in order; nothing is left out."""
    marked = _marked(list(blocks))
    rules = _rules()
    highest = min((block.level for block in marked if block.level), default=0)
    level = rules["cut_at"] if highest <= rules["cut_at"] else LOWEST
    return [piece for section in _cut(marked, level, ()) for piece in _shortened(section, level)]


def _shortened(section: Section, level: int) -> list[Section]:
    """The section, or its own sections one level further down where it is too long and has any."""
    if _length(section.blocks) <= _rules()["longest"] or level >= LOWEST:
        return [section]
    inside = {id(block) for block in section.blocks}
    pieces = _cut(section.blocks, level + 1, tuple(block for block in section.under if id(block) not in inside))
    return [smaller for piece in pieces for smaller in _shortened(piece, level + 1)]


def _cut(blocks: list[Block], cut_at: int, under: tuple[Block, ...]) -> list[Section]:
    """The blocks cut at headings of the level `cut_at` and above; short pieces stay with what follows."""
    found: list[Section] = []
    above = under  # the headings that what comes stands under
    own = under  # those that the section at hand stands under
    section: list[Block] = []
    for block in blocks:
        if 0 < block.level <= cut_at:
            if _length(section) >= _rules()["shortest"]:
                found.append(Section(own, section))
                section = []
            above = (*(heading for heading in above if heading.level < block.level), block)
        if all(b.level for b in section):
            own = above
        section.append(block)
    if found and _length(section) < _rules()["shortest"]:
        found[-1].blocks.extend(section)
    elif section:
        found.append(Section(own, section))
    return found


def _length(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def _marked(blocks: list[Block]) -> list[Block]:
    """Paragraphs that are titles by their form become headings; a run of short ones is an enumeration and does not."""
    levels = [_level(block) for block in blocks]
    doubtful = _rules()["titles"]["level"]
    for index, level in enumerate(levels):
        if level >= doubtful and not blocks[index].level and level in levels[index + 1 : index + 2]:
            levels[index] = -level
    for index in range(1, len(levels)):
        if levels[index] >= doubtful and levels[index - 1] == -levels[index]:
            levels[index] = -levels[index]
    return [
        replace(block, level=level) if level > 0 and not block.level else block
        for block, level in zip(blocks, levels, strict=True)
    ]


def _level(block: Block) -> int:
    if block.level or not block.plain or "\n" in block.text:
        return block.level
    text = block.text
    if len(text) <= _rules()["longest_heading"]:
        for level, form in _forms("headings"):
            if form.fullmatch(text):
                return level
    titles = _rules()["titles"]
    if len(text) <= titles["longest"] and not re.search(titles["never"], text):
        for offset, form in _forms("numbered"):
            if form.match(text):
                return int(titles["level"]) + offset
    return 0


@cache
def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = read_data(Path(__file__).with_suffix(".yaml"))
    return rules


@cache
def _forms(key: str) -> list[tuple[int, re.Pattern[str]]]:
    return [(level, re.compile(form)) for level, form in sorted(_rules()[key].items())]
