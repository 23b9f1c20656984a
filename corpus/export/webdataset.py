"""WebDataset: tar files in which the members of a document share its id: ``ID.json`` and ``ID.txt`` or ``ID.npy``."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from corpus.export.rows import Content, Row, row_files
from corpus.export.split import Output, Split


def webdataset(splits: Sequence[Split], *, content: Content = "text") -> Iterator[Output]:
    """``SPLIT/NNNNN.tar``; read by ``webdataset.WebDataset`` and ``load_dataset("webdataset")``."""
    return row_files(splits, content, "tar", _write)


def _write(file: IO[bytes], rows: Iterator[Row]) -> None:
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        for row in rows:
            if "text" in row:
                body, suffix = row.pop("text").encode("utf-8", "replace"), "txt"
            else:
                body, suffix = _array(row.pop("input_ids")), "npy"
            _add(tar, f"{row['id']}.json", json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
            _add(tar, f"{row['id']}.{suffix}", body)


def _add(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    tar.addfile(member, io.BytesIO(body))


def _array(tokens: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(tokens))
    return buffer.getvalue()
