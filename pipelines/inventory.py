"""Stage 1: sources -> a frozen, hashed list of inputs.

In: a plan. Out: every file of every source in a fixed order (source as in the recipe, then uri), with size and SHA-256.
Of an archive every member is an input of its own, `archive.zip!/member`, in the order of `pipelines.extract.archive`;
its names and index files are hostile, so it is listed in a sandbox.
Later stages see this list only, never a folder, so files that come or go during a build change nothing in it. A file
whose size, time and inode are as they were is not read again: an unchanged folder of 100,000 files is listed in about a
second. Files and folders whose names begin with a dot are left out.
"""

from __future__ import annotations

import hashlib
import os
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from pipelines.extract.sandbox import Sandbox
from registry.errors import InputError, RecipeError
from registry.publish import replacing

if TYPE_CHECKING:
    from pipelines.preflight import Plan
    from registry.recipe import Source

_WILD = frozenset("*?[")
_SETTLED = 2_000_000_000  # ns; a file changed this short before it was hashed may change again within its time stamp
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Input:
    """One file of a source, or the member of an archive at `path`.

    Where it could not be read, `sha256` is empty and `error` says why: as the system does, or as "reason: detail".
    """

    source: str
    uri: str
    path: Path
    bytes: int
    sha256: str
    error: str = ""
    member: str = ""


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


def take_inventory(plan: Plan, memory: Path | None, log: Path = Path(os.devnull)) -> list[Input]:
    """List and hash the inputs of all sources.

    Args:
        plan: what is built.
        memory: a file that remembers digests from one build to the next.
        log: a file for what the processes print that list archives.
    """
    known = _recall(memory) if memory else {}
    places = [(source.name, uri, path) for source in plan.recipe.sources for uri, path in _listed(plan, source)]
    limits = plan.recipe.extract.limits
    with ExitStack() as stack, ThreadPoolExecutor(_THREADS) as pool:  # hashing lets go of the GIL
        idle: SimpleQueue[Sandbox] = SimpleQueue()  # each starts its process when it is first asked
        for _ in range(_THREADS):
            idle.put(stack.enter_context(Sandbox(log, seconds=limits.seconds, memory=limits.bytes)))
        found = list(pool.map(lambda place: _examine(*place, known=known, idle=idle), places))
    fresh = {
        (source, file): (stat, [replace(item, path=Path()) for item in items])
        for (source, file, _), (items, stat, when) in zip(places, found, strict=True)
        if stat is not None and stat.mtime < when - _SETTLED
    }
    if memory and fresh != known:
        _remember(memory, fresh)
    return [item for items, _, _ in found for item in items]


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
    source: str,
    uri: str,
    path: Path,
    *,
    known: dict[tuple[str, str], tuple[_Stat, list[Input]]],
    idle: SimpleQueue[Sandbox],
) -> tuple[list[Input], _Stat | None, int]:
    """What a file is as inputs: itself, or the members of an archive; from memory where it is as it was."""
    now = time.time_ns()
    try:
        stat = _Stat.of(path)
        remembered, inputs = known.get((source, uri), (None, []))
        if remembered != stat:
            inputs = _inputs(source, uri, path, stat, idle)
        return [replace(item, path=path) for item in inputs], stat, now
    except OSError as error:
        return [Input(source, uri, path, 0, "", error.strerror or type(error).__name__)], None, now


def _inputs(source: str, uri: str, path: Path, stat: _Stat, idle: SimpleQueue[Sandbox]) -> list[Input]:
    from pipelines.extract.archive import is_archive  # lxml, which an unchanged folder does without

    if is_archive(path):
        sandbox = idle.get()
        try:
            found = sandbox.list_members(path)
        except InputError as error:
            return [Input(source, uri, path, stat.size, "", str(error))]
        finally:
            idle.put(sandbox)
        if not found:
            return [Input(source, uri, path, stat.size, "", "empty: an archive without files")]
        return [Input(source, f"{uri}!/{m.name}", path, m.bytes, m.sha256, m.error, m.name) for m in found]
    return [Input(source, uri, path, stat.size, _hash(path))]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recall(memory: Path) -> dict[tuple[str, str], tuple[_Stat, list[Input]]]:
    """What every file was, by source and uri: its stat and its inputs, whose paths are set when they are used."""
    import pyarrow as pa

    known: dict[tuple[str, str], tuple[_Stat, list[Input]]] = {}
    try:
        with pa.OSFile(str(memory)) as file:
            rows = pa.ipc.open_file(file).read_all().to_pylist()
        for r in rows:
            stat = _Stat(r["size"], r["mtime"], r["inode"])
            item = Input(r["source"], r["uri"], Path(), r["bytes"], r["sha256"], r["error"], r["member"])
            known.setdefault((r["source"], r["file"]), (stat, []))[1].append(item)
    except (OSError, pa.ArrowInvalid, KeyError):
        return {}
    return known


def _remember(memory: Path, known: dict[tuple[str, str], tuple[_Stat, list[Input]]]) -> None:
    import pyarrow as pa

    rows = [
        {
            "source": source,
            "file": file,
            "uri": item.uri,
            "member": item.member,
            "bytes": item.bytes,
            "sha256": item.sha256,
            "error": item.error,
            **asdict(stat),
        }
        for (source, file), (stat, items) in known.items()
        for item in items
    ]
    texts = [pa.field(name, pa.string()) for name in ("source", "file", "uri", "member", "sha256", "error")]
    integers = [pa.field(name, pa.int64()) for name in ("bytes", "size", "mtime", "inode")]
    schema = pa.schema(texts + integers)
    with replacing(memory) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))
