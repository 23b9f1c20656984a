"""The ledger as columns: what every figure of the audit is computed from.

In: an opened build. Out: `Ledger`: one Arrow table of the columns that are counted, and per measurement one array of
float64 with NaN where a document has none. 300,000 rows with 46 measurements take 146 MB and 3 s. Titles, uris and
texts stay on disk: they are read for the few documents that are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from registry.errors import RecordError
from registry.ledger import ledger_schema

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

_FEW_VALUES = ("source", "kind", "licence", "media_type", "fate", "stage", "rule")  # worth a dictionary
_COLUMNS = (
    "id", *_FEW_VALUES, "date", "error", "duplicate_of", "similarity", "chars", "words", "tokens",
)  # fmt: skip
_AT_ONCE = 1 << 13  # rows; with 1 << 16 what was unpacked of a batch's measurements took more memory than all of them


@dataclass(frozen=True)
class Ledger:
    """All rows, in the order of the files."""

    table: pa.Table
    measured: dict[str, Floats]  # by name; [rows]
    cuts: dict[tuple[str, str, str], int]  # (source, stage, rule) -> spans

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def ids(self, rows: Rows) -> list[str]:
        """The ids of these rows; of all of a million they would be 90 MB of Python strings."""
        names: list[str] = self.table.column("id").take(pa.array(rows, pa.int64())).to_pylist()
        return names

    def numbers(self, column: str) -> Floats:
        """A column of numbers [rows], NaN where there is none."""
        values: Floats = self.table.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
        return values

    @cached_property
    def groups(self) -> dict[tuple[str, str], Rows]:
        """Rows by (column, value) of the columns that have few values."""
        found: dict[tuple[str, str], Rows] = {}
        for column in _FEW_VALUES:
            coded = self.table.column(column).combine_chunks()
            codes = coded.indices.to_numpy(zero_copy_only=False)
            order = np.argsort(codes, kind="stable")
            ends = np.cumsum(np.bincount(codes, minlength=len(coded.dictionary)))
            for number, value in enumerate(coded.dictionary.to_pylist()):
                found[column, value] = order[ends[number - 1] if number else 0 : ends[number]]
        return found

    def rows(self, column: str, value: str) -> Rows:
        """The rows whose `column` (source, kind, fate...) is `value`, in order."""
        return self.groups.get((column, value), np.empty(0, np.int64))

    def values(self, column: str) -> list[str]:
        """The values that a column has, sorted."""
        return sorted(value for name, value in self.groups if name == column)

    @cached_property
    def survivors(self) -> Rows:
        """For each row the row of its survivor, -1 where it is no duplicate (or the survivor is not on record)."""
        places = pc.index_in(self.table.column("duplicate_of"), self.table.column("id").combine_chunks())
        found: Rows = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return found


def read_ledger(folder: Path) -> Ledger:
    """The ledger in `folder`.

    Raises:
        RecordError: there is none, a file is damaged, or was written by another version.
    """
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise RecordError(f"{folder} holds no ledger; build again")
    tables: list[pa.Table] = []
    whole = sum(_rows_in(path) for path in paths)
    measured: dict[str, Floats] = {}
    cuts: dict[tuple[str, str, str], int] = {}
    first = 0
    for path in paths:
        for batch in _batches(path):
            tables.append(_counted(batch))
            _add_measurements(batch.column("measurements"), first, whole, measured)
            _add_cuts(batch, cuts)
            first += batch.num_rows
    table = pa.concat_tables(tables).unify_dictionaries()
    pa.default_memory_pool().release_unused()  # what unpacking the batches took
    return Ledger(table, dict(sorted(measured.items())), dict(sorted(cuts.items())))


def check_columns(path: Path, file: pq.ParquetFile) -> None:
    """Raise RecordError unless the file has the ledger's columns."""
    here, wanted = file.schema_arrow, ledger_schema()
    if not here.equals(wanted):
        other = sorted(set(here.names) ^ set(wanted.names)) or [
            name for name in wanted.names if here.field(name).type != wanted.field(name).type
        ]
        raise RecordError(f"{path} was written by another version: it differs in {', '.join(other)}; build again")


def _rows_in(path: Path) -> int:
    try:
        return int(pq.ParquetFile(path).metadata.num_rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is damaged ({str(error).splitlines()[0]}); build again") from None


def _batches(path: Path) -> Any:
    try:
        file = pq.ParquetFile(path)
        check_columns(path, file)
        yield from file.iter_batches(_AT_ONCE, columns=[*_COLUMNS, "measurements", "cuts"])
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is damaged ({str(error).splitlines()[0]}); build again") from None


def _counted(batch: pa.RecordBatch) -> pa.Table:
    columns = {}
    for name in _COLUMNS:
        column = batch.column(name)
        columns[name] = pc.fill_null(column, "").dictionary_encode() if name in _FEW_VALUES else column
    return pa.table(columns)


def _add_measurements(column: pa.MapArray, first: int, whole: int, measured: dict[str, Floats]) -> None:
    """Put one batch's measurements into their arrays, which are made when a name is first met."""
    offsets = column.offsets.to_numpy()
    rows = np.repeat(np.arange(first, first + len(column)), np.diff(offsets))
    held = slice(offsets[0], offsets[-1])
    keys = column.keys[held].dictionary_encode()
    values = column.items[held].to_numpy(zero_copy_only=False)
    codes = keys.indices.to_numpy().astype(np.int16)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys.dictionary)))
    for number, name in enumerate(keys.dictionary.to_pylist()):
        own = order[ends[number - 1] if number else 0 : ends[number]]
        if name not in measured:
            measured[name] = np.full(whole, np.nan)
        measured[name][rows[own]] = values[own]


def _add_cuts(batch: pa.RecordBatch, cuts: dict[tuple[str, str, str], int]) -> None:
    column = batch.column("cuts")
    flat = column.flatten()
    if not len(flat):
        return
    parents = pc.list_parent_indices(column)
    sources = batch.column("source").take(parents)
    counts = pa.table({"source": sources, "stage": flat.field("stage"), "rule": flat.field("rule")})
    for row in counts.group_by(["source", "stage", "rule"]).aggregate([([], "count_all")]).to_pylist():
        key = row["source"], row["stage"], row["rule"]
        cuts[key] = cuts.get(key, 0) + row["count_all"]
