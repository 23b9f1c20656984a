"""Nothing is drawn from a record that is not whole; what is written is the same bytes each time, and once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpus
from corpus.audit import write
from registry.errors import RecordError
from registry.ledger import ledger_schema

FILES = ("report.html", "audit.json", "card/README.md", "card/croissant.json")


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "build")
    return tmp_path / "build"


def refused(build: Path, match: str) -> None:
    (build / "audit.json").unlink(missing_ok=True)
    with pytest.raises(RecordError, match=match):
        write(corpus.open_build(build))
    assert not (build / "audit.json").exists()


def rewrite(path: Path, table: pa.Table, build: Path) -> None:
    """Put a table in the place of a file, and let the manifest say so: what a careless tool would do."""
    import hashlib
    import json

    pq.write_table(table, path)
    manifest = json.loads((build / "manifest.json").read_bytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["files"][str(path.relative_to(build))] = {"bytes": path.stat().st_size, "sha256": digest}
    (build / "manifest.json").write_text(json.dumps(manifest))


def first(build: Path, folder: str) -> Path:
    return sorted((build / folder).rglob("*.parquet" if folder != "shards" else "*.arrow"))[0]


@pytest.mark.parametrize("folder", ["ledger", "documents", "shards"])
def test_a_cut_off_file_is_named(copy: Path, folder: str) -> None:
    path = first(copy, folder)
    path.write_bytes(path.read_bytes()[:-50])
    refused(copy, rf"is not what its manifest says.*\n.*{path.relative_to(copy)} has [\d,]+ bytes, not")


def test_a_changed_byte_is_named(copy: Path) -> None:
    path = first(copy, "ledger")
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    refused(copy, "has another digest")


def test_a_missing_file_is_named(copy: Path) -> None:
    first(copy, "rejects").unlink()
    refused(copy, r"rejects/00000\.parquet is missing")


def test_a_file_of_another_build_is_named(copy: Path) -> None:
    shutil.copy(first(copy, "ledger"), copy / "ledger" / "99999.parquet")
    refused(copy, r"ledger/99999\.parquet is no file of this build")


def test_a_ledger_of_another_version_is_named(copy: Path) -> None:
    path = first(copy, "ledger")
    rewrite(path, pq.read_table(path).drop_columns(["cuts"]), copy)
    refused(copy, "was written by another version: it differs in cuts")


def test_a_row_that_is_gone_is_named(copy: Path) -> None:
    path = first(copy, "ledger")
    table = pq.read_table(path)
    rewrite(path, table.slice(1).cast(ledger_schema()), copy)
    refused(copy, r"the ledger has [\d,]+ \w+, the manifest")


def test_tokens_that_are_not_those_of_the_shards_are_named(copy: Path) -> None:
    path = first(copy, "ledger")
    rows = pq.read_table(path).to_pylist()
    next(row for row in rows if row["fate"] == "kept")["tokens"] += 1
    rewrite(path, pa.Table.from_pylist(rows, ledger_schema()), copy)
    refused(copy, "1 documents have other numbers of tokens in the shards than in the ledger")


def test_a_document_that_is_not_in_the_shards_is_named(copy: Path) -> None:
    path = first(copy, "ledger")
    rows = pq.read_table(path).to_pylist()
    next(row for row in rows if row["fate"] == "kept")["id"] = "f" * 32
    rewrite(path, pa.Table.from_pylist(rows, ledger_schema()), copy)
    refused(copy, "that are not the")


def test_a_second_audit_does_nothing_and_a_fresh_one_gives_the_same_bytes(copy: Path) -> None:
    opened = corpus.open_build(copy)
    before = {name: ((copy / name).stat().st_mtime_ns, (copy / name).read_bytes()) for name in FILES}
    write(opened)
    assert {name: (copy / name).stat().st_mtime_ns for name in FILES} == {n: b[0] for n, b in before.items()}
    write(opened, fresh=True)
    assert {name: (copy / name).read_bytes() for name in FILES} == {n: b[1] for n, b in before.items()}


def test_a_page_that_is_gone_is_made_again_in_its_language(copy: Path) -> None:
    opened = corpus.open_build(copy)
    write(opened, "ja")
    page = (copy / "report.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in page
    assert "規則としきい値" in page
    (copy / "report.html").unlink()
    write(opened)
    assert (copy / "report.html").read_text(encoding="utf-8") == page


def test_a_small_build_has_a_small_page(built: Path) -> None:
    assert (built / "report.html").stat().st_size < 3_000_000
