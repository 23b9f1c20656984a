"""What a format sees of a build, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from registry.errors import RecordError
from registry.packing import Method, Packed, pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from registry.shard import Tokens
    from registry.shards import Shards

BATCH_TOKENS = 1 << 20  # tokens written at a time
FILE_TOKENS = 1 << 28  # tokens of a file, where a format likes several: half a gigabyte, a second of writing


@dataclass(frozen=True, slots=True)
class Output:
    """One file of an export.

    Attributes:
        name: its path inside the export.
        write: writes all of it, front to back.
        documents: how many documents are in it.
        tokens: how many tokens are in it.
    """

    name: str
    write: Callable[[IO[bytes]], None]
    documents: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Split:
    """One split of a build.

    Attributes:
        name: "train" or "validation".
        shards: its token rows.
        dtype: "uint16" or "uint32".
        texts: the folder of the build's kept texts.
    """

    name: str
    shards: Shards
    dtype: str
    texts: Path

    def window(self, documents: range) -> Tokens:
        """The tokens of neighbouring documents, laid end to end."""
        return self.shards.window(int(self.ends[documents.start]), int(self.ends[documents.stop]))

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Where each document begins among all tokens, and where the last one ends: int64 [n + 1]."""
        return np.concatenate(([0], np.cumsum(self.shards.lengths))).astype(np.int64)

    def runs(self, tokens: int, within: range | None = None) -> list[range]:
        """`within` (default: all documents) cut into neighbours of at most `tokens` tokens, or one that has more."""
        within = within if within is not None else range(len(self.shards))
        cuts = [within.start]
        while cuts[-1] < within.stop:
            last = int(np.searchsorted(self.ends, self.ends[cuts[-1]] + tokens, side="right")) - 1
            cuts.append(min(max(last, cuts[-1] + 1), within.stop))
        return [range(a, b) for a, b in pairwise(cuts)]

    def count(self, documents: range) -> int:
        """The tokens of neighbouring documents."""
        return int(self.shards.lengths[documents.start : documents.stop].sum())

    def write_tokens(self, file: IO[bytes], start: int, stop: int, dtype: str) -> None:
        """Tokens `start` to ``stop - 1`` of the split, little-endian, without anything between."""
        for at in range(start, stop, BATCH_TOKENS):
            tokens = self.shards.window(at, min(at + BATCH_TOKENS, stop))
            file.write(np.ascontiguousarray(tokens, dtype=np.dtype(dtype).newbyteorder("<")).data)

    def packed(self, length: int, method: Method, seed: int) -> Packed:
        """The documents packed into sequences of up to `length` tokens."""
        return pack(self.shards.lengths, length, seed=seed, epoch=0, method=method)

    def bin(self, packed: Packed, number: int) -> tuple[Tokens, NDArray[np.int64]]:
        """The tokens of one bin, and the lengths of the pieces in it."""
        documents, starts, lengths = packed.pieces(number)
        pieces = [
            self.shards.input_ids(document)[start : start + length]
            for document, start, length in zip(documents.tolist(), starts.tolist(), lengths.tolist(), strict=True)
        ]
        return cast("Tokens", np.concatenate(pieces)), lengths

    def rows(self, path: Path) -> Iterator[dict[str, Any]]:
        """The kept texts in one file of the build's documents that belong to this split, with their metadata.

        Raises:
            RecordError: the texts and the shards are not of one build.
        """
        import pyarrow.parquet as pq

        shard = next((i for i, other in enumerate(self.shards.paths) if other.stem == path.stem), None)
        if shard is None:
            return
        wanted = self.shards.ids(shard)
        found = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(256):
                mine = [row for row in batch.to_pylist() if row["id"] in wanted]
                found += len(mine)
                yield from mine
        if found != len(wanted):
            raise RecordError(f"{path} has {found} of the {len(wanted)} documents of {self.shards.paths[shard]}")
