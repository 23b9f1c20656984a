"""Parquet: a row per document, its text and metadata, or its tokens as ``input_ids``; zstd, row groups of 1,024."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO

from corpus.export.rows import TEXT, Content, Row, row_files
from corpus.export.split import Output, Split

_ROWS = 1024  # in a row group; nanochat shares them out among ranks


def parquet(splits: Sequence[Split], *, content: Content = "text") -> Iterator[Output]:
    """``SPLIT/NNNNN.parquet``; read by ``load_dataset("parquet")``, nanochat, Spark, DuckDB."""
    return row_files(splits, content, "parquet", _write)


def _write(file: IO[bytes], rows: Iterator[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.schema([pa.field(name, pa.large_string() if name == "text" else pa.string()) for name in TEXT])
    writer = None
    while some := list(islice(rows, _ROWS)):
        if "text" in some[0]:
            table = pa.Table.from_pylist(some, text)
        else:
            columns = {name: pa.array([row[name] for row in some]) for name in ("id", "source")}
            columns["input_ids"] = pa.array([row["input_ids"] for row in some])
            columns["length"] = pa.array([row["length"] for row in some], pa.int32())
            table = pa.table(columns)
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
