"""What the corpus is written in: the shares of scripts among the characters of the kept documents, by source.

In: the ratios that every document has in the ledger, weighted by its characters. What is left of 1 is Latin letters and
a little else. `japanese` is the share of Japanese among the letters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from corpus.audit.ledger import Ledger

SCRIPTS = ("kanji", "hiragana", "katakana", "number", "symbol", "foreign")


def scripts(ledger: Ledger) -> dict[str, dict[str, float]]:
    """Source -> share of each script, `latin` and the rest, and the share of Japanese among letters."""
    found = {}
    kept = ledger.rows("fate", "kept")
    weights = np.nan_to_num(ledger.measured.get("characters", np.zeros(len(ledger))))
    for source in ledger.values("source"):
        rows = np.intersect1d(kept, ledger.rows("source", source), assume_unique=True)
        whole = weights[rows].sum()
        if not whole:
            continue
        shares = {
            name: float(np.dot(np.nan_to_num(ledger.measured[f"{name}_ratio"][rows]), weights[rows]) / whole)
            for name in (*SCRIPTS, "japanese")
            if f"{name}_ratio" in ledger.measured
        }
        rest = max(1.0 - sum(shares.get(name, 0.0) for name in SCRIPTS), 0.0)
        found[source] = {name: round(share, 6) for name, share in shares.items()} | {"latin": round(rest, 6)}
    return found
