"""How many: documents by fate, characters, words and tokens, over the whole build and by what groups there are.

In: the ledger and the manifest. Out: mappings from a group's name to its counts. `kept_ratio` is of the documents that
were seen; `characters` and the like are of the documents that were kept; `tokens_per_character` is the fertility.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from registry.ledger import FATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corpus.audit.ledger import Ledger, Rows
    from registry.manifest import Manifest

Counts = dict[str, Any]


def funnel(ledger: Ledger, manifest: Manifest) -> Counts:
    """The whole build, from inputs to tokens."""
    inputs = sum(source.inputs for source in manifest.sources.values())
    size = sum(source.bytes for source in manifest.sources.values())
    whole = _Counter(ledger).count(np.arange(len(ledger)))
    return {"inputs": inputs, "bytes": size, **whole, "split": manifest.tokens}


def by_source(ledger: Ledger, manifest: Manifest) -> dict[str, Counts]:
    """Every source of the recipe, in its order, whether or not anything came of it."""
    counter = _Counter(ledger)
    names = [source["name"] for source in manifest.recipe["sources"]]
    return {
        name: {
            "kind": manifest.sources[name].kind,
            "licence": manifest.sources[name].licence,
            "inputs": manifest.sources[name].inputs,
            "bytes": manifest.sources[name].bytes,
            **counter.count(ledger.rows("source", name)),
        }
        for name in names
    }


def by_column(ledger: Ledger, column: str) -> dict[str, Counts]:
    """Every value of a column that has few, such as kind, licence or media_type."""
    counter = _Counter(ledger)
    return {value: counter.count(ledger.rows(column, value)) for value in ledger.values(column)}


def by_year(ledger: Ledger) -> dict[str, Counts]:
    """By the year of the document's date; "unknown" where it has none."""
    years = pc.utf8_slice_codeunits(pc.fill_null(ledger.table.column("date"), ""), 0, 4)
    known = pc.match_substring_regex(years, "^[12][0-9]{3}$")
    named = pc.if_else(known, years, "unknown").combine_chunks().dictionary_encode()
    codes, counter = named.indices.to_numpy(zero_copy_only=False), _Counter(ledger)
    found = {
        year: counter.count(np.flatnonzero(codes == number)) for number, year in enumerate(named.dictionary.to_pylist())
    }
    return dict(sorted(found.items()))


def decided(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Documents that were not kept: by what decided (`refine.hiragana_ratio`, `dedup.near`), then by source."""
    columns = ["source", "fate", "stage", "rule"]
    found: dict[str, dict[str, int]] = {}
    for row in ledger.table.select(columns).group_by(columns).aggregate([([], "count_all")]).to_pylist():
        if row["fate"] in {"rejected", "duplicate"}:
            sources = found.setdefault(decision(row), {})
            sources[row["source"]] = sources.get(row["source"], 0) + row["count_all"]
    return {
        name: dict(sorted(found[name].items())) for name in sorted(found, key=lambda n: (-sum(found[n].values()), n))
    }


def decision(row: Mapping[str, Any]) -> str:
    """What decided on a document, in a word: "kept", "refine.hiragana_ratio", "dedup.near", "failed"."""
    if row["fate"] == "kept":
        return "kept"
    if row["fate"] == "failed":
        return "failed"
    return f"{row['stage']}.{row['rule']}"


class _Counter:
    """Counts rows; the columns are unpacked once."""

    def __init__(self, ledger: Ledger) -> None:
        self._fate = np.full(len(ledger), len(FATES), np.int8)
        for number, fate in enumerate(FATES):
            self._fate[ledger.rows("fate", fate)] = number
        self._columns = {name: np.nan_to_num(ledger.numbers(name)) for name in ("chars", "words", "tokens")}

    def count(self, rows: Rows) -> Counts:
        """Documents by fate, and the sizes of the kept ones."""
        fates = np.bincount(self._fate[rows], minlength=len(FATES) + 1)
        kept = rows[self._fate[rows] == 0]
        sizes = {name: int(column[kept].sum()) for name, column in self._columns.items()}
        return {
            "documents": len(rows),
            **{fate: int(count) for fate, count in zip(FATES, fates, strict=False)},
            "kept_ratio": ratio(len(kept), len(rows)),
            "characters": sizes["chars"],
            "words": sizes["words"],
            "tokens": sizes["tokens"],
            "tokens_per_character": ratio(sizes["tokens"], sizes["chars"]),
        }


def ratio(part: float, whole: float) -> float:
    """`part` of `whole` with six digits; 0 of nothing."""
    return round(part / whole, 6) if whole else 0.0


def total(counts: Mapping[str, int]) -> int:
    """The sum over a mapping's values."""
    return sum(counts.values())
