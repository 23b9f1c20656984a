"""The texts of a few documents out of many: only the groups of rows that hold them are read.

In: ids. Out: their rows of documents/ or rejects/, by id. Of 300,000 documents, 300 take 0.25 s.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from registry.errors import RecordError
from registry.ledger import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from corpus.opened import OpenedBuild

_COLUMNS = ("id", "source", "uri", "part", "title", "fate", "chars", "text")


def texts(opened: OpenedBuild, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Id -> source, uri, part, title, fate, chars and text; failed documents have none and are left out."""
    found: dict[str, dict[str, Any]] = {}
    for folder in (opened.layout.documents, opened.layout.rejects):
        for path in sorted(folder.glob("*.parquet")):
            if len(found) < len(set(ids)):
                found |= {row["id"]: row for row in rows_of(path, ids, _COLUMNS)}
    return found


def rows_of(path: Path, ids: Collection[str], columns: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of one parquet file that have these ids, in the order of the file.

    Raises:
        RecordError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        file, here = _ids(path, path.stat().st_mtime_ns)
        places = pc.indices_nonzero(pc.is_in(here, pa.array(list(ids), pa.string()))).to_pylist()
        first = 0
        for group in range(file.num_row_groups if places else 0):
            count = file.metadata.row_group(group).num_rows
            own = [place - first for place in places if first <= place < first + count]
            if own:
                rows = file.read_row_group(group, columns=list(columns) if columns else None, use_threads=False)
                yield from map(plain, rows.take(own).to_pylist())
            first += count
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is damaged ({str(error).splitlines()[0]}); build again") from None


def ids_of(path: Path) -> Any:
    """The ids of one parquet file, as an Arrow column.

    Raises:
        RecordError: the file is damaged.
    """
    import pyarrow as pa

    try:
        return _ids(path, path.stat().st_mtime_ns)[1]
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is damaged ({str(error).splitlines()[0]}); build again") from None


@lru_cache(maxsize=512)
def _ids(path: Path, stamp: int) -> tuple[Any, Any]:  # noqa: ARG001 - another file under the name has another stamp
    """An open file and its ids; a question about a document asks for them four times."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    return file, file.read(["id"], use_threads=False).column("id")
