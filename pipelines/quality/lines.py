"""Rules on sentences and lines. Tables, code and rules of dashes are left out; without other lines all are 0."""

from __future__ import annotations

from pipelines.quality.text import Text
from pipelines.words import Pos
from registry.names import rule

_TITLE = 20  # characters; a title or heading of fewer may well end in a particle


@rule
def sentence_count(doc: Text) -> float:
    """How many sentences end in a full stop, question or exclamation mark."""
    return float(doc.sentence_counts.ended)


@rule
def sentence_share(doc: Text) -> float:
    """Share of the characters of prose that stand in sentences which end. 0 in menus and lists of keywords."""
    return min(doc.sentence_counts.ended_characters / max(doc.line_counts.characters, 1), 1.0)


@rule
def mean_sentence(doc: Text) -> float:
    """Mean length of a sentence in characters."""
    return doc.sentence_counts.characters / max(doc.sentence_counts.sentences, 1)


@rule
def longest_sentence(doc: Text) -> float:
    """Length of the longest sentence in characters."""
    return float(doc.sentence_counts.longest)


@rule
def mean_line(doc: Text) -> float:
    """Mean length of a line of prose in characters."""
    return doc.line_counts.characters / max(len(doc.prose_table), 1)


@rule
def short_lines(doc: Text, *, shorter_than: int = 10) -> float:
    """Share of the lines of prose that have fewer characters than `shorter_than`."""
    from pipelines.quality.scan import count_shorter

    return int(count_shorter(doc.prose_table, shorter_than)) / max(len(doc.prose_table), 1)


@rule
def list_lines(doc: Text) -> float:
    """Share of the lines of prose that begin with a bullet or a number."""
    return doc.line_counts.listed / max(len(doc.prose_table), 1)


@rule
def ellipsis_lines(doc: Text) -> float:
    """Share of the lines of prose that break off with an ellipsis or an invitation to read on."""
    return doc.line_counts.trailing_off / max(len(doc.prose_table), 1)


@rule
def broken_off(doc: Text) -> float:
    """1 where the last line of prose stops within a sentence: its last word is a particle or a comma."""
    if not len(doc.prose_table):
        return 0.0
    first, end, _ = doc.prose_table[-1].tolist()
    tokens, last = doc.tokens, doc.counted.before_end - 1
    start = int(tokens.start[last]) if last >= 0 else -1
    if start < first:
        return 0.0
    word, pos = doc.text[start : tokens.end[last]], int(tokens.pos[last])
    return float(word in "、，," or (pos == Pos.PARTICLE and end - first > _TITLE))
