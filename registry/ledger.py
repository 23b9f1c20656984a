"""The ledger: one row per document ever seen: its fate, and which value against which threshold decided it.

    inputs = kept + rejected + duplicates + failed

holds over its rows, is checked at the end of every build, and is why nothing can be lost silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.errors import RecordError

if TYPE_CHECKING:
    import pyarrow as pa

FATES = ("kept", "rejected", "duplicate", "failed")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a document was not kept: `value` of `rule` in `stage` fell on the wrong side of `threshold`."""

    stage: str
    rule: str
    value: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Cut:
    """A span that was removed or masked: characters [start, end) of the text that `stage` received. Never the value."""

    stage: str
    rule: str
    start: int
    end: int
    digest: str = ""  # of a masked value, keyed with the recipe's salt: equal for equal values, and not to be undone


def ledger_schema() -> pa.Schema:
    """Columns of the ledger. `stage`, `rule`, `value`, `threshold` are set where a rule rejected the document."""
    import pyarrow as pa

    names = [
        "id",
        "source",
        "uri",
        "part",
        "kind",
        "media_type",
        "sha256",
        "title",
        "date",
        "licence",
        "fate",
        "stage",
        "rule",
    ]
    return pa.schema(
        [
            *(pa.field(name, pa.string()) for name in names),
            pa.field("value", pa.float64()),
            pa.field("threshold", pa.float64()),
            pa.field("duplicate_of", pa.string()),
            pa.field("similarity", pa.float64()),
            pa.field("linked_to", pa.string()),
            pa.field("linked_similarity", pa.float64()),
            pa.field("error", pa.string()),
            *(pa.field(name, pa.int64()) for name in ("chars", "words", "tokens")),
            pa.field("measurements", pa.map_(pa.string(), pa.float64())),
            pa.field("cuts", cuts_type()),
        ]
    )


def cuts_type() -> pa.DataType:
    """A list of spans: the fields of `Cut`."""
    import pyarrow as pa

    kinds = {"start": pa.int32(), "end": pa.int32()}
    return pa.list_(pa.struct([pa.field(field.name, kinds.get(field.name, pa.string())) for field in fields(Cut)]))


def text_schema() -> pa.Schema:
    """Columns of documents/ and rejects/: the ledger's without the spans, the format's own facts, and the text.

    Maps are lists of key and value here, because Hugging Face datasets refuses files with Arrow's map type.
    """
    import pyarrow as pa

    kept = [field for field in ledger_schema() if field.name not in {"cuts", "measurements"}]
    pairs = [pa.field("measurements", _pairs(pa.float64())), pa.field("metadata", _pairs(pa.string()))]
    return pa.schema([*kept, *pairs, pa.field("text", pa.large_string())])


def _pairs(value: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return pa.list_(pa.struct([pa.field("key", pa.string()), pa.field("value", value)]))


def as_pairs(entries: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Entries of a map as `text_schema` holds them."""
    return [{"key": key, "value": value} for key, value in entries]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as Arrow gives it, with its maps (or lists of key and value) as dictionaries."""
    return {name: _mapping(value) if name in {"measurements", "metadata"} else value for name, value in row.items()}


def _mapping(entries: list[Any]) -> dict[str, Any]:
    return {e["key"]: e["value"] for e in entries} if entries and isinstance(entries[0], dict) else dict(entries)


def rows(folder: Path, **equal: str) -> Iterator[dict[str, Any]]:
    """Rows of the parquet files in `folder` (ledger, documents or rejects) whose columns equal what is given.

    Raises:
        RecordError: a file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in sorted(folder.glob("*.parquet")):
        try:
            with pq.ParquetFile(path) as file:  # not read_table: that imports pandas, for a third of a second
                for batch in file.iter_batches():
                    for first, length in _runs(batch, equal):
                        yield from map(plain, batch.slice(first, length).to_pylist())
        except (pa.ArrowInvalid, OSError) as error:
            raise RecordError(f"{path} is damaged ({error}); build again") from None


def _runs(batch: pa.RecordBatch, equal: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """(first, length) of the runs of rows that match. Without pyarrow.compute, whose scalars import pandas."""
    if not equal:
        yield 0, batch.num_rows
        return
    columns = [batch.column(name).to_pylist() for name in equal]
    wanted = tuple(equal.values())
    places = [place for place, row in enumerate(zip(*columns, strict=True)) if row == wanted]
    for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        found = [place for _, place in run]
        yield found[0], len(found)


def check_identity(seen: int, fates: Mapping[str, int]) -> None:
    """Raise RecordError unless every document that was seen has exactly one fate."""
    told = sum(fates.get(fate, 0) for fate in FATES)
    if seen != told or set(fates) - set(FATES):
        raise RecordError(f"the ledger does not add up: {seen} documents were seen, {told} have a fate: {dict(fates)}")
