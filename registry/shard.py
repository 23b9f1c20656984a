"""One shard: an Arrow IPC stream file of token rows, written once and read memory-mapped.

A row is a document: ``id`` string, ``source`` string, ``input_ids`` list<uint16 | uint32>, ``length`` int32. Record
batches hold about a million tokens, uncompressed, so a reader works on the file's own pages.
`datasets.Dataset.from_file` reads the stream format only, not the IPC file format, hence the choice.

Needs pyarrow and numpy alone. Same rows, same bytes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from registry.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Self

    from numpy.typing import NDArray

    Tokens = NDArray[np.uint16] | NDArray[np.uint32]

BATCH_TOKENS = 1 << 20
BATCH_ROWS = 1 << 14
LONGEST = (1 << 31) - 1  # tokens in a batch: the offsets of Arrow's lists have 32 bits
END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # the end-of-stream marker of the Arrow IPC format; a cut file lacks it


def schema(dtype: Literal["uint16", "uint32"], metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """The columns of a shard. Values of `metadata` must not vary between equal builds."""
    tokens = {"uint16": pa.uint16(), "uint32": pa.uint32()}[dtype]
    fields = [("id", pa.string()), ("source", pa.string()), ("input_ids", pa.list_(tokens)), ("length", pa.int32())]
    return pa.schema(
        [pa.field(name, kind, nullable=False) for name, kind in fields], metadata=dict(sorted((metadata or {}).items()))
    )


class ShardWriter:
    """Writes one shard under a temporary name; a clean end of the `with` block gives it its own, an exception none.

    Args:
        path: the shard, ``*.arrow``; its folder is made.
        dtype: "uint16" for vocabularies of up to 65,536, else "uint32".
        metadata: strings that go into the file's schema.
    """

    def __init__(
        self, path: Path, *, dtype: Literal["uint16", "uint32"], metadata: Mapping[str, str] | None = None
    ) -> None:
        self.documents = 0
        self.tokens = 0
        self._path = path
        self._temporary = path.with_name(f".{path.name}.part")
        self._dtype = np.dtype(dtype)
        self._schema = schema(dtype, metadata)
        self._ids: list[str] = []
        self._sources: list[str] = []
        self._rows: list[NDArray[Any]] = []
        self._waiting = 0

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        self._stream = pa.ipc.new_stream(self._file, self._schema)
        return self

    def write(self, document_id: str, source: str, input_ids: NDArray[Any]) -> None:
        """Add one document. The array is not copied before the batch is full, so it must not change meanwhile.

        Raises:
            RecordError: an id of a token, in this document or one before it, does not fit the shard's type, or there
                are 2**31 or more; at the latest the end of the `with` block raises it.
        """
        if input_ids.size + self._waiting > LONGEST:
            raise RecordError(f"document {document_id}: {input_ids.size} tokens are more than a shard's batch holds")
        self._ids.append(document_id)
        self._sources.append(source)
        self._rows.append(input_ids)
        self._waiting += input_ids.size
        self.documents += 1
        self.tokens += input_ids.size
        if self._waiting >= BATCH_TOKENS or len(self._rows) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        lengths = np.array([row.size for row in self._rows], dtype=np.int32)
        offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int32)
        values = self._fitting(np.concatenate(self._rows))
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), type=self._schema.field("input_ids").type)
        columns = [pa.array(self._ids, pa.string()), pa.array(self._sources, pa.string()), lists, pa.array(lengths)]
        self._stream.write_batch(pa.record_batch(columns, schema=self._schema))
        self._ids, self._sources, self._rows, self._waiting = [], [], [], 0

    def _fitting(self, values: NDArray[Any]) -> NDArray[Any]:
        """All tokens of a batch in the shard's type; looked over at once, which costs half of doing it by document."""
        limit = np.iinfo(self._dtype).max
        if not values.size or 0 <= int(values.min()) <= int(values.max()) <= limit:
            return values.astype(self._dtype)
        named = zip(self._ids, self._rows, strict=True)
        wrong = next(name for name, row in named if row.size and not 0 <= int(row.min()) <= int(row.max()) <= limit)
        raise RecordError(f"document {wrong}: its token ids do not fit {self._dtype} (0 to {limit})")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._rows:
                    self._flush()
                self._stream.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self._temporary.replace(self._path)
        finally:
            self._file.close()
            with suppress(FileNotFoundError):
                self._temporary.unlink()


class Batch(NamedTuple):
    """The columns of a record batch, on the file's own pages."""

    ids: pa.StringArray
    sources: pa.StringArray
    offsets: NDArray[np.int32]
    tokens: Tokens

    def row(self, row: int) -> Tokens:
        """The tokens of one document."""
        return self.tokens[self.offsets[row] : self.offsets[row + 1]]


class OpenShard(NamedTuple):
    """A shard that was checked."""

    batches: list[Batch]
    row_ends: list[int]  # documents up to the end of each batch
    token_ends: list[int]
    lengths: NDArray[np.int32]  # of all documents


def open_shard(path: Path) -> OpenShard:
    """Map a shard and check it: complete, of the right columns, offsets in bounds.

    Raises:
        RecordError: it is not; the message names it.
    """
    try:
        with pa.memory_map(str(path)) as source:  # the mapping lives as long as the arrays; the file handle need not
            if source.size() < len(END) or source.read_at(len(END), source.size() - len(END)) != END:
                raise RecordError(f"{path} is cut off or not an Arrow stream")
            stream = pa.ipc.open_stream(source)
            if not any(stream.schema.equals(schema(dtype)) for dtype in ("uint16", "uint32")):
                raise RecordError(f"{path} has other columns than a shard: {', '.join(stream.schema.names)}")
            batches = [_checked(path, batch) for batch in stream]
    except (pa.ArrowException, OSError) as error:
        raise RecordError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    rows = np.cumsum([len(batch.ids) for batch in batches], dtype=np.int64)
    tokens = np.cumsum([batch.tokens.size for batch in batches], dtype=np.int64)
    lengths = np.concatenate([np.empty(0, np.int32), *(np.diff(batch.offsets) for batch in batches)])
    return OpenShard(batches, rows.tolist(), tokens.tolist(), lengths)


def _checked(path: Path, batch: pa.RecordBatch) -> Batch:
    batch.validate(full=True)
    ids, sources, lists, lengths = batch.columns
    offsets = lists.offsets.to_numpy()
    if batch.num_rows and not np.array_equal(np.diff(offsets), lengths.to_numpy(zero_copy_only=False)):
        raise RecordError(f"{path} is damaged: the lengths of its documents are not those of their tokens")
    return Batch(ids, sources, offsets, lists.values.to_numpy())
