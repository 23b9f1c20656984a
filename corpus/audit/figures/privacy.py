"""Personal data: how many pieces of each type were found, and how many were masked, by source. Never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from corpus.audit.ledger import Ledger

_PREFIX = "privacy_"


def privacy(ledger: Ledger) -> dict[str, Any]:
    """By type: pieces found and spans masked, each by source; a source in which there were none is left out."""
    found: dict[str, Any] = {}
    for name, values in ledger.measured.items():
        if name.startswith(_PREFIX):
            type_ = name.removeprefix(_PREFIX)
            counts = np.nan_to_num(values)
            by_source = {source: int(counts[ledger.rows("source", source)].sum()) for source in ledger.values("source")}
            masked = {source: n for (source, stage, rule), n in ledger.cuts.items() if (stage, rule) == ("privacy", type_)}
            found[type_] = {
                "found": {source: count for source, count in by_source.items() if count},
                "masked": masked,
                "documents": int(np.count_nonzero(counts)),
            }
    return found
