"""Thresholds, word lists and mappings: data in YAML files, beside the code that uses them or in a domain's folder.

What comes out is plain: no tag makes an object. libyaml reads in a seventh of the time of Python's own parser, which
took 90 ms of each process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a PyYAML may have been built without libyaml


def read_data(file: Path) -> Any:
    """What a YAML file holds.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a safe one either way
