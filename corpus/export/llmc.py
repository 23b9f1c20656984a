"""llm.c's files: a header of 256 int32 (magic, version, count), then the tokens of documents laid end to end.

Layout: llm.c's dev/data/data_common.py: magic 20240520 and version 1 for uint16, 20240801 and 7 for uint32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

import numpy as np

from corpus.export.split import Output, Split

FILE_TOKENS = 100_000_000  # what llm.c's own scripts write
_KINDS = {"uint16": (20240520, 1), "uint32": (20240801, 7)}
_NAMES = {"train": "train", "validation": "val"}  # what its -i and -j patterns look for


def llmc(splits: Sequence[Split]) -> Iterator[Output]:
    """``corpus_train_000001.bin`` and so on, ``corpus_val_...``; documents keep their own BOS and EOS."""
    for split in splits:
        ends = split.ends
        for number, run in enumerate(split.runs(FILE_TOKENS), start=1):
            begin, end = int(ends[run.start]), int(ends[run.stop])
            write = partial(_write, split=split, begin=begin, end=end)
            yield Output(f"corpus_{_NAMES[split.name]}_{number:06}.bin", write, len(run), end - begin)


def _write(file: IO[bytes], split: Split, begin: int, end: int) -> None:
    header = np.zeros(256, dtype="<i4")
    header[:3] = *_KINDS[split.dtype], end - begin
    file.write(header.data)
    split.write_tokens(file, begin, end, split.dtype)
