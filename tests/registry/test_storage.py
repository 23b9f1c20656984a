"""Files of any fsspec file system: got whole, put whole, listed anew. `memory://` stands for a store."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from registry import mirror
from registry.errors import StageError, UsageError
from registry.layout import Layout
from registry.storage import Storage, is_url, listed, plain_path


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    fsspec.filesystem("memory").store.clear()
    made = Storage("memory://bucket/build")
    for name in ("a/b.txt", "a/c.html", "d.txt", ".e/f.txt"):
        (tmp_path / "file").write_text(name)
        made.put(tmp_path / "file", name)
    return made


def test_what_is_put_is_listed_and_got(store: Storage, tmp_path: Path) -> None:
    assert {name: found.size for name, found in store.list().items()} == {
        "a/b.txt": 7,
        "a/c.html": 8,
        "d.txt": 5,
        ".e/f.txt": 8,
    }
    assert set(store.list("a")) == {"a/b.txt", "a/c.html"}
    assert store.get("a/b.txt", tmp_path / "new" / "copy").read_text() == "a/b.txt"
    store.delete(["a/b.txt", "never"])
    assert set(store.list("a")) == {"a/c.html"}
    with pytest.raises(FileNotFoundError):
        store.get("a/b.txt", tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("memory://bucket/build", {"a/b.txt", "a/c.html", "d.txt"}),
        ("memory://bucket/build/d.txt", {"d.txt"}),
        ("memory://bucket/build/*", {"a/b.txt", "a/c.html", "d.txt"}),
        ("memory://bucket/build/*.txt", {"d.txt"}),
        ("memory://bucket/build/**/*.txt", {"a/b.txt", "d.txt"}),
        ("memory://bucket/build/a/?.*", {"b.txt", "c.html"}),
        ("memory://bucket/nothing", set()),
    ],
)
def test_a_url_means_what_a_path_means(store: Storage, pattern: str, names: set[str]) -> None:
    assert {name for name, _, _ in listed(pattern)} == names


def test_what_may_pass_is_tried_again_and_told_in_the_end(store: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.storage._PAUSES", (0.0, 0.0))
    calls = []

    def fails(times: int) -> None:
        calls.append(1)
        if len(calls) <= times:
            raise OSError("Slow Down")

    store._patiently(lambda: fails(2))
    assert len(calls) == 3
    calls.clear()
    with pytest.raises(StageError, match=r"memory://bucket/build: the storage failed: Slow Down"):
        store._patiently(lambda: fails(9))
    assert len(calls) == 3


def test_a_full_disk_of_ours_is_not_the_stores_fault(store: Storage) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "/scratch/x")

    with pytest.raises(OSError, match="No space left") as told:
        store._patiently(full)
    assert not isinstance(told.value, StageError)


def test_what_counts_is_what_the_store_has(store: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUS_SCRATCH", str(tmp_path / "scratch"))
    layout = Layout.at("memory://bucket/build")
    assert layout.shown == "memory://bucket/build"
    path = layout.root / "a" / "b.txt"
    assert mirror.size_of(path) == 7
    assert not path.exists()
    mirror.fetch([path])
    assert path.read_text() == "a/b.txt"
    own = layout.root / "own.txt"
    own.write_text("here alone")
    with pytest.raises(FileNotFoundError):
        mirror.size_of(own)
    mirror.put([own])
    assert mirror.size_of(own) == 10
    mirror.drop([own])
    assert not own.exists()
    assert "own.txt" not in store.list()


def test_places(tmp_path: Path) -> None:
    assert is_url("s3://bucket/x")
    assert not is_url(tmp_path)
    assert not is_url(f"file://{tmp_path}")
    assert plain_path(f"file://{tmp_path}") == tmp_path
    with pytest.raises(UsageError, match="no storage s4://"):
        Storage("s4://bucket").list()
