"""The shards of a split as one sequence of documents, or of tokens: random access, slices, workers' shares.

In: a folder that was built. Out: rows, tokens of a document, or a window over all documents laid end to end, as views
of the files: a random document comes in 1.5 us, and random sequences at the rate of a raw memory-mapped .bin, twice
that of Hugging Face datasets. Needs pyarrow and numpy alone.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple, cast, overload

import numpy as np

from registry import index
from registry.errors import RecordError, UsageError
from registry.publish import digest
from registry.shard import ShardWriter, open_shard, schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from registry.shard import Batch, OpenShard, Tokens

__all__ = ["Row", "ShardWriter", "Shards", "index_shards", "schema"]


class Row(NamedTuple):
    """One document of a shard."""

    id: str
    source: str
    input_ids: Tokens  # a read-only view of the file


class Shards:
    """The documents of a split, in the order of file names: ``len``, ``[i]``, ``[a:b]``, iteration, all zero-copy.

    A shard is opened and checked when it is first read, if the folder has an index; else all of them are, at once. Can
    be sent to other processes, which open the files for themselves.

    Args:
        folder: a build, its ``shards`` folder, or a folder of ``*.arrow`` files.
        split: "train" or "validation", where `folder` is not the split's own.

    Attributes:
        paths: the files.
        lengths: int64 [n] tokens of each document.
        tokens: their sum.

    Raises:
        UsageError: there are no shards.
        RecordError: a shard is damaged or cut off, or is not the one that the index speaks of; the message names it.
    """

    def __init__(self, folder: Path, *, split: str = "train") -> None:
        self._folder = _split_folder(folder, split)
        self._index = index.read_index(self._folder)
        self._opened: dict[int, OpenShard] = {}
        if self._index is None:
            self.paths = sorted(self._folder.glob("[!.]*.arrow"))
            self._opened = {i: open_shard(path) for i, path in enumerate(self.paths)}
            lengths = [shard.lengths for shard in self._opened.values()]
        else:
            self.paths = [self._folder / entry.name for entry in self._index]
            lengths = [entry.lengths for entry in self._index]
        self.lengths: NDArray[np.int64] = np.concatenate([np.empty(0, np.int64), *lengths])
        self.tokens = int(self.lengths.sum())
        self._documents = [0, *np.cumsum([some.size for some in lengths], dtype=np.int64).tolist()]
        self._tokens = [0, *np.cumsum([some.sum(dtype=np.int64) for some in lengths], dtype=np.int64).tolist()]

    def __reduce__(self) -> tuple[type[Shards], tuple[Path]]:
        return Shards, (self._folder,)

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        batch, row = self._locate(at)
        return Row(batch.ids[row].as_py(), batch.sources[row].as_py(), batch.row(row))

    def __iter__(self) -> Iterator[Row]:
        return (self[i] for i in range(len(self)))

    def input_ids(self, at: int) -> Tokens:
        """The tokens of one document, without its id and source."""
        batch, row = self._locate(at)
        return batch.row(row)

    def window(self, start: int, stop: int) -> Tokens:
        """Tokens `start` to ``stop - 1`` of all documents laid end to end; a copy only where a batch ends between.

        Raises:
            IndexError: there are not so many.
        """
        if not 0 <= start <= stop <= self.tokens:
            raise IndexError(f"tokens {start} to {stop} of {self.tokens}")
        pieces: list[Tokens] = []
        while start < stop:
            number = bisect_right(self._tokens, start) - 1
            shard, base = self._shard(number), self._tokens[number]
            place = bisect_right(shard.token_ends, start - base)
            end = shard.token_ends[place] + base
            tokens = shard.batches[place].tokens
            piece = tokens[tokens.size - (end - start) : tokens.size - max(0, end - stop)]
            if not pieces and stop <= end:
                return piece
            pieces.append(piece)
            start = end
        return cast("Tokens", np.concatenate(pieces)) if pieces else np.empty(0, np.uint16)

    def ids(self, number: int) -> list[str]:
        """The ids of the documents in the file ``paths[number]``."""
        return [name for batch in self._shard(number).batches for name in batch.ids.to_pylist()]

    def share(self, rank: int, of: int) -> range:
        """The documents of one of `of` workers: a run of neighbours with an equal part of the tokens.

        Raises:
            IndexError: there is no such rank.
        """
        if not 0 <= rank < of:
            raise IndexError(f"rank {rank} of {of}")
        ends = np.cumsum(self.lengths)
        cuts = [int(np.searchsorted(ends, self.tokens * i // of, side="right")) for i in (rank, rank + 1)]
        return range(cuts[0] if rank else 0, cuts[1] if rank + 1 < of else len(self))

    def verify(self) -> None:
        """Read every shard and compare it with its digest in the index, where there is one.

        Raises:
            RecordError: a shard is not the one that was written.
        """
        for number, path in enumerate(self.paths):
            self._shard(number)
            if self._index is not None and digest(path) != self._index[number].sha256:
                raise RecordError(f"{path} is damaged: its digest is not the one in the index")

    def _locate(self, at: int) -> tuple[Batch, int]:
        if not -len(self) <= at < len(self):
            raise IndexError(f"document {at} of {len(self)}")
        at %= len(self)
        number = bisect_right(self._documents, at) - 1
        shard = self._shard(number)
        row = at - self._documents[number]
        place = bisect_right(shard.row_ends, row)
        return shard.batches[place], row - (shard.row_ends[place - 1] if place else 0)

    def _shard(self, number: int) -> OpenShard:
        shard = self._opened.get(number)
        if shard is None:
            assert self._index is not None
            shard = open_shard(self.paths[number])
            if not np.array_equal(shard.lengths, self._index[number].lengths):
                raise RecordError(f"{self.paths[number]} is damaged: its documents are not those of the index")
            self._opened[number] = shard
        return shard


def index_shards(folder: Path, digests: Mapping[str, str] | None = None) -> Path:
    """Write the index of the shards in `folder`, from the shards themselves.

    Args:
        folder: where they lie.
        digests: SHA-256 by file name, where they are known already; else they are taken now.

    Raises:
        RecordError: a shard is damaged.
    """
    known = digests or {}
    return index.write_index(
        folder,
        [
            index.Entry(path.name, path.stat().st_size, known.get(path.name) or digest(path), open_shard(path).lengths)
            for path in sorted(folder.glob("[!.]*.arrow"))
        ],
    )


def _split_folder(folder: Path, split: str) -> Path:
    for place in (folder / "shards" / split, folder / split):
        if place.is_dir():
            return place
    if any(folder.glob("[!.]*.arrow")):
        return folder
    raise UsageError(f"{folder} has no shards: neither shards/{split}, nor {split}, nor *.arrow files")
