"""What others wrote is read with one clear error; a folder that we write is there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from registry.errors import RecordError, StageError, UsageError

_TOKENIZER = (
    "tokenizer*.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "vocab.json", "merges.txt",
)  # fmt: skip


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


def copy_tokenizer(folder: Path, out: Path) -> None:
    """Copy all that a tokenizer is made of."""
    for pattern in _TOKENIZER:
        for path in folder.glob(pattern):
            shutil.copyfile(path, out / path.name)


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A folder that appears whole and synced, in place of what was there, or not at all.

    Raises:
        StageError: it cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed process of this number
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in temporary.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise StageError(f"{folder} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
