"""What the row formats share: a document as a dictionary, with its text and metadata, or with its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal

from corpus.export.split import BATCH_TOKENS, FILE_TOKENS, Output, Split

Content = Literal["text", "tokens"]
Row = dict[str, Any]
Part = tuple[Callable[[], Iterator[Row]], int, int]  # what gives its rows; its documents and tokens
Writer = Callable[[IO[bytes], Iterator[Row]], None]

TEXT = ("id", "source", "uri", "part", "kind", "title", "date", "licence", "text")


def row_files(splits: Sequence[Split], content: Content, suffix: str, write: Writer) -> Iterator[Output]:
    """``SPLIT/NNNNN.SUFFIX`` with the documents of each split in their order, as texts or as tokens."""
    for split in splits:
        parts = _text_parts(split) if content == "text" else _token_parts(split)
        for number, (rows, documents, tokens) in enumerate(parts):
            name = f"{split.name}/{number:05}.{suffix}"
            yield Output(name, partial(_write, rows=rows, write=write), documents, tokens)


def _text_parts(split: Split) -> Iterator[Part]:
    """A part per file of the build's texts; its tokens are not in it."""
    for number, path in enumerate(split.shards.paths):
        texts = partial(_texts, split, split.texts / f"{path.stem}.parquet")
        yield texts, len(split.shards.ids(number)), 0


def _token_parts(split: Split) -> Iterator[Part]:
    for run in split.runs(FILE_TOKENS):
        yield partial(_tokens, split, run), len(run), split.count(run)


def _write(file: IO[bytes], rows: Callable[[], Iterator[Row]], write: Writer) -> None:
    write(file, rows())


def _texts(split: Split, path: Path) -> Iterator[Row]:
    for row in split.rows(path):
        yield {name: row[name] for name in TEXT}


def _tokens(split: Split, run: range) -> Iterator[Row]:
    for some in split.runs(BATCH_TOKENS, run):
        for number in some:
            row = split.shards[number]
            yield {"id": row.id, "source": row.source, "input_ids": row.input_ids, "length": row.input_ids.size}
