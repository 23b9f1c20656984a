"""Segments: stretches of one line that belong together, as text with a box.

In: the glyphs of a stream, and the table cell each lies in. Out: `Segment`s, in no particular order.

Glyphs are chained in the order of the content stream wherever that order and the geometry agree (in numpy: one pass
for a page), and the chains are then joined by geometry alone, so a file whose stream is scrambled gives the same
segments. Spaces follow the gaps: none between ideographs (the quarter-em before Latin letters is typography, not a
space), one where a Latin word ends.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pipelines.extract.pdf.characters import is_cjk, is_cjk_char, is_kana, is_translated, translation
from pipelines.extract.pdf.glyphs import NO_SPACE, REAL_SPACE, WIDE_SPACE, Glyphs
from pipelines.extract.pdf.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RAISED = 0.8  # ratio of sizes: smaller type beside larger may stand above or below its middle
DOTS = frozenset(".．・·…‥")
LEADER = 5  # dots in a row that lead to what follows on their line
LED = 4.0  # em: the widest gap between such a leader and the page number that it leads to
PAGE_NUMBER = pattern("page_number")
REACH = 1.1  # em: the widest gap within a segment, so that a full-width space (1.0) is inside and a gutter outside
NARROW, WORD, WIDE, MIXED = 0.08, 0.28, 0.8, 0.6  # em: gaps that are a space (see `_leads`)
COPIED = 0.2  # em: how far the second print of bold type is off the first
KERNED = -0.2  # em: italics may overhang a space that the document has
LEAST = np.array([WORD, NARROW, KERNED, KERNED], np.float32)  # by what the content stream has before a glyph


@dataclass(slots=True)
class Segment:
    """A stretch of text on one line; lengths in points, in the frame of its stream."""

    x0: float
    y0: float
    x1: float
    y1: float
    size: float  # of its font
    weight: float  # of its font, 400 to 700
    text: str
    cell: int = -1  # of a ruled table, -1 outside
    space: int = NO_SPACE  # what the content stream has before it
    kana: bool = False  # nothing but kana, as ruby is

    @property
    def height(self) -> float:
        """Of its box, in points."""
        return self.y1 - self.y0

    @property
    def middle(self) -> float:
        """The y halfway down its box, in points."""
        return (self.y0 + self.y1) / 2


def chains(glyphs: Glyphs, cells: NDArray[np.int32]) -> list[Segment]:
    """Segments as the content stream has them: cut wherever the next glyph is not the next on the line."""
    if not len(glyphs):
        return []
    em = np.maximum(glyphs.size[1:], glyphs.size[:-1])
    gap = glyphs.x0[1:] - glyphs.x1[:-1]
    overlap = np.minimum(glyphs.y1[1:], glyphs.y1[:-1]) - np.maximum(glyphs.y0[1:], glyphs.y0[:-1])
    height = np.minimum(glyphs.y1[1:] - glyphs.y0[1:], glyphs.y1[:-1] - glyphs.y0[:-1])
    ratio = glyphs.size[1:] / glyphs.size[:-1]
    cjk = is_cjk(glyphs.code)
    reach = np.where(cjk[1:] & cjk[:-1], WIDE, REACH)  # an ideograph that comes later may stand in a gap of one em
    follows = (gap > -0.6 * em) & (gap < reach * em) & (overlap > 0.5 * height) & (cells[1:] == cells[:-1])
    follows &= (ratio > 0.75) & (ratio < 1.34) & (glyphs.x1[1:] > glyphs.x0[:-1] + 0.2 * em)
    starts = np.append(0, np.flatnonzero(~follows) + 1)
    leads = np.zeros(len(glyphs), np.uint32)
    leads[1:] = np.where(follows, _leads(glyphs, cjk, gap / em), 0)
    return _segments(glyphs, cells, starts, leads)


def _leads(glyphs: Glyphs, cjk: NDArray[np.bool_], gap: NDArray[np.floating]) -> NDArray[np.uint32]:
    """The space (0, U+0020, or U+3000 between ideographs) between each glyph and the one before, `gap` em apart."""
    both, one = cjk[1:] & cjk[:-1], cjk[1:] ^ cjk[:-1]
    space = glyphs.space[1:]
    wide = both & (space == WIDE_SPACE) & (gap > MIXED)
    mixed = one & ((gap > MIXED) | ((space >= REAL_SPACE) & (gap > 0.2)))
    least = LEAST[space]
    latin = ~both & ~one & (gap > least)
    return np.where(wide, np.uint32(0x3000), np.where(mixed | latin, np.uint32(0x20), np.uint32(0)))


def _segments(
    glyphs: Glyphs, cells: NDArray[np.int32], starts: NDArray[np.intp], leads: NDArray[np.uint32]
) -> list[Segment]:
    ends = np.append(starts[1:], len(glyphs))
    with_spaces = np.zeros(2 * len(glyphs), np.uint32)
    with_spaces[0::2], with_spaces[1::2] = leads, glyphs.code
    kept = with_spaces != 0
    position = np.append(0, np.cumsum(kept)[1::2])
    text = with_spaces[kept].tobytes().decode("utf-32-le", "replace")
    kana = np.minimum.reduceat(is_kana(glyphs.code), starts)
    columns = [
        np.minimum.reduceat(glyphs.x0, starts), np.minimum.reduceat(glyphs.y0, starts),
        np.maximum.reduceat(glyphs.x1, starts), np.maximum.reduceat(glyphs.y1, starts),
        glyphs.size[starts], glyphs.weight[starts], cells[starts], glyphs.space[starts],
        kana, position[starts], position[ends],
    ]  # fmt: skip
    table = translation() if is_translated(glyphs.code).any() else {}
    return [
        Segment(
            x0,
            y0,
            x1,
            y1,
            size,
            weight,
            text[start:end].translate(table) if table else text[start:end],
            cell,
            space,
            alone,
        )
        for x0, y0, x1, y1, size, weight, cell, space, alone, start, end in zip(
            *(c.tolist() for c in columns), strict=True
        )
    ]


def joined(segments: list[Segment]) -> list[Segment]:
    """Segments with those that touch on one line made one, whatever order the content stream drew them in.

    Once more where there are leaders then: an entry of a table of contents is one line, page and all.
    """
    whole = _joined(segments)
    return _joined(whole) if any(_ends_in_leader(s.text) for s in whole) else whole


def _ends_in_leader(text: str) -> bool:
    return text[-1] in DOTS and DOTS.issuperset(end := text.replace(" ", "")[-LEADER:]) and len(end) == LEADER


def _joined(segments: list[Segment]) -> list[Segment]:
    after, before, copies = _neighbours(segments)
    return [
        _follow(index, segment, segments, after)
        for index, segment in enumerate(segments)
        if before[index] < 0 and index not in copies
    ]


def _neighbours(segments: list[Segment]) -> tuple[list[int], list[int], set[int]]:
    """For each segment the one that follows it on its line within reach, and the one that it follows; -1 for none.

    And the copies: what is printed over itself, for bold or a shadow, is read once.
    """
    found, copies = [], set()
    for i, j in _at_one_height(segments):
        first, second = (i, j) if segments[i].x0 <= segments[j].x0 else (j, i)
        if _touch(segments[first], segments[second]):
            found.append((segments[second].x0 - segments[first].x0, first, second))
        elif _is_copy(segments[second], segments[first]):
            copies.add(second)
        elif _is_copy(segments[first], segments[second]):
            copies.add(first)
    after, before = [-1] * len(segments), [-1] * len(segments)
    for _, first, second in sorted(found):
        if after[first] < 0 and before[second] < 0 and not copies & {first, second}:
            after[first], before[second] = second, first
    return after, before, copies


def _is_copy(one: Segment, other: Segment) -> bool:
    """Whether `one` stands over a part of `other` that says the same; single letters may be parts of one glyph."""
    slack = COPIED * other.size
    within = one.x0 > other.x0 - slack and one.x1 < other.x1 + slack and abs(one.y0 - other.y0) < slack
    return within and len(one.text) > 1 and one.cell == other.cell and one.text in other.text


def _at_one_height(segments: list[Segment]) -> Iterator[tuple[int, int]]:
    """Pairs of segments whose middles are no further apart than half the tallest is high."""
    order = sorted(range(len(segments)), key=lambda i: segments[i].middle)
    middles = [segments[i].middle for i in order]
    reach = max((s.height for s in segments), default=0.0) / 2
    for at, i in enumerate(order):
        for other in range(at + 1, bisect_right(middles, middles[at] + reach)):
            yield i, order[other]


def _touch(first: Segment, second: Segment) -> bool:
    """Whether `second`, which starts further right, goes on with the line of `first`."""
    em, least = max(first.size, second.size), min(first.size, second.size)
    gap = second.x0 - first.x1
    near = -0.6 * em < gap < LED * least and second.x1 > first.x0 + 0.2 * em
    if not near or first.cell != second.cell or not _on_one_line(first, second):
        return False
    return gap < REACH * least or (_ends_in_leader(first.text) and bool(PAGE_NUMBER.fullmatch(second.text)))


def _on_one_line(a: Segment, b: Segment) -> bool:
    """Whether two heights overlap by half the lower one; by a fifth of it where it is an index or a note mark."""
    overlap = min(a.y1, b.y1) - max(a.y0, b.y0)
    small = min(a.size, b.size) < RAISED * max(a.size, b.size)
    return overlap > (0.2 if small else 0.5) * min(a.height, b.height)


def _follow(index: int, segment: Segment, segments: list[Segment], after: list[int]) -> Segment:
    """`segment` and all that follow it, as one; size and weight are those of its longest piece."""
    pieces = [segment]
    while after[index] >= 0:
        index = after[index]
        pieces.append(segments[index])
    return merged(pieces) if len(pieces) > 1 else segment


def merged(pieces: list[Segment]) -> Segment:
    """Segments of one line, from left to right, as one; size and weight are those of its longest piece."""
    text = pieces[0].text
    for last, piece in pairwise(pieces):
        text += space_between(last, piece) + piece.text
    main = max(pieces, key=lambda piece: len(piece.text))
    box = min(p.x0 for p in pieces), min(p.y0 for p in pieces), max(p.x1 for p in pieces), max(p.y1 for p in pieces)
    return Segment(*box, main.size, main.weight, text, main.cell, pieces[0].space, all(p.kana for p in pieces))


def space_between(a: Segment, b: Segment) -> str:
    """What stands between two neighbours on one line, by the rules of `_leads`."""
    gap = (b.x0 - a.x1) / max(a.size, b.size)
    left, right = is_cjk_char(a.text[-1]), is_cjk_char(b.text[0])
    if left and right:
        return "　" if gap > WIDE else ""
    if left or right:
        return " " if gap > MIXED or (b.space >= REAL_SPACE and gap > 0.2) else ""
    return " " if gap > LEAST[b.space] else ""
