"""The patterns of patterns.yaml by name, compiled once: what marks an item, a heading, a figure, a page number."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from registry.data import read_data


@cache
def _sources() -> dict[str, str]:
    sources: dict[str, str] = read_data(Path(__file__).parent / "patterns.yaml")
    return sources


@cache
def pattern(name: str) -> re.Pattern[str]:
    """The compiled pattern `name`."""
    return re.compile(_sources()[name], re.VERBOSE)
