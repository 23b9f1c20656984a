"""A build that was never built: shards, texts and a manifest, with the odd documents that exports must get right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.opened import OpenedBuild
from registry.layout import Layout
from registry.ledger import text_schema
from registry.manifest import FileRecord, Manifest
from registry.publish import digest
from registry.shards import ShardWriter, index_shards


class Made(NamedTuple):
    """The build, and by split what is in it: (id, source, tokens, text) in order."""

    build: OpenedBuild
    documents: dict[str, list[tuple[str, str, list[int], str]]]


def make_build(root: Path, dtype: str = "uint16", documents: int = 60, seed: int = 0) -> Made:
    """Two parts of documents, a tenth of them held out; lengths from 1 to 400, one of 0 and one of 5,000."""
    rng = np.random.default_rng(seed)
    layout = Layout(root)
    top = 60_000 if dtype == "uint16" else 190_000
    held: dict[str, list[tuple[str, str, list[int], str]]] = {"train": [], "validation": []}
    for part in range(2):
        rows = []
        for i in range(documents // 2):
            number = part * documents + i
            length = {3: 0, 7: 5000}.get(number, int(rng.integers(1, 400)))
            tokens = rng.integers(0, top, length).tolist()
            split = "validation" if i % 10 == 9 else "train"
            row = (f"{number:032x}", "filings" if i % 2 else "教科書", tokens, f"第{number}期\n\t売上高 {number}")
            held[split].append(row)
            rows.append((split, row))
        for split in held:
            path = layout.shards / split / f"{part:05}.arrow"
            with ShardWriter(path, dtype=dtype, metadata={"tokenizer": "0f"}) as writer:
                for own, (name, source, tokens, _) in rows:
                    if own == split:
                        writer.write(name, source, np.array(tokens, dtype=np.uint32))
        layout.documents.mkdir(parents=True, exist_ok=True)
        values = [
            {"id": row[0], "source": row[1], "text": row[3], "uri": f"{row[0]}.txt", "measurements": [], "metadata": []}
            for _, row in rows
        ]
        pq.write_table(pa.Table.from_pylist(values, text_schema()), layout.documents / f"{part:05}.parquet")
    for split in held:
        index_shards(layout.shards / split)
    files = {
        str(path.relative_to(root)): FileRecord(bytes=path.stat().st_size, sha256=digest(path))
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
    about = {"sha256": "0f", "vocabulary": top, "dtype": dtype}
    Manifest(
        name="made", version="0", fingerprint=f"{seed}", recipe={}, profiles={}, libraries={}, tokenizer=about,
        sources={}, files=files,
    ).write(layout.manifest)  # fmt: skip
    from corpus.opened import open_build

    return Made(open_build(root), held)


@pytest.fixture(params=["uint16", "uint32"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """A build of each type of tokens."""
    return make_build(tmp_path / "build", request.param)


@pytest.fixture
def one(tmp_path: Path) -> Made:
    """One build, where the type of tokens does not matter."""
    return make_build(tmp_path / "build")


@pytest.fixture
def make() -> Callable[..., Made]:
    """Makes another one."""
    return make_build
