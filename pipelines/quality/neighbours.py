"""The rule on pairs of characters, which tells misread text from language: see quality/pairs.py."""

from __future__ import annotations

from pipelines.quality.text import Text
from registry.names import rule

FEW = 50  # pairs


@rule
def strange_pairs(doc: Text) -> float:
    """Share of neighbours that Japanese does not have, plus that of kana beside each other far more rarely than chance.

    Old spelling and rare names are strange in the first way only, text that was misread in both.
    """
    total, strange, kana, strange_kana = doc.pairs
    return strange / max(total, FEW) + strange_kana / max(kana, FEW)
