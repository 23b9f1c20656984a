"""tokens.bin and document_offsets.npy: raw tokens, and int64 [n + 1] where each document begins and the last one ends.

Read by nanoGPT's np.memmap (uint16), torchtitan's memory-mapped source (uint32), numpy and JAX.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Literal

import numpy as np

from corpus.export.split import Output, Split


def tokens(splits: Sequence[Split], *, dtype: Literal["same", "uint32"] = "same") -> Iterator[Output]:
    """``SPLIT/tokens.bin`` and ``SPLIT/document_offsets.npy``. `dtype` "same" is that of the shards."""
    for split in splits:
        count = split.shards.tokens
        kind = split.dtype if dtype == "same" else dtype
        write = partial(split.write_tokens, start=0, stop=count, dtype=kind)
        yield Output(f"{split.name}/tokens.bin", write, len(split.shards), count)
        yield Output(f"{split.name}/document_offsets.npy", partial(_offsets, split=split))


def _offsets(file: IO[bytes], split: Split) -> None:
    np.save(file, split.ends)
