"""The rules on pairs of characters, which tell misread text from language: see quality/pairs.py."""

from __future__ import annotations

from pipelines.quality.text import Text
from registry.names import rule

FEW = 50  # pairs


@rule
def strange_pairs(doc: Text) -> float:
    """Share of neighbours that Japanese does not have, those within a word that the dictionary knows not counted."""
    total, strange, _, _ = doc.pairs
    return strange / max(total, FEW)


@rule
def strange_kana(doc: Text) -> float:
    """Share of the pairs of kana that stand beside each other far more rarely than chance."""
    _, _, kana, strange = doc.pairs
    return strange / max(kana, FEW)
