"""Numeric-choice questions from a corpus: a figure is cut out of a sentence or table row, and must be told from others.

What NumLLM (2405.00566) calls numeric-sensitive choice tuning; how its authors built their questions is not published,
so this is our own construction. A figure is a value with its sign (△, ▲, -) and unit (円, 千円, 億円, %, 年, ...).
Each wrong option makes one mistake that people and models make: a digit, the scale, the sign, the neighbouring year, or
another figure of the same document. Every question says which document it is from, and where.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from registry.names import Registry

_SCALES = ("円", "千円", "百万円", "億円", "兆円")
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?"
FIGURE = re.compile(
    rf"(?P<figure>(?P<sign>[△▲\-−]?)(?P<digits>{_DIGITS}|\d+(?:\.\d+)?)"
    r"(?P<unit>兆円|億円|百万円|千円|万円|円|%|％|年度|年|株|人|ポイント|倍))"
)
_CELL = re.compile(rf"(?<=\|)\s*(?P<figure>(?P<sign>[△▲\-−]?)(?P<digits>{_DIGITS}|\d+\.\d+)(?P<unit>))\s*(?=\|)")
_SENTENCE, _ROW = re.compile(r"[^。\n]+。?"), re.compile(r"^\|.*\|$", re.MULTILINE)
_BLANK = "□"

distractor: Registry[Callable[[re.Match[str], random.Random], str | None]] = Registry("distractor")


class Question(NamedTuple):
    """A question and where it is from: `start` is the figure's first character in the document's text."""

    prompt: str
    options: tuple[str, ...]
    answer: int
    document: str
    source: str
    start: int
    kind: str  # sentence or table
    numeric: bool = True

    def as_json(self) -> str:
        """One line of JSONL."""
        return json.dumps(self._asdict(), ensure_ascii=False)


def _written(match: re.Match[str], **changes: str) -> str:
    return "".join({**match.groupdict(), **changes}[part] for part in ("sign", "digits", "unit"))


@distractor
def digit(match: re.Match[str], draw: random.Random) -> str | None:
    """One digit is another one."""
    digits = match["digits"]
    place = draw.choice([i for i, c in enumerate(digits) if c.isdigit()])
    others = [d for d in "0123456789" if d != digits[place] and not (place == 0 and d == "0")]
    return _written(match, digits=digits[:place] + draw.choice(others) + digits[place + 1 :])


@distractor
def scale(match: re.Match[str], draw: random.Random) -> str | None:
    """The unit is the next larger or smaller one of 円, 千円, 百万円, 億円, 兆円."""
    unit = match["unit"]
    if unit not in _SCALES:
        return None
    near = [_SCALES[i] for i in range(len(_SCALES)) if abs(i - _SCALES.index(unit)) == 1]
    return _written(match, unit=draw.choice(near))


@distractor
def sign(match: re.Match[str], draw: random.Random) -> str | None:  # noqa: ARG001 - there is but one other sign
    """△ is missing, or there where it was not; years and counts have none."""
    if match["unit"] in {"年", "年度", "株", "人"}:
        return None
    return _written(match, sign="" if match["sign"] else "△")


@distractor
def year(match: re.Match[str], draw: random.Random) -> str | None:
    """A year is the one before or after."""
    if match["unit"] not in {"年", "年度"}:
        return None
    return _written(match, digits=str(max(1, int(float(match["digits"])) + draw.choice([-1, 1]))))


def questions(text: str, *, document: str, source: str, seed: int, options: int = 4) -> Iterator[Question]:
    """At most one question per sentence and per table row of a text; a function of text and seed."""
    draw = random.Random(f"{seed} {document}")  # noqa: S311 - reproducible, not secret
    figures = [match["figure"] for match in FIGURE.finditer(text)]
    for kind, start, piece, match in _pieces(text):
        right, begin, end = match["figure"], *match.span("figure")
        wrong = _wrong(match, figures if kind == "sentence" else [], draw, options - 1)
        if len(wrong) == options - 1:
            choices = [right, *wrong]
            draw.shuffle(choices)
            prompt = f"{piece[:begin]}{_BLANK}{piece[end:]}\n{_BLANK}は次のどれか。{'、'.join(choices)}\n答え:"
            yield Question(prompt, tuple(choices), choices.index(right), document, source, start + begin, kind)


def from_documents(
    texts: Iterable[tuple[str, str, str]], *, seed: int, options: int = 4, most: int | None = None
) -> list[Question]:
    """Questions from documents (id, source, text): all of them, or `most`, drawn at random and in their order."""
    every = (questions(text, document=d, source=s, seed=seed, options=options) for d, s, text in texts)
    made = [question for some in every for question in some]
    if most is None or len(made) <= most:
        return made
    draw = random.Random(f"{seed} most")  # noqa: S311 - reproducible, not secret
    return [made[i] for i in sorted(draw.sample(range(len(made)), most))]


def _pieces(text: str) -> Iterator[tuple[str, int, str, re.Match[str]]]:
    """Sentences and rows of Markdown tables: kind, place, text, and the first figure in a sentence, or in a cell."""
    for sentence in _SENTENCE.finditer(text):
        piece = sentence.group()
        if not piece.startswith("|") and 10 <= len(piece) <= 300 and (found := FIGURE.search(piece)):
            yield "sentence", sentence.start(), piece, found
    for row in _ROW.finditer(text):
        if found := _CELL.search(row.group()):
            yield "table", row.start(), row.group(), found


def _wrong(match: re.Match[str], figures: Iterable[str], draw: random.Random, count: int) -> list[str]:
    """Different wrong options, first one of each kind, then more digits."""
    same_unit = [f for f in dict.fromkeys(figures) if f.endswith(match["unit"])]
    candidates = [distractor.get(name)(match, draw) for name in distractor]
    candidates += [draw.choice(same_unit) if same_unit else None]
    draw.shuffle(candidates)
    candidates += [digit(match, draw) for _ in range(4 * count)]
    different = dict.fromkeys(c for c in candidates if c and c != match["figure"])
    return list(different)[:count]
