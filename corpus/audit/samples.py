"""Which documents the page shows: a few of every source, fate and deciding rule, the same ones whenever it is asked.

In: the ledger. Out: rows. Ids are hashes, so the lowest ones are a draw that nothing can sway. Every stratum (source,
fate, rule) gives its first before any gives its second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    from corpus.audit.ledger import Ledger, Rows

SHOWN = 160
READ = 400  # kept documents whose texts the self-test and the terms are drawn from


def shown(ledger: Ledger, most: int = SHOWN) -> Rows:
    """Rows for the browser of samples, sorted by stratum."""
    order = _by_id(ledger)
    labels = [ledger.table.column(name).cast("string") for name in ("source", "fate", "stage", "rule")]
    strata = pc.binary_join_element_wise(*labels, "\t").combine_chunks().dictionary_encode()
    names = np.argsort(np.array(strata.dictionary.to_pylist(), dtype=object)).argsort()
    codes = names[strata.indices.to_numpy()][order] if len(ledger) else np.empty(0, np.int64)
    grouped = np.argsort(codes, kind="stable")
    place = np.arange(len(codes)) - np.searchsorted(codes[grouped], codes[grouped])
    taken = grouped[np.lexsort((codes[grouped], place))[:most]]
    return order[taken[np.argsort(codes[taken], kind="stable")]]


def read(ledger: Ledger, most: int = READ) -> Rows:
    """Kept documents that stand for all: the lowest ids."""
    order = _by_id(ledger)
    kept = np.zeros(len(ledger), bool)
    kept[ledger.rows("fate", "kept")] = True
    return order[kept[order]][:most]


def _by_id(ledger: Ledger) -> Rows:
    found: Rows = pc.array_sort_indices(ledger.table.column("id").combine_chunks()).to_numpy().astype(np.int64)
    return found
