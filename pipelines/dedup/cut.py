"""A kept document and its repeated paragraphs -> what is left of it."""

from __future__ import annotations

import re
from typing import Any

_BLANK_LINES = re.compile(r"\n{3,}")
RULE = "repeated_paragraph"
MEASURE = "repeated_paragraphs"


def without_repeated(row: dict[str, Any], repeated: list[dict[str, Any]]) -> dict[str, Any]:
    """The row with the measurement, the cuts, and the text, characters and words that stay.

    Args:
        row: a refined row that is kept.
        repeated: its repeated paragraphs in order, each with start, end, words and whether it is cut.
    """
    measurements = sorted({**dict(row["measurements"]), MEASURE: float(len(repeated))}.items())
    gone = [paragraph for paragraph in repeated if paragraph["cut"]]
    if not gone:
        return {**row, "measurements": measurements}
    text, pieces, at = row["text"], [], 0
    for paragraph in gone:
        pieces.append(text[at : paragraph["start"]])
        at = paragraph["end"]
    left = _BLANK_LINES.sub("\n\n", "".join([*pieces, text[at:]])).strip("\n")
    cuts = [{"stage": "dedup", "rule": RULE, "start": cut["start"], "end": cut["end"]} for cut in gone]
    changed = {
        **row,
        "measurements": measurements,
        "cuts": [*row["cuts"], *cuts],
        "text": left,
        "chars": len(left),
        "words": row["words"] - sum(cut["words"] for cut in gone),
    }
    if left.strip():
        return changed
    share = 1.0  # nothing of its own: the document goes whole, with its text
    return {**row, "fate": "rejected", "stage": "dedup", "rule": RULE, "value": share, "threshold": share}
