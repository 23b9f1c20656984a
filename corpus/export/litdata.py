"""LitData's chunks for its TokensLoader: a header of uint32 (items, offsets), then the tokens of documents end to end.

Layout: litdata/streaming/writer.py and item_loader.py. The loader cuts each chunk into blocks and leaves out what does
not fill one, so a chunk here has a multiple of `length` tokens and only the last one of a split loses any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any

import numpy as np

from corpus.export.split import Output, Split
from registry.errors import UsageError

CHUNK_TOKENS = 1 << 25
_HEADER = 12  # bytes before the tokens
_KINDS = {"uint16": ("uint16", 20), "uint32": ("int32", 16)}  # LitData's numbers of torch types; it knows no uint32


def litdata(splits: Sequence[Split], *, length: int = 2049) -> Iterator[Output]:
    """``SPLIT/chunk-0-N.bin`` and ``SPLIT/index.json``, for ``TokensLoader(block_size=length)``."""
    if length < 1:
        raise UsageError(f"litdata: length is at least 1, got {length}")
    for split in splits:
        step = max(1, CHUNK_TOKENS // length) * length
        spans = [(at, min(at + step, split.shards.tokens)) for at in range(0, split.shards.tokens, step)]
        for number, (begin, end) in enumerate(spans):
            write = partial(_chunk, split=split, begin=begin, end=end)
            yield Output(f"{split.name}/chunk-0-{number}.bin", write, tokens=end - begin)
        yield Output(f"{split.name}/index.json", partial(_index, split=split, spans=spans))


def _chunk(file: IO[bytes], split: Split, begin: int, end: int) -> None:
    """One item: all tokens of the chunk."""
    kind, _ = _KINDS[split.dtype]
    file.write(np.array([1, _HEADER, _HEADER + _size(split, begin, end)], dtype="<u4").data)
    split.write_tokens(file, begin, end, kind)


def _size(split: Split, begin: int, end: int) -> int:
    return (end - begin) * np.dtype(split.dtype).itemsize


def _index(file: IO[bytes], split: Split, spans: list[tuple[int, int]]) -> None:
    chunks: list[dict[str, Any]] = [
        {
            "chunk_bytes": _size(split, begin, end),
            "chunk_size": 1,
            "dim": end - begin,
            "filename": f"chunk-0-{number}.bin",
        }
        for number, (begin, end) in enumerate(spans)
    ]
    config = {
        "chunk_bytes": None,
        "chunk_size": CHUNK_TOKENS,
        "compression": None,
        "data_format": [f"no_header_tensor:{_KINDS[split.dtype][1]}"],
        "data_spec": '[1, {"type": null, "context": null, "children_spec": []}]',
        "encryption": None,
        "item_loader": "TokensLoader",
    }
    file.write(json.dumps({"chunks": chunks, "config": config}, sort_keys=True).encode())
