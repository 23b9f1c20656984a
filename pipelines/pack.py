"""Packs: what a stage made of many inputs, in one Arrow file, so that a million web pages are not a million files.

In: rows in groups (all rows of one input, or a slice of them). Out: an Arrow IPC file, zstd-compressed, and for each
group its key and where its rows lie. A later stage asks for groups by key, in whatever order it likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.publish import replacing

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_CHARACTERS = 4 << 20  # rows of a batch are held in memory together
_BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that belong together: `rows` rows from `first` on in the pack at `path`, with `size` characters of text."""

    path: str
    first: int
    rows: int
    size: int


class PackWriter:
    """Writes rows to a pack; see `write_pack`."""

    def __init__(self, writer: Any, schema: pa.Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._characters = 0
        self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self._rows.append(row)
        self._characters += len(row.get("text") or "")
        self.count += 1
        if self._characters >= _BATCH_CHARACTERS or len(self._rows) >= _BATCH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held as one batch."""
        if self._rows:
            import pyarrow as pa

            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, self._schema))
            self._rows.clear()
            self._characters = 0


@contextmanager
def write_pack(path: Path, schema: pa.Schema) -> Iterator[PackWriter]:
    """A pack at `path`, whole when the block ends without an exception and not there otherwise."""
    import pyarrow as pa

    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1))
    with (
        replacing(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema, options=options) as writer,
    ):
        pack = PackWriter(writer, schema)
        yield pack
        pack.flush()


def read_slices(slices: Iterable[Slice], columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of `slices`, in their order, as batches that never cross a slice; one is in memory at a time."""
    for batches in read_each(slices, columns):
        yield from batches


def read_each(slices: Iterable[Slice], columns: Sequence[str] | None = None) -> Iterator[Iterator[pa.RecordBatch]]:
    """As `read_slices`, for each slice by itself; to be read before the next one is asked for."""
    path, pack = "", None
    for piece in slices:
        if pack is None or path != piece.path:
            path, pack = piece.path, _Pack(piece.path, columns)  # neighbours lie in one pack more often than not
        yield pack.rows(piece.first, piece.rows)


class _Pack:
    """An open pack. Keeps the batch it read last: small inputs share one."""

    def __init__(self, path: str, columns: Sequence[str] | None) -> None:
        import numpy as np
        import pyarrow as pa

        source = pa.memory_map(path)
        names = pa.ipc.open_file(source).schema.names
        self._file = _open(source, [names.index(column) for column in columns] if columns else None)
        first = _open(source, [0])  # one short column tells the length of a batch without unpacking its text
        counts = [first.get_batch(i).num_rows for i in range(first.num_record_batches)]
        self._ends = np.cumsum(counts, dtype=np.int64)
        self._last: tuple[int, Any] = (-1, None)

    def rows(self, first: int, count: int) -> Iterator[pa.RecordBatch]:
        import numpy as np

        while count > 0:
            index = int(np.searchsorted(self._ends, first, side="right"))
            batch = self._batch(index)
            start = first - (int(self._ends[index - 1]) if index else 0)
            taken = batch.slice(start, count)
            yield taken
            first += taken.num_rows
            count -= taken.num_rows

    def _batch(self, index: int) -> pa.RecordBatch:
        if self._last[0] != index:
            self._last = (index, self._file.get_batch(index))
        return self._last[1]


def _open(source: Any, fields: list[int] | None) -> Any:
    import pyarrow as pa

    return pa.ipc.open_file(source, options=pa.ipc.IpcReadOptions(included_fields=fields))


def plain(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """A mapping as Arrow's map type takes it, sorted so that the same mapping gives the same bytes."""
    return sorted(mapping.items())
