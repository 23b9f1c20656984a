"""The version of code follows what the code could run, and nothing else."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from pipelines.engine import code


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write `files` below a package called `house` and give the version of `house.door`."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "house"]:
        monkeypatch.delitem(sys.modules, name)  # of the test before
    monkeypatch.setattr(code, "OURS", ("house",))

    def measure(**files: str) -> str:
        for name, text in files.items():
            path = tmp_path / "house" / name.replace("__", "/").replace("_init", "__init__")
            path = path.with_name(path.name.replace("_py", ".py").replace("_yaml", ".yaml").replace("_txt", ".txt"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for cached in (code.code_version, code._module, code._is_module):
            cached.cache_clear()
        return code.code_version("house.door")

    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "__init__.py").write_text("")
    measure(
        wall_py="",
        lock_py="",
        room___init_py="",
        door_py="def f():\n    from house import lock\n    import house.room\n",
    )
    return measure


@pytest.mark.parametrize("changed", ["door_py", "lock_py", "door_yaml", "lock_txt", "room___init_py", "room__list_txt"])
def test_it_changes_with_what_the_module_can_reach(version, changed: str) -> None:
    before = version()
    kept = {"door_py": "from house import lock\nimport house.room\n"}
    assert version(**{changed: kept.get(changed, "x = 1")}) != before


def test_it_stays_when_something_else_changes(version) -> None:
    before = version()
    assert version(wall_py="x = 1", wall_yaml="x: 1") == before


def test_it_changes_with_a_library(version, monkeypatch: pytest.MonkeyPatch) -> None:
    before = version(lock_py="import numpy as np\n")
    monkeypatch.setattr(code.metadata, "version", lambda name: f"{name} 99")
    assert version() != before


def test_all_stages_are_measured_in_under_a_second() -> None:
    for cached in (code.code_version, code._module, code._is_module):
        cached.cache_clear()
    started = time.process_time()
    code.code_version("pipelines.refine", "pipelines.dedup.near", "pipelines.tokenize", "pipelines.extract.filing")
    assert time.process_time() - started < 1
