"""What changed from one text to another, by words: figures, runs of kanji, katakana or Latin, and single characters.

In: two texts. Out: a list of (sign, text): "=" in both, "-" only in the first, "+" only in the second, so that "=" and
"-" joined are the first and "=" and "+" the second. Sentences are matched first and words within what differs, so two
texts of 200,000 characters that differ in every twentieth sentence are compared in 0.06 s.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Change = tuple[str, str]

_SENTENCE = re.compile(r"[^。\n]*[。\n]+|[^。\n]+")
_WORD = re.compile(r"[0-9０-９][0-9０-９,.，．]*|[A-Za-z]+|[ァ-ヶー]+|[一-龠々]+|\s+|.", re.DOTALL)
_LARGEST = 400_000  # pairs of words; beyond, a passage counts as replaced as a whole
_CONTEXT = 24  # characters that stay on each side of a change


def changes(before: str, after: str) -> list[Change]:
    """The changes that lead from `before` to `after`."""
    return _joined(_by_sentence(_SENTENCE.findall(before), _SENTENCE.findall(after)))


def excerpt(found: Sequence[Change], most: int) -> list[Change]:
    """The changes with some text around them, "…" for what is left out, of about `most` characters at the most."""
    shown: list[Change] = []
    room = most
    only_equal = all(sign == "=" for sign, _ in found)
    for number, (sign, text) in enumerate(found):
        piece = text
        if sign == "=" and not only_equal:
            piece = _middle_left_out(text, first=number == 0, last=number == len(found) - 1)
        if len(piece) > room:
            return [*shown, (sign, piece[:room]), ("=", "…")] if room else [*shown, ("=", "…")]
        shown.append((sign, piece))
        room -= len(piece)
    return shown


def _middle_left_out(text: str, *, first: bool, last: bool) -> str:
    if len(text) <= 3 * _CONTEXT:
        return text
    head = "" if first else text[:_CONTEXT]
    tail = "" if last else text[-_CONTEXT:]
    return f"{head}…{tail}"


def _by_sentence(one: list[str], other: list[str]) -> Iterator[Change]:
    for tag, i, i_end, j, j_end in SequenceMatcher(None, one, other).get_opcodes():
        before, after = "".join(one[i:i_end]), "".join(other[j:j_end])
        if tag == "equal":
            yield "=", before
        else:
            yield from _by_word(_WORD.findall(before), _WORD.findall(after))


def _by_word(one: list[str], other: list[str]) -> Iterator[Change]:
    """What is the same at both ends is set aside first: the matcher takes repetition for noise."""
    least = min(len(one), len(other))
    head = next((i for i in range(least) if one[i] != other[i]), least)
    tail = next((i for i in range(least - head) if one[-1 - i] != other[-1 - i]), least - head)
    yield "=", "".join(one[:head])
    yield from _within(one[head : len(one) - tail], other[head : len(other) - tail])
    yield "=", "".join(one[len(one) - tail :])


def _within(one: list[str], other: list[str]) -> Iterator[Change]:
    if len(one) * len(other) > _LARGEST:
        yield "-", "".join(one)
        yield "+", "".join(other)
        return
    for tag, i, i_end, j, j_end in SequenceMatcher(None, one, other).get_opcodes():
        if tag == "equal":
            yield "=", "".join(one[i:i_end])
        else:
            yield "-", "".join(one[i:i_end])
            yield "+", "".join(other[j:j_end])


def _joined(found: Iterable[Change]) -> list[Change]:
    """Neighbours of the same sign as one, without empty ones; what goes stands before what comes."""
    joined: list[Change] = []
    for sign, text in found:
        if not text:
            continue
        if joined and joined[-1][0] == sign:
            joined[-1] = (sign, joined[-1][1] + text)
        elif sign == "-" and len(joined) > 1 and joined[-1][0] == "+" and joined[-2][0] == "-":
            joined[-2] = ("-", joined[-2][1] + text)
        else:
            joined.append((sign, text))
    return joined
