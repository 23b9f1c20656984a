"""What every test may use: the shared data, where it is present."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real documents that are not in the repository; a test that needs it is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the shared data are not here")
    return SHARED
