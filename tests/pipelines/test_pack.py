"""Packs: what is written is what is read, slice by slice, in any order."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.pack import Slice, read_slices, write_pack

SCHEMA = pa.schema([pa.field("name", pa.string()), pa.field("text", pa.large_string())])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=40), st.randoms())
def test_slices_come_back_in_the_order_asked(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], random: object
) -> None:
    path = tmp_path_factory.mktemp("pack") / "pack.arrow"
    with write_pack(path, SCHEMA) as pack:
        for number, text in enumerate(texts):
            pack.add({"name": str(number), "text": text})
            if number % 7 == 6:
                pack.flush()
    order = list(range(len(texts)))
    random.shuffle(order)  # type: ignore[attr-defined]
    slices = [Slice(str(path), number, 1, 0) for number in order]
    rows = [row for batch in read_slices(slices) for row in batch.to_pylist()]
    assert rows == [{"name": str(number), "text": texts[number]} for number in order]


def test_a_slice_may_cross_batches_and_packs(tmp_path: Path) -> None:
    for pack_name in ("a", "b"):
        with write_pack(tmp_path / pack_name, SCHEMA) as pack:
            for number in range(10):
                pack.add({"name": f"{pack_name}{number}", "text": ""})
                pack.flush()
    slices = [
        Slice(str(tmp_path / "b"), 3, 4, 0),
        Slice(str(tmp_path / "a"), 8, 2, 0),
        Slice(str(tmp_path / "b"), 0, 1, 0),
    ]
    names = [name for batch in read_slices(slices, ["name"]) for name in batch.column("name").to_pylist()]
    assert names == ["b3", "b4", "b5", "b6", "a8", "a9", "b0"]
    assert all(batch.schema.names == ["name"] for batch in read_slices(slices, ["name"]))


def test_an_exception_leaves_no_pack(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="planned"), write_pack(tmp_path / "pack", SCHEMA) as pack:
        pack.add({"name": "a", "text": "b"})
        raise ValueError("planned")
    assert list(tmp_path.iterdir()) == []
