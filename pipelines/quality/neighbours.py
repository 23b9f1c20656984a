"""The rules on pairs of characters, which tell misread text from language: see quality/pairs.py."""

from __future__ import annotations

from pipelines.quality.texts import Column, Texts, of_many, share
from registry.names import rule

FEW = 50  # pairs


@rule
@of_many
def strange_pairs(docs: Texts) -> Column:
    """Share of neighbours that Japanese does not have, those within a word that the dictionary knows not counted."""
    total, strange, _, _ = docs.pairs.T
    return share(strange, total, FEW)


@rule
@of_many
def strange_kana(docs: Texts) -> Column:
    """Share of the pairs of kana that stand beside each other far more rarely than chance."""
    _, _, kana, strange = docs.pairs.T
    return share(strange, kana, FEW)
