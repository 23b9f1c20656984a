"""Extraction: were the numbers and minus signs kept, what could not be read and why, which pages had no text.

In: the ledger. Out: plain counts. `numbers_kept` and `signs_kept` are ratios that the extractors measure per input
against what is visible in it; `whole` counts the documents where nothing was lost.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from corpus.audit.figures.counts import ratio

if TYPE_CHECKING:
    from corpus.audit.ledger import Ledger

_FIDELITY = ("numbers_kept", "signs_kept")
_PAGES = ("pages", "pages_without_text", "undecodable")


def extraction(ledger: Ledger) -> dict[str, Any]:
    """Fidelity and pages by source, failures by reason and source."""
    return {
        **{name: _fidelity(ledger, name) for name in _FIDELITY},
        **{name: _summed(ledger, name) for name in _PAGES},
        "failures": failures(ledger),
    }


def failures(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Reason -> source -> inputs or parts of one; a reason is the first word of the ledger's `error`."""
    failed = ledger.table.select(["error", "source"]).take(pa.array(ledger.rows("fate", "failed")))
    found: dict[str, Counter[str]] = {}
    for row in failed.to_pylist():
        found.setdefault((row["error"] or "").partition(":")[0] or "unknown", Counter())[row["source"]] += 1
    return {
        reason: dict(sorted(found[reason].items())) for reason in sorted(found, key=lambda r: (-found[r].total(), r))
    }


def _fidelity(ledger: Ledger, name: str) -> dict[str, dict[str, Any]]:
    found = {}
    for source in ledger.values("source"):
        values = ledger.measured.get(name, np.full(len(ledger), np.nan))[ledger.rows("source", source)]
        values = values[np.isfinite(values)]
        if values.size:
            whole = int(np.count_nonzero(values >= 1.0))
            found[source] = {
                "documents": int(values.size),
                "whole": whole,
                "whole_ratio": ratio(whole, values.size),
                "mean": float(f"{values.mean():.6g}"),
                "least": float(f"{values.min():.6g}"),
            }
    return found


def _summed(ledger: Ledger, name: str) -> dict[str, int]:
    if name not in ledger.measured:
        return {}
    values = np.nan_to_num(ledger.measured[name])
    return {source: int(values[ledger.rows("source", source)].sum()) for source in ledger.values("source")}
