"""JSON Lines in zstd frames: a document per line, its text and metadata, or its tokens as ``input_ids``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import IO

from corpus.export.rows import Content, Row, row_files
from corpus.export.split import Output, Split


def jsonl(splits: Sequence[Split], *, content: Content = "text") -> Iterator[Output]:
    """``SPLIT/NNNNN.jsonl.zst``; read by ``load_dataset("json")``, axolotl, LLaMA-Factory, datatrove."""
    return row_files(splits, content, "jsonl.zst", _write)


def _write(file: IO[bytes], rows: Iterator[Row]) -> None:
    import zstandard

    with zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(file, closefd=False) as out:
        for row in rows:
            if "input_ids" in row:
                row["input_ids"] = row["input_ids"].tolist()
            out.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
