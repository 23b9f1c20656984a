"""The patterns of patterns.yaml by name, compiled once: what marks an item, a heading, a figure, a page number."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml


@cache
def _sources() -> dict[str, str]:
    sources: dict[str, str] = yaml.safe_load((Path(__file__).parent / "patterns.yaml").read_text(encoding="utf-8"))
    return sources


@cache
def pattern(name: str) -> re.Pattern[str]:
    """The compiled pattern `name`."""
    return re.compile(_sources()[name], re.VERBOSE)
