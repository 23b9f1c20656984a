"""Lines: the segments of a region row by row.

In: segments of one region. Out: rows of them from top to bottom, and each row as a `Line` of text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.extract.pdf.characters import CJK, is_cjk_char
from pipelines.extract.pdf.patterns import pattern
from pipelines.extract.pdf.segments import DOTS, LEADER, Segment, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Row = list[Segment]  # from left to right
_SOLID = "".join(f"{chr(first)}-{chr(last)}" for first, last in CJK)
LEADERS = pattern("leader")
# What a line may not end with, a word or an ideograph, and what a line may not start with (JIS X 4051).
FIRST_WORD = re.compile(
    rf"[「『（〔［【〈《“(\[]*(?:[^\s{_SOLID}]+|.)[、。，．・：；！？」』）〕］】〉》ーゝ々ぁ-ぉっゃ-ょァ-ォッャ-ョ]*"
)


@dataclass(slots=True)
class Line:
    """One line of text; lengths in points."""

    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    weight: float
    text: str

    @property
    def middle(self) -> float:
        """The y halfway down its box, in points."""
        return (self.y0 + self.y1) / 2

    @property
    def first_word(self) -> float:
        """The width in points of what would have to fit on the line before: an ideograph and its marks, or a word."""
        word = FIRST_WORD.match(self.text)
        end = word.end() if word else 1
        solid = sum(map(is_cjk_char, self.text[:end]))
        return solid * self.size + (end - solid) * self._letter

    @property
    def _letter(self) -> float:
        """The mean width in points of what is not set solid."""
        solid = sum(map(is_cjk_char, self.text))
        others = len(self.text) - solid
        return max(self.x1 - self.x0 - solid * self.size, 0.0) / others if others else 0.0


def rows_of(segments: Iterable[Segment]) -> list[Row]:
    """Segments by line: those whose heights overlap by half the lower one stand on one line."""
    rows: list[Row] = []
    bands: list[tuple[float, float]] = []
    for segment in sorted(segments, key=lambda s: s.middle):
        if rows:
            top, bottom = bands[-1]
            overlap = min(bottom, segment.y1) - max(top, segment.y0)
            if overlap > 0.5 * min(bottom - top, segment.height):
                rows[-1].append(segment)
                if segment.size >= max(s.size for s in rows[-1]):
                    bands[-1] = (segment.y0, segment.y1)
                continue
        rows.append([segment])
        bands.append((segment.y0, segment.y1))
    for row in rows:
        row.sort(key=lambda s: s.x0)
    return rows


def line_of(row: Sequence[Segment]) -> Line:
    """A row as one line of text."""
    whole = row[0] if len(row) == 1 else merged(list(row))
    text = whole.text
    if sum(map(text.count, DOTS)) >= LEADER:
        text = LEADERS.sub(" … ", text).strip()
    return Line(whole.x0, whole.y0, whole.x1, whole.y1, whole.size, whole.weight, text)


def joined_text(lines: Sequence[Line]) -> str:
    """Lines that read on, as one text: solid between ideographs, a space between words, hyphenation undone."""
    text = ""
    for line in lines:
        text = join(text, line.text)
    return text


def join(text: str, more: str) -> str:
    """`text` and the line after it."""
    if not text or not more:
        return text or more
    if text[-1] in "-‐" and text[-2:-1].isalpha() and more[0].islower():
        return text[:-1] + more
    solid = is_cjk_char(text[-1]) or is_cjk_char(more[0])
    return text + more if solid else f"{text} {more}"


def mid_sentence(text: str, more: str) -> bool:
    """Whether a Latin sentence plainly goes on, however short the line was: small letters on both sides of its end."""
    return len(text) > 20 and text[-1].isascii() and (text[-1].islower() or text[-1] == ",") and more[0].islower()
