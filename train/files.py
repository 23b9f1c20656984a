"""What others wrote, read with one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from registry.errors import RecordError, UsageError


def read_json(path: Path, missing: str) -> dict[str, Any]:
    """The object in a file.

    Raises:
        UsageError: there is no such file; the message is `missing`.
        RecordError: it is damaged.
    """
    try:
        found = json.loads(path.read_bytes())
    except OSError:
        raise UsageError(missing) from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RecordError(f"{path} is damaged")
    return found


def settings(folder: Path) -> dict[str, Any]:
    """The config.json of a model; errors are those of `read_json`."""
    return read_json(folder / "config.json", f"{folder} has no config.json: it is no Hugging Face model")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
