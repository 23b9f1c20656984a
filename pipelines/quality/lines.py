"""Rules on sentences and lines. Tables, code and rules of dashes are left out; without other lines all are 0."""

from __future__ import annotations

import numpy as np

from pipelines.quality.texts import Column, Texts, of_many, share
from pipelines.words import Pos
from registry.names import rule

_TITLE = 20  # characters; a title or heading of fewer may well end in a particle


@rule
@of_many
def sentence_count(docs: Texts) -> Column:
    """How many sentences end in a full stop, question or exclamation mark."""
    return docs.sentence_counts.ended.astype(np.float64)


@rule
@of_many
def sentence_share(docs: Texts) -> Column:
    """Share of the characters of prose that stand in sentences which end. 0 in menus and lists of keywords."""
    return np.minimum(docs.sentence_counts.ended_characters / np.maximum(docs.line_counts.characters, 1), 1.0)


@rule
@of_many
def mean_sentence(docs: Texts) -> Column:
    """Mean length of a sentence in characters."""
    return share(docs.sentence_counts.characters, docs.sentence_counts.sentences)


@rule
@of_many
def longest_sentence(docs: Texts) -> Column:
    """Length of the longest sentence in characters."""
    return docs.sentence_counts.longest.astype(np.float64)


@rule
@of_many
def mean_line(docs: Texts) -> Column:
    """Mean length of a line of prose in characters."""
    return share(docs.line_counts.characters, docs.prose.each)


@rule
@of_many
def short_lines(docs: Texts, *, shorter_than: int = 10) -> Column:
    """Share of the lines of prose that have fewer characters than `shorter_than`."""
    lines, of = docs.prose
    shorter = np.append(0, np.cumsum(lines[:, 1] - lines[:, 0] < shorter_than))
    return share(np.diff(shorter[of]), docs.prose.each)


@rule
@of_many
def list_lines(docs: Texts) -> Column:
    """Share of the lines of prose that begin with a bullet or a number."""
    return share(docs.line_counts.listed, docs.prose.each)


@rule
@of_many
def ellipsis_lines(docs: Texts) -> Column:
    """Share of the lines of prose that break off with an ellipsis or an invitation to read on."""
    return share(docs.line_counts.trailing_off, docs.prose.each)


@rule
@of_many
def broken_off(docs: Texts) -> Column:
    """1 where the last line of prose stops within a sentence: its last word is a particle or a comma."""
    lines, of = docs.prose
    found = np.zeros(len(docs))
    last_lines, last_words = of[1:].tolist(), docs.counted.before_end.tolist()
    for place in np.flatnonzero((docs.prose.each > 0) & (docs.counted.before_end > 0)).tolist():
        words, last = docs.words[place], last_words[place] - 1
        first, end, _ = lines[last_lines[place] - 1].tolist()
        start = words.start.item(last)
        if start >= first:
            particle = end - first > _TITLE and words.pos.item(last) == Pos.PARTICLE
            found[place] = particle or words.text[start : words.end.item(last)] in "、，,"
    return found
