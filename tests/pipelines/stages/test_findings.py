"""Findings of some documents are those of the whole file, filtered; their digest tells whether they changed."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.stages.findings import Findings, digest_of

SCHEMA = pa.schema([("id", pa.string()), ("start", pa.int64())])
NUMBERS = st.integers(0, 30)


def name(number: int) -> str:
    return f"{number * 0x1234567:032x}"


@settings(deadline=None)
@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS)), cut=NUMBERS, wanted=st.lists(NUMBERS, unique=True), skipped=NUMBERS)
def test_rows_are_those_of_the_wanted_documents(
    rows: list[tuple[int, int]], cut: int, wanted: list[int], skipped: int
) -> None:
    rows = sorted((name(number), start) for number, start in rows)
    table = pa.table({"id": [row[0] for row in rows], "start": [row[1] for row in rows]}, SCHEMA)
    with TemporaryDirectory() as folder:
        path = Path(folder, "findings.arrow")
        with pa.ipc.new_file(str(path), SCHEMA) as writer:
            for part in (table.slice(0, cut), table.slice(cut)):
                writer.write_table(part)
        ids = pa.array([name(number) for number in wanted], pa.string())
        whole, some = Findings(path).of(ids), Findings(path).of(ids.slice(skipped))
    chosen = {name(number) for number in wanted}
    assert [tuple(row.values()) for row in whole.to_pylist()] == [row for row in rows if row[0] in chosen]
    chosen = {name(number) for number in wanted[skipped:]}
    assert [row["id"] for row in some.to_pylist()] == [row[0] for row in rows if row[0] in chosen]
    assert (digest_of([whole]) == digest_of([some])) == (whole.to_pylist() == some.to_pylist())
