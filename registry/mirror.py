"""A build on object storage, and its copy on this machine.

Everything in a build is written and read here, in a folder of scratch space; `Mirror` says which URL that folder
copies. A file that is put there is whole here first. What counts as done is what the storage lists, never what lies
here, so a build may be taken up on another machine; what lies here only saves fetching it.

Without a mirror the functions below are the plain ones of the file system, so that no stage has to know which it is.
The folder is ``$CORPUS_SCRATCH/NAME-DIGEST``, else below ``~/.cache/corpus-foundry``: the same on every node, if the
variable is.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from registry.storage import Storage, is_url, plain_path

_FRESH = 2.0  # seconds that a listing is believed, so that 10,000 questions in a row are one request
_mirrors: dict[Path, Mirror] = {}


class Mirror:
    """What lies at `url`, copied to `root`."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.storage = Storage(url)
        self._listings: dict[str, tuple[float, dict[str, int]]] = {}

    def name(self, path: Path) -> str:
        """The name in the storage of what is copied to `path`."""
        return path.relative_to(self.root).as_posix()

    def sizes(self, folder: Path, *, fresh: bool = False) -> dict[str, int]:
        """The files below `folder` in the storage, by name, with their sizes."""
        below = "" if folder == self.root else self.name(folder)
        when, sizes = self._listings.get(below, (float("-inf"), {}))
        if fresh or time.monotonic() - when > _FRESH:
            sizes = {name: found.size for name, found in self.storage.list(below).items()}
            self._listings[below] = time.monotonic(), sizes
        return sizes

    def size(self, path: Path) -> int:
        """Bytes of the file in the storage. FileNotFoundError where there is none, or there was none just now."""
        try:
            return self.sizes(path.parent)[self.name(path)]
        except KeyError:
            raise FileNotFoundError(path) from None

    def fetch(self, paths: Iterable[Path]) -> None:
        """Copy here what is not here yet. FileNotFoundError where the storage has not got it."""
        missing = {self.name(path): path for path in paths if not path.is_file()}
        self.storage.each(lambda name: self.storage.get(name, missing[name]), missing)

    def put(self, paths: Iterable[Path]) -> None:
        """Put files there."""
        here = {self.name(path): path for path in paths}
        self.storage.each(lambda name: self.storage.put(here[name], name), here)
        for _, sizes in self._listings.values():
            sizes.update({name: path.stat().st_size for name, path in here.items()})

    def drop(self, paths: Iterable[Path]) -> None:
        """Delete files there and here."""
        gone = {self.name(path): path for path in paths}
        there = {name for _, sizes in self._listings.values() for name in sizes}
        self.storage.delete(sorted(there & set(gone)))
        for name, path in gone.items():
            path.unlink(missing_ok=True)
            for _, sizes in self._listings.values():
                sizes.pop(name, None)

    def forget(self) -> None:
        """Ask anew from now on."""
        self._listings.clear()

    def refresh(self, path: Path) -> None:
        """Make the copy of one file what the storage has now, or nothing."""
        try:
            self.storage.get(self.name(path), path)
        except FileNotFoundError:
            path.unlink(missing_ok=True)


def mount(root: Path, url: str) -> Mirror:
    """From now on, in this process, `root` is the copy of `url`."""
    if root not in _mirrors or _mirrors[root].storage.url != url.rstrip("/"):
        _mirrors[root] = Mirror(root, url)
    return _mirrors[root]


def mounted(place: str | Path) -> Path:
    """The folder on this machine that `place` means; a URL is mounted."""
    if not is_url(place):
        return plain_path(place)
    url = str(place).rstrip("/")
    scratch = Path(os.environ.get("CORPUS_SCRATCH") or Path.home() / ".cache" / "corpus-foundry").expanduser().resolve()
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in url.rpartition("/")[2])
    root = scratch / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    mount(root, url)
    return root


def mirror_of(path: Path) -> Mirror | None:
    """The mirror that `path` lies in, if it lies in one."""
    if not _mirrors:
        return None
    return next((mirror for root, mirror in _mirrors.items() if path == root or root in path.parents), None)


def shown(path: Path) -> str:
    """How a user calls `path`: by its URL, if it has one."""
    mirror = mirror_of(path)
    return str(path) if mirror is None else f"{mirror.storage.url}/{mirror.name(path)}".removesuffix("/.")


def size_of(path: Path) -> int:
    """Bytes of a file, where it counts. FileNotFoundError where there is none."""
    mirror = mirror_of(path)
    return path.stat().st_size if mirror is None else mirror.size(path)


def fetch(paths: Iterable[Path]) -> None:
    """Make sure that these files are here. Without a mirror they are, or whoever opens them finds out."""
    paths = list(paths)
    if paths and (mirror := mirror_of(paths[0])):
        mirror.fetch(paths)


def pull(folder: Path, suffix: str) -> None:
    """Ask anew what is in `folder`, and copy its files that end in `suffix` here, several at a time."""
    mirror = mirror_of(folder)
    if mirror is not None:
        listing = mirror.sizes(folder, fresh=True)
        mirror.fetch([mirror.root / name for name in listing if name.endswith(suffix)])


def names_in(folder: Path) -> list[Path]:
    """The files in `folder`, where it counts, sorted."""
    mirror = mirror_of(folder)
    if mirror is None:
        return sorted(folder.glob("*"))
    here = {path.name: path for path in folder.glob("*")}
    there = {mirror.root / name for name in mirror.sizes(folder)}
    return sorted(there | set(here.values()))


def files_below(folder: Path) -> list[Path]:
    """The files in `folder` and its folders, where it counts, and what lies here of them."""
    mirror = mirror_of(folder)
    there = [mirror.root / name for name in mirror.sizes(folder, fresh=True)] if mirror else []
    return sorted({*there, *(path for path in folder.rglob("*") if path.is_file())})


def put(paths: Iterable[Path]) -> None:
    """Make these files seen by everybody. Without a mirror they are."""
    paths = list(paths)
    if paths and (mirror := mirror_of(paths[0])):
        mirror.put(paths)


def drop(paths: Iterable[Path]) -> None:
    """Delete these files."""
    paths = list(paths)
    mirror = mirror_of(paths[0]) if paths else None
    if mirror is not None:
        mirror.drop(paths)
    for path in paths:
        path.unlink(missing_ok=True)
