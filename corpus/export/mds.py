"""MosaicML Streaming's shards: counts and offsets in uint32, the columns as JSON, then samples.

Layout: streaming/base/format/mds. A sample is the size of each column of varying size in uint32, then the columns by
name: `id` as UTF-8 where rows are documents, `tokens` as ``ndarray`` of one axis, whose shape stands before its values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import IO, Any

import numpy as np

from corpus.export.split import Output, Split
from registry.errors import UsageError
from registry.packing import Method, Packed

SHARD_BYTES = 1 << 26  # Streaming's own default
_SHAPES = ((1 << 8, "<u1", 0), (1 << 16, "<u2", 1), (1 << 32, "<u4", 2))


def mds(
    splits: Sequence[Split], *, length: int | None = None, method: Method = "best_fit", seed: int = 0
) -> Iterator[Output]:
    """``SPLIT/shard.NNNNN.mds`` and ``SPLIT/index.json``.

    With `length`, samples are sequences of up to that many tokens, packed by `method` with `seed`; else they are
    documents, but for empty ones, for which Streaming has no encoding.
    """
    for split in splits:
        source = _Samples(split, split.packed(length, method, seed) if length is not None else None)
        runs = source.runs()
        for number, run in enumerate(runs):
            tokens = int(source.lengths[run.start : run.stop].sum())
            yield Output(f"{split.name}/{_name(number)}", partial(source.write, run=run), len(run), tokens)
        yield Output(f"{split.name}/index.json", partial(source.write_index, runs=runs))


def _name(number: int) -> str:
    return f"shard.{number:05}.mds"


class _Samples:
    """The samples of a split: documents that are not empty, or bins."""

    def __init__(self, split: Split, packed: Packed | None) -> None:
        self._split, self._packed = split, packed
        self._documents = np.flatnonzero(split.shards.lengths)
        self._item = np.dtype(split.dtype).itemsize
        if packed is None:
            self.lengths = split.shards.lengths[self._documents]
        else:
            self.lengths = np.add.reduceat(packed.lengths, packed.offsets[:-1]) if len(packed) else packed.lengths
        names = ["tokens"] if packed is not None else ["id", "tokens"]
        self._columns: dict[str, Any] = {
            "column_encodings": [{"id": "str", "tokens": f"ndarray:{split.dtype}"}[name] for name in names],
            "column_names": names,
            "column_sizes": [None for _ in names],
            "compression": None,
            "format": "mds",
            "hashes": [],
            "size_limit": SHARD_BYTES,
            "version": 2,
        }
        self._header = json.dumps(self._columns, sort_keys=True).encode()

    def runs(self) -> list[range]:
        """Neighbouring samples that make a shard of up to 64 MB, or one that is larger."""
        ends = np.concatenate(([0], np.cumsum(self._sizes(range(len(self.lengths))) + 4)))
        cuts = [0]
        while cuts[-1] < len(self.lengths):
            last = int(np.searchsorted(ends, ends[cuts[-1]] + SHARD_BYTES, side="right")) - 1
            cuts.append(max(last, cuts[-1] + 1))
        runs = [range(a, b) for a, b in pairwise(cuts)]
        if any(self._bytes(run) >= 1 << 32 for run in runs):
            raise UsageError("mds: a document is larger than the 4 GB that a shard can hold; use length")
        return runs

    def _sizes(self, run: range) -> Any:
        """Bytes of samples. Ids of a build are 32 hexadecimal digits."""
        lengths = self.lengths[run.start : run.stop]
        shape = 2 + (lengths >= 1 << 8) + 2 * (lengths >= 1 << 16)
        fixed = 4 if self._packed is not None else 8 + len(self._split.shards[0].id.encode())
        return fixed + shape + lengths * self._item

    def _bytes(self, run: range) -> int:
        return 4 + 4 * (len(run) + 1) + len(self._header) + int(self._sizes(run).sum())

    def write(self, file: IO[bytes], run: range) -> None:
        """One shard."""
        begin = 4 + 4 * (len(run) + 1) + len(self._header)
        offsets = begin + np.concatenate(([0], np.cumsum(self._sizes(run))))
        file.write(np.array([len(run), *offsets], dtype="<u4").tobytes() + self._header)
        for number in run:
            file.write(self._sample(number))

    def _sample(self, number: int) -> bytes:
        if self._packed is not None:
            columns = [_array(self._split.bin(self._packed, number)[0])]
        else:
            row = self._split.shards[int(self._documents[number])]
            columns = [row.id.encode(), _array(row.input_ids)]
        return np.array([len(column) for column in columns], dtype="<u4").tobytes() + b"".join(columns)

    def write_index(self, file: IO[bytes], runs: list[range]) -> None:
        """What shards there are."""
        shards = [
            {
                **self._columns,
                "samples": len(run),
                "raw_data": {"basename": _name(number), "bytes": self._bytes(run), "hashes": {}},
                "zip_data": None,
            }
            for number, run in enumerate(runs)
        ]
        file.write(json.dumps({"shards": shards, "version": 2}, sort_keys=True).encode())


def _array(tokens: Any) -> bytes:
    """An array of one axis: the type of its length and the count of axes in a byte, its length, its values."""
    kind, code = next((kind, code) for bound, kind, code in _SHAPES if tokens.size < bound)
    return bytes([1 << 2 | code]) + np.array(tokens.size, dtype=kind).tobytes() + bytes(tokens.tobytes())
