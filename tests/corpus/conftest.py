"""What tests of builds share: a domain and its build of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def own(made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the domain and build that a module has `made`, to do with as a test likes."""
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own" / "domain", tmp_path / "own" / "out"
