"""The inventory: every file once, in a fixed order, under a name that is the same on every machine."""

from __future__ import annotations

import hashlib
import os
import time
import unicodedata
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.inventory import take_inventory
from registry.errors import RecipeError
from registry.recipe import Extract, Source


def plan(folder: Path, *paths: str) -> SimpleNamespace:
    sources = [Source(name=f"s{i}", path=path, kind="news", licence="x") for i, path in enumerate(paths)]
    return SimpleNamespace(
        path=folder / "recipe.yaml", folder=folder, recipe=SimpleNamespace(sources=sources, extract=Extract())
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "in/b.txt",
        "in/a/c.txt",
        "in/.git/config",
        "in/.hidden",
        "two/x.html",
        "two/y.txt",
        "two/deep/z.html",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def test_files_are_listed_sorted_with_their_digests_and_without_hidden_ones(folder: Path) -> None:
    inputs = take_inventory(plan(folder, "in"), None)
    assert [item.uri for item in inputs] == ["a/c.txt", "b.txt"]
    assert [item.sha256 for item in inputs] == [
        hashlib.sha256(f"in/{item.uri}".encode()).hexdigest() for item in inputs
    ]


def test_a_source_is_a_file_a_folder_or_a_pattern(folder: Path) -> None:
    inputs = take_inventory(plan(folder, "in/b.txt", "two/*.html", "two/**/*.html", "t*"), None)
    assert [(item.source, item.uri) for item in inputs] == [
        ("s0", "b.txt"),
        ("s1", "x.html"),
        ("s2", "deep/z.html"),
        ("s2", "x.html"),
        ("s3", "two/deep/z.html"),
        ("s3", "two/x.html"),
        ("s3", "two/y.txt"),
    ]


def test_composed_and_decomposed_names_give_one_uri(folder: Path) -> None:
    (folder / "jp").mkdir()
    (folder / "jp" / unicodedata.normalize("NFD", "ガイド.txt")).write_text("x")
    assert [item.uri for item in take_inventory(plan(folder, "jp"), None)] == ["ガイド.txt"]


def test_a_name_that_is_not_utf8_is_escaped(folder: Path) -> None:
    (folder / "odd").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "odd") + b"/\x83\x66.txt")).write_text("x")
    assert [item.uri for item in take_inventory(plan(folder, "odd"), None)] == ["\\x83f.txt"]


def test_a_source_without_files_is_an_error(folder: Path) -> None:
    with pytest.raises(RecipeError, match=r"sources.s0.path: there is no file at .*/nothing"):
        take_inventory(plan(folder, "nothing"), None)


def test_an_unreadable_file_is_listed_with_its_reason(folder: Path) -> None:
    (folder / "in" / "b.txt").unlink()
    (folder / "in" / "b.txt").symlink_to("missing")
    inputs = take_inventory(plan(folder, "in"), None)
    assert [(item.uri, item.sha256 == "", item.error) for item in inputs] == [
        ("a/c.txt", False, ""),
        ("b.txt", True, "No such file or directory"),
    ]


def test_an_unchanged_file_is_not_read_again_and_a_changed_one_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = folder / "memory.arrow"
    for path in (folder / "in").rglob("*.txt"):
        os.utime(path, (1, 1))
    first = take_inventory(plan(folder, "in"), memory)
    read: list[str] = []
    monkeypatch.setattr("pipelines.inventory._hash", lambda path: read.append(path.name) or "new")
    assert take_inventory(plan(folder, "in"), memory) == first
    assert read == []
    (folder / "in" / "b.txt").write_text("other")
    again = take_inventory(plan(folder, "in"), memory)
    assert read == ["b.txt"]
    assert [item.sha256 for item in again] == [first[0].sha256, "new"]


def test_a_file_that_was_just_written_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = folder / "memory.arrow"
    os.utime(folder / "in" / "b.txt", (time.time(), time.time()))
    take_inventory(plan(folder, "in/b.txt"), memory)
    monkeypatch.setattr("pipelines.inventory._hash", lambda path: "read again")
    assert take_inventory(plan(folder, "in/b.txt"), memory)[0].sha256 == "read again"


def test_archives_are_listed_in_a_process_with_limits(folder: Path) -> None:
    with zipfile.ZipFile(folder / "in/a.zip", "w") as archive:
        archive.writestr("x.txt", "x" * 100)
    (folder / "in/bad.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    made = plan(folder, "in")
    inputs = [item for item in take_inventory(made, None) if "zip" in item.uri]
    assert [(item.uri, item.bytes, item.error) for item in inputs] == [
        ("a.zip!/x.txt", 100, ""),
        ("bad.zip", 104, "broken: the archive is cut off or damaged: BadZipFile"),
    ]
    with zipfile.ZipFile(folder / "in/a.zip", "w") as archive:
        for number in range(60_000):  # names that take more room in memory than the parser may have
            archive.writestr(f"{number:0200}", "")
    made.recipe.extract = Extract.model_validate({"limits": {"memory": "60MB"}})
    inputs = [item for item in take_inventory(made, None) if "zip" in item.uri]
    assert [item.error.partition(":")[0] for item in inputs] == ["memory", "broken"]
