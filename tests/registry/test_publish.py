"""Outputs appear whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from registry.publish import place, replacing, write_json


def test_a_clean_end_publishes(tmp_path: Path) -> None:
    with replacing(tmp_path / "deep" / "file") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "deep" / "file").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_an_exception_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(ValueError, match="planned"), replacing(tmp_path / "file") as temporary:
        temporary.write_text("half")
        raise ValueError("planned")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]


def test_a_kill_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    script = (
        "import os, pathlib\nfrom registry.publish import replacing\n"
        f"with replacing(pathlib.Path({str(tmp_path / 'file')!r})) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert (tmp_path / "file").read_text() == "old"


def test_json_has_one_form(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1, "a": "日本"})
    write_json(tmp_path / "b", {"a": "日本", "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_placed_file_is_there_and_replaces_what_was(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("new")
    (tmp_path / "seen").write_text("old")
    place(tmp_path / "made", tmp_path / "seen")
    assert (tmp_path / "seen").read_text() == "new"
