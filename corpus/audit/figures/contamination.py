"""Benchmarks in the corpus: which documents overlap with the items of one, as the stage `decontaminate` found it.

In: the ledger and the recipe. Out: whether the recipe compares with any benchmark, and the documents that were rejected
for it, by rule and source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpus.audit.figures.counts import decided

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corpus.audit.ledger import Ledger

_STAGE = "decontaminate"


def contamination(ledger: Ledger, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """`checked` tells apart a corpus without hits from one that was not compared."""
    hits = {name: sources for name, sources in decided(ledger).items() if name.startswith(f"{_STAGE}.")}
    return {"checked": bool(recipe.get(_STAGE)) or bool(hits), "hits": hits}
