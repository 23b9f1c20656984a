"""A small build, made once, and a catalog of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import SMALL, corpus


@pytest.fixture(scope="session", autouse=True)
def _own_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes to the user's catalog."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus, built with two workers. Not to be changed: it is shared."""
    folder = tmp_path_factory.mktemp("built") / "small"
    done = corpus("build", SMALL, "--out", folder, "--workers", 2)
    assert done.returncode == 3, done.stderr
    return folder
