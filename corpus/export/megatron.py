"""Megatron-LM's indexed dataset: ``.bin`` the raw tokens, ``.idx`` their type, lengths, byte offsets and documents.

Layout: megatron/core/datasets/indexed_dataset.py. It knows no uint32, so vocabularies above 65,536 become int32.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

import numpy as np

from corpus.export.split import Output, Split

_MAGIC = b"MMIDIDX\x00\x00"
_CODES = {"uint16": 8, "int32": 4}


def megatron(splits: Sequence[Split]) -> Iterator[Output]:
    """``SPLIT.bin`` and ``SPLIT.idx``; ``--data-path`` takes ``SPLIT``. A document is a sequence of its own."""
    for split in splits:
        dtype = "uint16" if split.dtype == "uint16" else "int32"
        write = partial(split.write_tokens, start=0, stop=split.shards.tokens, dtype=dtype)
        yield Output(f"{split.name}.bin", write, len(split.shards), split.shards.tokens)
        yield Output(f"{split.name}.idx", partial(_index, split=split, dtype=dtype))


def _index(file: IO[bytes], split: Split, dtype: str) -> None:
    count = len(split.shards)
    file.write(_MAGIC + struct.pack("<QBQQ", 1, _CODES[dtype], count, count + 1))
    file.write(split.shards.lengths.astype("<i4").data)
    file.write((split.ends[:-1] * np.dtype(dtype).itemsize).astype("<i8").data)
    file.write(np.arange(count + 1, dtype="<i8").data)
