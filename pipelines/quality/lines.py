"""Rules on sentences and lines. Tables, code and rules of dashes are left out; without other lines all are 0."""

from __future__ import annotations

import re

import numpy as np

from pipelines.quality.text import Text
from pipelines.words import Pos
from registry.names import rule

_ENDED = re.compile(r"[。！？!?．.](?:[」』）)\]”\"]|\s)*$")
_BULLET = re.compile(r"(?:[-*+・●○■□◆◇▶►※]|\d{1,3}[.)．）])\s*")
_TITLE = 20  # characters; a title or heading of fewer may well end in a particle
_ELLIPSIS = ("…", "...", "・・・", "。。。", "続きを読む", "もっと見る")


@rule
def sentence_count(doc: Text) -> float:
    """How many sentences end in a full stop, question or exclamation mark."""
    return float(sum(1 for sentence in doc.sentences if _ENDED.search(sentence)))


@rule
def sentence_share(doc: Text) -> float:
    """Share of the characters of prose that stand in sentences which end. 0 in menus and lists of keywords."""
    ended = sum(len(sentence) for sentence in doc.sentences if _ENDED.search(sentence))
    return min(ended / max(sum(map(len, doc.prose)), 1), 1.0)


@rule
def mean_sentence(doc: Text) -> float:
    """Mean length of a sentence in characters."""
    return sum(map(len, doc.sentences)) / max(len(doc.sentences), 1)


@rule
def longest_sentence(doc: Text) -> float:
    """Length of the longest sentence in characters."""
    return float(max(map(len, doc.sentences), default=0))


@rule
def mean_line(doc: Text) -> float:
    """Mean length of a line of prose in characters."""
    return sum(map(len, doc.prose)) / max(len(doc.prose), 1)


@rule
def short_lines(doc: Text, *, shorter_than: int = 10) -> float:
    """Share of the lines of prose that have fewer characters than `shorter_than`."""
    return sum(1 for line in doc.prose if len(line) < shorter_than) / max(len(doc.prose), 1)


@rule
def list_lines(doc: Text) -> float:
    """Share of the lines of prose that begin with a bullet or a number."""
    return sum(1 for line in doc.prose if _BULLET.match(line)) / max(len(doc.prose), 1)


@rule
def ellipsis_lines(doc: Text) -> float:
    """Share of the lines of prose that break off with an ellipsis or an invitation to read on."""
    return sum(1 for line in doc.prose if line.endswith(_ELLIPSIS)) / max(len(doc.prose), 1)


@rule
def broken_off(doc: Text) -> float:
    """1 where the last line of prose stops within a sentence: its last word is a particle or a comma."""
    within = np.flatnonzero(doc.prose_words)
    if not len(within) or doc.tokens.start[within[-1]] < doc.spans[-1][0]:
        return 0.0
    last = within[-1]
    word = doc.text[doc.tokens.start[last] : doc.tokens.end[last]]
    return float(word in "、，," or (doc.tokens.pos[last] == Pos.PARTICLE and len(doc.prose[-1]) > _TITLE))
