"""Stage 1: sources -> a frozen, hashed list of inputs.

In: a plan. Out: every file of every source in a fixed order (source as in the recipe, then uri), with size and SHA-256.
Of an archive every member is an input of its own, `archive.zip!/member`, in the order of `pipelines.extract.archive`;
its names and index files are hostile, so it is listed in a sandbox.
Later stages see this list only, never a folder, so files that come or go during a build change nothing in it. A file
whose size, time and inode are as they were is not read again: an unchanged folder of 100,000 files is listed in about a
second. Of a file at a URL it is size, time and ETag; a copy that was fetched to be hashed is kept for stage 2, if there
is room. Files and folders whose names begin with a dot are left out.
"""

from __future__ import annotations

import hashlib
import os
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path, PurePath, PurePosixPath
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from pipelines.copies import Copies
from pipelines.extract.sandbox import Sandbox
from registry.errors import InputError, RecipeError
from registry.publish import replacing
from registry.storage import Found, is_url, listed, plain_path

if TYPE_CHECKING:
    from pipelines.preflight import Plan
    from registry.recipe import Source

_WILD = frozenset("*?[")
_SETTLED = 2_000_000_000  # ns; a file changed this short before it was hashed may change again within its time stamp
_THREADS = 4
_LIST = 256  # files that a thread is given at a time, of a folder that has `_LISTS` such lists for each
_LISTS = 16


@dataclass(frozen=True, slots=True)
class Input:
    """One file of a source, or the member of an archive at `place`, an absolute path or a URL.

    Where it could not be read, `sha256` is empty and `error` says why: as the system does, or as "reason: detail".
    """

    source: str
    uri: str
    place: str
    bytes: int
    sha256: str
    error: str = ""
    member: str = ""


@dataclass(frozen=True, slots=True)
class _Stat:
    """What tells whether a file is still the one that was hashed."""

    size: int
    mtime: int
    mark: str  # inode, or what a storage calls the contents

    @classmethod
    def of(cls, path: Path) -> _Stat:
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, str(stat.st_ino))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file lies, its uri within the source, and what a listing already told of it."""

    uri: str
    where: Path | str
    found: Found | None = None

    def stat(self) -> _Stat:
        """What tells whether it is still the file that was hashed. OSError where it is gone."""
        if self.found is not None:
            return _Stat(self.found.size, self.found.mtime, self.found.mark)
        return _Stat.of(Path(self.where))

    @contextmanager
    def local(self, copies: Copies) -> Iterator[Path]:
        """The file on this machine; a copy, where it lies elsewhere."""
        if isinstance(self.where, Path):
            yield self.where
        else:
            with copies.fetched(self.where, self.stat().size) as path:
                yield path


def take_inventory(
    plan: Plan, memory: Path | None, log: Path = Path(os.devnull), fetched: Path | None = None
) -> list[Input]:
    """List and hash the inputs of all sources.

    Args:
        plan: what is built.
        memory: a file that remembers digests from one build to the next.
        log: a file for what the processes print that list archives.
        fetched: a folder that keeps copies of what lies on a storage.
    """
    known = _recall(memory) if memory else {}
    places = [(source.name, place) for source in plan.recipe.sources for place in _listed(plan, source)]
    limits, copies = plan.recipe.extract.limits, Copies(fetched)
    with ExitStack() as stack, ThreadPoolExecutor(_THREADS) as pool:  # hashing lets go of the GIL
        idle: SimpleQueue[Sandbox] = SimpleQueue()  # each starts its process when it is first asked
        for _ in range(_THREADS):
            idle.put(stack.enter_context(Sandbox(log, seconds=limits.seconds, memory=limits.bytes)))
        length = max(1, min(_LIST, len(places) // (_LISTS * _THREADS)))
        lists = (places[at : at + length] for at in range(0, len(places), length))
        examine = partial(_examine_all, known=known, idle=idle, copies=copies)
        found = list(chain.from_iterable(pool.map(examine, lists)))
    fresh = {
        (source, place.uri): (stat, [replace(item, place="") for item in items])
        for (source, place), (items, stat, when) in zip(places, found, strict=True)
        if stat is not None and stat.mtime < when - _SETTLED
    }
    if memory and not (fresh == known and memory.is_file()):
        _remember(memory, fresh)
    return [item for items, _, _ in found for item in items]


def matches(folder: Path, source: Source) -> Iterator[Place]:
    """Every file of `source`, unsorted. A uri is relative and the same on every machine."""
    if is_url(source.path):
        return (Place(_uri(PurePosixPath(name)), url, found) for name, url, found in listed(source.path))
    return (Place(uri, path) for uri, path in _files(folder, source))


def _files(folder: Path, source: Source) -> Iterator[tuple[str, Path]]:
    path = folder / plain_path(source.path).expanduser()
    if not _WILD.isdisjoint(source.path):
        steps = path.parts
        fixed = next(i for i, step in enumerate(steps) if not _WILD.isdisjoint(step))
        base, pattern = Path(*steps[:fixed]), str(Path(*steps[fixed:]))
        files = chain.from_iterable(_walk(hit) if hit.is_dir() else [hit] for hit in base.glob(pattern))
        return ((_uri(file.relative_to(base)), file) for file in files if not _hidden(file.relative_to(base)))
    if path.is_dir():
        return ((_uri(file.relative_to(path)), file) for file in _walk(path))
    return iter([(_uri(Path(path.name)), path)] if os.path.lexists(path) else [])


def _listed(plan: Plan, source: Source) -> list[Place]:
    found = {place.uri: place for place in matches(plan.folder, source)}
    if not found:
        where = source.path if is_url(source.path) else plan.folder / source.path
        raise RecipeError(f"{plan.path}: sources.{source.name}.path: there is no file at {where}")
    return [found[uri] for uri in sorted(found)]


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent) / name for name in files if not name.startswith("."))


def _hidden(relative: Path) -> bool:
    return any(step.startswith(".") for step in relative.parts)


def _uri(relative: PurePath) -> str:
    """Forward slashes, composed characters (macOS gives decomposed names), undecodable bytes escaped."""
    text = os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")
    return unicodedata.normalize("NFC", text)


def _examine_all(places: list[tuple[str, Place]], **shared: Any) -> list[tuple[list[Input], _Stat | None, int]]:
    return [_examine(source, place, **shared) for source, place in places]


def _examine(
    source: str,
    place: Place,
    *,
    known: dict[tuple[str, str], tuple[_Stat, list[Input]]],
    idle: SimpleQueue[Sandbox],
    copies: Copies,
) -> tuple[list[Input], _Stat | None, int]:
    """What a file is as inputs: itself, or the members of an archive; from memory where it is as it was."""
    now = time.time_ns()
    where = place.where if isinstance(place.where, str) else os.path.abspath(place.where)  # noqa: PTH100 - resolve() asks the disk for each step
    try:
        stat = place.stat()
        remembered, inputs = known.get((source, place.uri), (None, []))
        if remembered != stat:
            with place.local(copies) as path:
                inputs = _inputs(source, place.uri, path, stat, idle)
        return [replace(item, place=where) for item in inputs], stat, now
    except OSError as error:
        return [Input(source, place.uri, where, 0, "", error.strerror or type(error).__name__)], None, now


def _inputs(source: str, uri: str, path: Path, stat: _Stat, idle: SimpleQueue[Sandbox]) -> list[Input]:
    from pipelines.extract.archive import is_archive  # lxml, which an unchanged folder does without

    if is_archive(path):
        sandbox = idle.get()
        try:
            found = sandbox.list_members(path)
        except InputError as error:
            return [Input(source, uri, "", stat.size, "", str(error))]
        finally:
            idle.put(sandbox)
        if not found:
            return [Input(source, uri, "", stat.size, "", "empty: an archive without files")]
        return [Input(source, f"{uri}!/{m.name}", "", m.bytes, m.sha256, m.error, m.name) for m in found]
    return [Input(source, uri, "", stat.size, _hash(path))]


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
            stat = _Stat(r["size"], r["mtime"], r["mark"])
            item = Input(r["source"], r["uri"], "", r["bytes"], r["sha256"], r["error"], r["member"])
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
    texts = [pa.field(name, pa.string()) for name in ("source", "file", "uri", "member", "sha256", "error", "mark")]
    integers = [pa.field(name, pa.int64()) for name in ("bytes", "size", "mtime")]
    schema = pa.schema(texts + integers)
    with replacing(memory) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema))
