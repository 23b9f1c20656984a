"""Stage 1: sources -> a frozen, hashed list of inputs.

In: a plan. Out: an `Inventory`: every file of every source in a fixed order (source as in the recipe, then uri), with
size and SHA-256. Later stages see this list only, never a folder, so files that come or go during a build change
nothing in it. A file whose size, time and inode are as they were is not read again: an unchanged folder of 100,000
files is listed in about a second. Files and folders whose names begin with a dot are left out.
"""

from __future__ import annotations

import hashlib
import os
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.errors import RecipeError
from registry.publish import replacing

if TYPE_CHECKING:
    from pipelines.preflight import Plan
    from registry.recipe import Source

_WILD = frozenset("*?[")
_SETTLED = 2_000_000_000  # ns; a file changed this short before it was hashed may change again within its time stamp
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Input:
    """One file of a source. `error` says why it could not be read, where it could not; then `sha256` is empty."""

    source: str
    uri: str
    path: Path
    bytes: int
    sha256: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Stat:
    """What tells whether a file is still the one that was hashed."""

    size: int
    mtime: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> _Stat:
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


def take_inventory(plan: Plan, memory: Path | None) -> list[Input]:
    """List and hash the inputs of all sources. `memory` is a file that remembers digests from one build to the next."""
    known = _recall(memory) if memory else {}
    places = [(source.name, uri, path) for source in plan.recipe.sources for uri, path in _listed(plan, source)]
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing lets go of the GIL
        found = list(pool.map(lambda place: _examine(*place, known=known), places))
    fresh = {
        (item.source, item.uri): (stat, item.sha256)
        for item, stat, when in found
        if stat is not None and stat.mtime < when - _SETTLED
    }
    if memory and fresh != known:
        _remember(memory, fresh)
    return [item for item, _, _ in found]


def matches(folder: Path, source: Source) -> Iterator[tuple[str, Path]]:
    """(uri, path) of every file of `source`, unsorted. A uri is relative and the same on every machine."""
    path = folder / Path(source.path).expanduser()
    if not _WILD.isdisjoint(source.path):
        steps = path.parts
        fixed = next(i for i, step in enumerate(steps) if not _WILD.isdisjoint(step))
        base, pattern = Path(*steps[:fixed]), str(Path(*steps[fixed:]))
        files = chain.from_iterable(_walk(hit) if hit.is_dir() else [hit] for hit in base.glob(pattern))
        return ((_uri(file.relative_to(base)), file) for file in files if not _hidden(file.relative_to(base)))
    if path.is_dir():
        return ((_uri(file.relative_to(path)), file) for file in _walk(path))
    return iter([(_uri(Path(path.name)), path)] if os.path.lexists(path) else [])


def _listed(plan: Plan, source: Source) -> list[tuple[str, Path]]:
    listed = sorted(dict(matches(plan.folder, source)).items())
    if not listed:
        raise RecipeError(f"{plan.path}: sources.{source.name}.path: there is no file at {plan.folder / source.path}")
    return listed


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in files if not name.startswith("."))


def _hidden(relative: Path) -> bool:
    return any(step.startswith(".") for step in relative.parts)


def _uri(relative: Path) -> str:
    """Forward slashes, composed characters (macOS gives decomposed names), undecodable bytes escaped."""
    text = os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", text)


def _examine(
    source: str, uri: str, path: Path, *, known: dict[tuple[str, str], Any]
) -> tuple[Input, _Stat | None, int]:
    now = time.time_ns()
    try:
        stat = _Stat.of(path)
        before, sha256 = known.get((source, uri), (None, ""))
        sha256 = sha256 if before == stat else _hash(path)
    except OSError as error:
        return Input(source, uri, path, 0, "", error.strerror or type(error).__name__), None, now
    return Input(source, uri, path, stat.size, sha256), stat, now


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recall(memory: Path) -> dict[tuple[str, str], tuple[_Stat, str]]:
    import pyarrow as pa

    try:
        with pa.OSFile(str(memory)) as file:
            rows = pa.ipc.open_file(file).read_all().to_pylist()
        return {(r["source"], r["uri"]): (_Stat(r["size"], r["mtime"], r["inode"]), r["sha256"]) for r in rows}
    except (OSError, pa.ArrowInvalid, KeyError):
        return {}


def _remember(memory: Path, known: dict[tuple[str, str], tuple[_Stat, str]]) -> None:
    import pyarrow as pa

    rows = [
        {"source": source, "uri": uri, "sha256": sha256, **asdict(stat)}
        for (source, uri), (stat, sha256) in known.items()
    ]
    integers = [pa.field(name, pa.int64()) for name in ("size", "mtime", "inode")]
    schema = pa.schema([pa.field(name, pa.string()) for name in ("source", "uri", "sha256")] + integers)
    with replacing(memory) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))
