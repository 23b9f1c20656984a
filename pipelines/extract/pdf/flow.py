"""Which way the text of a page runs, and a frame in which all text runs to the right.

In: the glyphs and rulings of a page. Out: `Stream`s, the main one first: the same glyphs turned so that reading goes
along x and lines follow along y. Every later file then knows one direction only: a column of vertical Japanese is a
line, its ruby stands above it, its two tiers are two columns, and a landscape table is a table.

Vertical writing is told by where the next ideograph stands (below, at most 1.7 em away) and not by the font, because
Chromium places each glyph on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipelines.extract.pdf.characters import is_cjk
from pipelines.extract.pdf.glyphs import Glyphs
from pipelines.extract.pdf.rulings import Lines, Rulings

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEXT = 1.7  # em: an ideograph further away is not the next
FAR = 4.0  # em: a figure further from the rest of a vertical line is none of it
SOLID = 1.25  # em: ideographs of one line stand no further apart, lines do
RIGHT, UP, LEFT, DOWN = range(4)  # quarter turns counter-clockwise, as `Glyphs.turn`


@dataclass(frozen=True, slots=True)
class Stream:
    """Glyphs and rulings in a frame where text runs to the right; `width` and `height` are the frame's."""

    glyphs: Glyphs
    rulings: Rulings
    width: float
    height: float
    vertical: bool


def streams(glyphs: Glyphs, rulings: Rulings, width: float, height: float) -> list[Stream]:
    """The texts of a page by direction. Glyphs askew (watermarks) are in none; `width` and `height` are in points."""
    turns = np.bincount(glyphs.turn + 1, minlength=5)[1:].tolist()  # glyphs by quarter turns
    if not any(turns):
        return [Stream(glyphs.take(np.zeros(0, np.intp)), rulings, width, height, vertical=False)]
    main = turns.index(max(turns))
    none = Rulings(rulings.across[:0], rulings.down[:0])
    if main == RIGHT and _is_vertical(glyphs):
        upright = glyphs.turn >= 0
        aside = _set_across(glyphs) & upright
        result = [_stream(glyphs.take(upright & ~aside), rulings, DOWN, width, height, vertical=True)]
        return result + ([_stream(glyphs.take(aside), none, RIGHT, width, height)] if aside.any() else [])
    if turns[main] == len(glyphs):
        return [_stream(glyphs, rulings, main, width, height)]
    others = [turn for turn in range(4) if turn != main and turns[turn]]
    return [_stream(glyphs.take(glyphs.turn == main), rulings, main, width, height)] + [
        _stream(glyphs.take(glyphs.turn == turn), none, turn, width, height) for turn in others
    ]


def _is_vertical(glyphs: Glyphs) -> bool:
    """Whether more ideographs and kana are followed by one just below than by one just to the right.

    As the content stream has them; where few follow each other there, as they stand: in columns and in rows.
    """
    cjk = np.flatnonzero(is_cjk(glyphs.code))
    below, beside = _followers(glyphs, cjk, NEXT)
    if not _follows_lines(glyphs):
        x, y = (glyphs.x0[cjk] / glyphs.size[cjk]).round(), (glyphs.y0[cjk] / glyphs.size[cjk]).round()
        below, _ = _followers(glyphs, cjk[np.lexsort((glyphs.y0[cjk], x))], SOLID)
        _, beside = _followers(glyphs, cjk[np.lexsort((glyphs.x0[cjk], y))], SOLID)
    return below > max(4, beside)


def _follows_lines(glyphs: Glyphs) -> bool:
    """Whether the content stream has half of the ideographs after the one that they stand next to."""
    cjk = np.flatnonzero(is_cjk(glyphs.code))
    return 2 * sum(_followers(glyphs, cjk, NEXT)) >= len(cjk)


def _followers(glyphs: Glyphs, order: NDArray[np.intp], furthest: float) -> tuple[int, int]:
    """How many glyphs, in this order, have the next just below, and just to the right, at most `furthest` em away."""
    em = glyphs.size[order[:-1]]
    dx = np.diff(glyphs.x0[order] + glyphs.x1[order]) / 2 / em
    dy = np.diff(glyphs.y0[order] + glyphs.y1[order]) / 2 / em
    below = (abs(dx) < 0.5) & (dy > 0.4) & (dy < furthest)
    beside = (abs(dy) < 0.5) & (dx > 0.4) & (dx < furthest)
    return int(below.sum()), int(beside.sum())


def _set_across(glyphs: Glyphs) -> NDArray[np.bool_]:
    """On a vertical page, the glyphs of its horizontal lines (heads, captions, page numbers).

    These are rows wider than 3.2 em, and letters and figures that no line goes on to: two or three figures side by side
    within a vertical line have the rest of it above or below. None where the stream does not follow lines.
    """
    if not _follows_lines(glyphs):
        return np.zeros(len(glyphs), np.bool_)
    em = glyphs.size[:-1]
    dx = glyphs.x0[1:] - glyphs.x0[:-1]
    dy = (glyphs.y0[1:] + glyphs.y1[1:] - glyphs.y0[:-1] - glyphs.y1[:-1]) / 2
    starts = np.flatnonzero(np.r_[True, ~((abs(dy) < 0.4 * em) & (dx > 0.2 * em) & (dx < 6 * em))])
    x0, x1, size = glyphs.x0[starts], np.maximum.reduceat(glyphs.x1, starts), glyphs.size[starts]
    y0, y1, middle = glyphs.y0[starts], glyphs.y1[starts], (x0 + x1) / 2
    goes_on = (abs(middle[1:] - middle[:-1]) < 0.7 * size[1:]) & (abs(y0[1:] - y1[:-1]) < FAR * size[1:])
    alone = ~(np.r_[False, goes_on] | np.r_[goes_on, False]) & (glyphs.code[starts] < 0x80) & (glyphs.turn[starts] == 0)
    across: NDArray[np.bool_] = (x1 - x0 > 3.2 * size) | alone
    return across.repeat(np.diff(np.r_[starts, len(glyphs)]))


def _stream(
    glyphs: Glyphs, rulings: Rulings, turn: int, width: float, height: float, *, vertical: bool = False
) -> Stream:
    if turn in (UP, DOWN):
        width, height = height, width
    turned = _turned_glyphs(glyphs, turn, width, height)
    if vertical:
        turned = _full_bodies(turned)
    return Stream(turned, _turned_rulings(rulings, turn, width, height), width, height, vertical)


def _turned_glyphs(glyphs: Glyphs, turn: int, width: float, height: float) -> Glyphs:
    """`width` and `height` are those of the new frame."""
    x0, y0, x1, y1 = glyphs.x0, glyphs.y0, glyphs.x1, glyphs.y1
    if turn == DOWN:
        return replace(glyphs, x0=y0, x1=y1, y0=height - x1, y1=height - x0)
    if turn == UP:
        return replace(glyphs, x0=width - y1, x1=width - y0, y0=x0, y1=x1)
    if turn == LEFT:
        return replace(glyphs, x0=width - x1, x1=width - x0, y0=height - y1, y1=height - y0)
    return glyphs


def _turned_rulings(rulings: Rulings, turn: int, width: float, height: float) -> Rulings:
    """`width` and `height` are those of the new frame."""
    across, down = rulings.across, rulings.down
    if turn == DOWN:
        return Rulings(_moved(down, height), _reversed(across, height))
    if turn == UP:
        return Rulings(_reversed(down, width), _moved(across, width))
    if turn == LEFT:
        return Rulings(_reversed(_moved(across, height), width), _reversed(_moved(down, width), height))
    return rulings


def _moved(lines: Lines, extent: float) -> Lines:
    """Lines with their position counted from the other side."""
    return np.column_stack([extent - lines[:, 0], lines[:, 1:]])


def _reversed(lines: Lines, extent: float) -> Lines:
    """Lines with their ends counted from the other side."""
    return np.column_stack([lines[:, 0], extent - lines[:, 2], extent - lines[:, 1]])


def _full_bodies(glyphs: Glyphs) -> Glyphs:
    """Ideographs and marks one em long: in vertical fonts PDFium gives 一 and 、 the box of their ink."""
    short = is_cjk(glyphs.code) & (glyphs.x1 - glyphs.x0 < glyphs.size)
    middle, half = (glyphs.x0 + glyphs.x1) / 2, glyphs.size / 2
    return replace(glyphs, x0=np.where(short, middle - half, glyphs.x0), x1=np.where(short, middle + half, glyphs.x1))
