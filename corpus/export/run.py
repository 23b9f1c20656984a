"""Running an export: files one after another, each whole or absent, what is done kept, `export.json` last.

An export of 100 million tokens takes about a second per format; a folder is claimed by the fingerprint of build, format
and options, so that a second run goes on, finds it whole, or refuses to mix two exports.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from corpus.export import plan
from corpus.export.split import Output, Split
from registry.errors import RecordError, UsageError
from registry.publish import digest, replacing, write_json
from registry.shards import Shards

if TYPE_CHECKING:
    from corpus.opened import OpenedBuild

NAME = "export.json"  # written last: the export is whole
CLAIM = ".export.json"  # written first, and after every file: what this folder is for and what of it is done
FORMAT = 1

Progress = Callable[[str, int], None]  # name of the file, bytes written


def export(
    build: OpenedBuild, to: str, out: Path, options: dict[str, Any], progress: Progress = lambda _name, _bytes: None
) -> dict[str, Any]:
    """Write `build` to `out` in the format `to`, or do what is missing of it.

    Returns:
        What stands in export.json: the files with digests, documents and tokens by split.

    Raises:
        UsageError: no such format or option, or `out` holds something else.
        RecordError: the build or the export in `out` is damaged.
    """
    splits = _splits(build)
    outputs = plan(to, splits, options)
    about = _about(build, to, options)
    if _finished(out, about):
        return check(out)
    done = _claim(out, about)
    for split in splits:
        split.shards.verify()
    files = {}
    for output in outputs:
        files[output.name] = done.get(output.name) or _write(out, output, progress)
        write_json(out / CLAIM, {**about, "files": files})
    counts = {split.name: {"documents": len(split.shards), "tokens": split.shards.tokens} for split in splits}
    record = {**about, "splits": counts, "files": files}
    write_json(out / NAME, record)
    (out / CLAIM).unlink()
    return record


def check(out: Path) -> dict[str, Any]:
    """Read every file of an export and compare it with its digest.

    Raises:
        UsageError: there is no export.
        RecordError: it is unfinished, or a file is missing or not as it was written; the message names it.
    """
    if not (out / NAME).is_file():
        if (out / CLAIM).is_file():
            raise RecordError(f"{out} holds an unfinished export; run the same command again to finish it")
        raise UsageError(f"{out} holds no export: there is no {NAME}")
    record = _read(out / NAME)
    for name, file in record["files"].items():
        path = out / name
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            raise RecordError(f"{path} is missing or cut off; delete {out / NAME} and export again")
        if digest(path) != file["sha256"]:
            raise RecordError(f"{path} is damaged: its digest is not the one in {NAME}; delete it and export again")
    return record


def _splits(build: OpenedBuild) -> list[Split]:
    if not build.manifest.describes(build.layout.root):
        raise RecordError(f"{build.layout.root} is not whole: files that its manifest names are missing or cut off")
    dtype = build.manifest.tokenizer["dtype"]
    found = [name for name in ("train", "validation") if (build.layout.shards / name).is_dir()]
    if not found:
        raise UsageError(f"{build.layout.root} has no shards: nothing was kept")
    return [Split(name, Shards(build.layout.shards / name), dtype, build.layout.documents) for name in found]


def _about(build: OpenedBuild, to: str, options: dict[str, Any]) -> dict[str, Any]:
    manifest = build.manifest
    return {
        "version": FORMAT,
        "format": to,
        "options": options,
        "build": {"name": manifest.name, "fingerprint": manifest.fingerprint},
        "tokenizer": manifest.tokenizer,
    }


def _finished(out: Path, about: dict[str, Any]) -> bool:
    if not (out / NAME).is_file():
        return False
    _compare(out, _read(out / NAME), about)
    return True


def _claim(out: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Make `out` ours; the files in it that are done already."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; --out names a folder")
    if (out / CLAIM).is_file():
        record = _read(out / CLAIM)
        _compare(out, record, about)
        files: dict[str, Any] = record["files"]
        return {name: file for name, file in files.items() if _is_whole(out / name, file["bytes"])}
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} holds files that are not an export; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / CLAIM, {**about, "files": {}})
    return {}


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _compare(out: Path, record: dict[str, Any], about: dict[str, Any]) -> None:
    for key, value in about.items():
        if record.get(key) != value:
            raise UsageError(f"{out} holds another export (its {key} is {record.get(key)!r}); choose another --out")


def _read(path: Path) -> dict[str, Any]:
    """The record at `path`, in which every file is inside its folder, with size and digest."""
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
        good = all(_is_record(name, file) for name, file in record["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise RecordError(f"{path} is damaged; delete its folder and export again")
    return record


def _is_record(name: str, file: dict[str, Any]) -> bool:
    inside = not Path(name).is_absolute() and ".." not in Path(name).parts
    return inside and isinstance(file["bytes"], int) and isinstance(file["sha256"], str)


def _write(out: Path, output: Output, progress: Progress) -> dict[str, Any]:
    with replacing(out / output.name) as temporary, temporary.open("wb") as file:
        sink = _Sink(file, lambda size: progress(output.name, size))
        output.write(sink)  # type: ignore[arg-type]
    return {
        "bytes": sink.size,
        "sha256": sink.digest.hexdigest(),
        "documents": output.documents,
        "tokens": output.tokens,
    }


class _Sink:
    """A file that is written front to back, with its digest. Arrow, tarfile and zstandard write to it, too."""

    closed = False
    mode = "wb"

    def __init__(self, file: IO[bytes], progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes | memoryview) -> int:
        view = memoryview(content).cast("B") if len(content) else memoryview(b"")
        self._file.write(view)
        self.digest.update(view)
        self.size += view.nbytes
        self._progress(view.nbytes)
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """The end of the file flushes it."""

    def close(self) -> None:
        """Its owner closes the file."""
