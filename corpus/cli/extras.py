"""What only some commands need: an extra that is not installed is one clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from registry.errors import UsageError


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around an import: a missing package is told with the extra that has it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"this needs {error.name}: pip install 'corpus-foundry[{extra}]'") from None
