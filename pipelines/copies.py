"""Copies of inputs that lie on a storage: fetched once, to be hashed, and kept for the worker that reads them.

In: URLs. Out: files on this machine. The driver keeps what fits into a quarter of the free disk; the rest, and all that
a worker on another machine needs, is fetched again. A copy is taken by renaming its folder, so it has one owner, who
deletes it; one that nobody takes is gone with the folder of all.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from registry.storage import fetch_file

_SHARE = 4  # of the free disk, one in so many bytes


class Copies:
    """The driver's side: an empty folder, which is filled; without one nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = Lock()
        self._room = 0
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)  # what an interrupted build left may be out of date
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._room = shutil.disk_usage(folder.parent).free // _SHARE

    @contextmanager
    def fetched(self, url: str, size: int) -> Iterator[Path]:
        """The file at a URL, while the block runs and, if there is room, until somebody takes it."""
        with self._lock:
            kept = self._folder is not None and size <= self._room
            self._room -= size if kept else 0
        if self._folder is not None and kept:
            yield fetch_file(url, self._folder / _name(url))
        else:
            with TemporaryDirectory() as folder:
                yield fetch_file(url, Path(folder))


@contextmanager
def taken(url: str, kept: Path, scratch: Path) -> Iterator[Path]:
    """The file at a URL while the block runs: the copy in the folder `kept`, or a new one in `scratch`.

    Raises:
        FileNotFoundError: there is neither.
    """
    name = _name(url)
    own = kept / f"{name}.{secrets.token_hex(8)}"
    try:
        (kept / name).rename(own)
        path = next(own.iterdir())
    except (OSError, StopIteration):
        own = scratch / name
        path = fetch_file(url, own)
    try:
        yield path
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _name(url: str) -> str:
    return hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
