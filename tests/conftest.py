"""What every test may use: a small build, made once; the shared data, where they are present; a catalog of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import ROOT, SMALL, corpus

SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _own_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test writes to the user's catalog."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real documents that are not in the repository; a test that needs it is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the shared data are not here")
    return SHARED


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus, built with two workers. Not to be changed: it is shared."""
    folder = tmp_path_factory.mktemp("built") / "small"
    done = corpus("build", SMALL, "--out", folder, "--workers", 2)
    assert done.returncode == 3, done.stderr
    return folder
