"""Completion records and fingerprints: what is done is known as done, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.records import code_version, fingerprint, read_record, write_record


def test_a_record_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("abc")
    write_record(tmp_path, "task", {"outputs": ["out"], "n": 3})
    assert read_record(tmp_path, "task") == {"outputs": ["out"], "n": 3}


@pytest.mark.parametrize("damage", ["gone", "shorter", "no json", "another task", "no record"])
def test_what_is_not_whole_is_not_done(tmp_path: Path, damage: str) -> None:
    (tmp_path / "out").write_text("abc")
    write_record(tmp_path, "task", {"outputs": ["out"]})
    match damage:
        case "gone":
            (tmp_path / "out").unlink()
        case "shorter":
            (tmp_path / "out").write_text("a")
        case "no json":
            (tmp_path / "task.json").write_text('{"task": "ta')
        case "another task":
            (tmp_path / "task.json").rename(tmp_path / "other.json")
            (tmp_path / "other.json").rename(tmp_path / "third.json")
        case "no record":
            (tmp_path / "task.json").unlink()
    assert read_record(tmp_path, "task") is None
    assert read_record(tmp_path, "third") is None


def test_a_fingerprint_depends_on_values_and_their_places_alone() -> None:
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert len({fingerprint("a", "bc"), fingerprint("ab", "c"), fingerprint(["a", "bc"])}) == 3


def test_the_version_of_code_follows_sources_data_and_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "room").mkdir()
    for name in ("room/__init__.py", "room/words.txt", "lone.py", "lone.yaml"):
        (tmp_path / name).write_text("1")
    monkeypatch.syspath_prepend(tmp_path)
    versions = []
    for name in ("room/words.txt", "lone.yaml", "lone.py"):
        (tmp_path / name).write_text("2")
        code_version.cache_clear()
        versions.append(code_version("room", "lone"))
    assert len(set(versions)) == 3
    assert code_version("numpy==") != code_version("scipy==")
