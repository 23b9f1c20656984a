"""Archives -> their members, each an input of its own: zip, tar, either packed with gzip or zstd, a packed file, EPUB.

In: a file. Out: its members in a fixed order with sizes and digests, and the bytes of one of them. An EDINET package
gives the iXBRL files of its manifests in their order, an EPUB its chapters in reading order, another archive all files.

Every archive is hostile. A member's name never becomes a path: bytes are written to a place that the caller chose, so
that `../../etc/passwd` is a name with an error and nothing else. Reading stops at the limits below, whatever sizes the
archive claims, and an archive within an archive is not opened.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pipelines.extract import Member
from pipelines.extract.package import documents_of
from pipelines.extract.sniff import HEAD, archive_kind
from pipelines.extract.unpacked import Unpacked
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_MEMBERS = 100_000
LARGEST_MEMBER = 1 << 30  # bytes, unpacked
LARGEST_ARCHIVE = 16 << 30
LARGEST_INDEX = 16 << 20  # bytes of a manifest
MOST_PACKED = 1000  # times its packed size that a member may unpack to; a zip bomb's ratio is 1,032
ALWAYS_FINE = 16 << 20  # bytes that any member may unpack to
CHUNK = 1 << 16
UNSAFE = re.compile(r"(?:^|/)\.\.(?:/|$)|^/|^[A-Za-z]:|[\x00-\x1f\\]")
HIDDEN = re.compile(r"(?:^|/)(?:\.(?!\.?(?:/|$))|__MACOSX/)")
DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error,
    EOFError, NotImplementedError, ValueError, RuntimeError, LookupError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member before it is read: its name, what is wrong with it, its packed size, and how to open it."""

    name: str
    error: str
    packed: int
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Whether the file at `path` is one whose members are inputs."""
    with path.open("rb") as file:
        return archive_kind(file.read(HEAD)) != ""


def list_members(path: Path) -> list[Member]:
    """The members of the archive at `path` that are inputs, in order; what is wrong with one is in its `error`.

    Builds list them in the sandbox (`Sandbox.list_members`), since names and index files are the archive's own.

    Raises:
        InputError: ``broken`` where it is no archive after all, ``too_large`` where it has too many members.
    """
    return [member for member in examine_members(path) if member is not None]


def examine_members(path: Path) -> Iterator[Member | None]:
    """The same, after a None for each member that was unpacked and measured: a sign of life in a long work."""
    found: dict[str, Member] = {}
    indices: dict[str, bytes] = {}
    total = 0
    try:
        for entry in _entries(path):
            name = entry.name if entry.name not in found else f"{entry.name}#{len(found)}"
            index = io.BytesIO() if name.endswith((".opf", "container.xml")) or "manifest_" in name else None
            found[name] = _examine(name, entry, total, index)
            total += found[name].bytes
            if index is not None:
                indices[name] = index.getvalue()
            if len(found) > MOST_MEMBERS:
                raise InputError("too_large", f"more than {MOST_MEMBERS} members")
            yield None
    except DAMAGE as error:
        if not found:
            raise InputError("broken", f"the archive is cut off or damaged: {type(error).__name__}") from None
        place = f"after {len(found)}"
        found[place] = Member(place, error=f"broken: the archive is cut off or damaged: {type(error).__name__}")
    chosen = documents_of(list(found), indices)
    yield from (found[name] for name in chosen)
    yield from (member for member in found.values() if member.error and member.name not in set(chosen))


def _examine(name: str, entry: _Entry, before: int, index: io.BytesIO | None) -> Member:
    if entry.error:
        return Member(name, error=entry.error)
    digest = hashlib.sha256()
    size = 0
    try:
        for chunk in _chunks(entry, LARGEST_ARCHIVE - before):
            digest.update(chunk)
            size += len(chunk)
            if index is not None and size <= LARGEST_INDEX:
                index.write(chunk)
    except InputError as error:
        return Member(name, error=str(error))
    except (*DAMAGE, OSError) as error:
        return Member(name, error=f"broken: {type(error).__name__}")
    return Member(name, size, digest.hexdigest())


def _chunks(entry: _Entry, left: int) -> Iterator[bytes]:
    """The bytes of a member, no more of them than its packed size can honestly give.

    Raises:
        InputError: ``too_large`` where there are more.
    """
    most = min(LARGEST_MEMBER, left, max(ALWAYS_FINE, entry.packed * MOST_PACKED))
    source = entry.open()
    if source is None:
        return
    size = 0
    with source:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > most:
                raise InputError("too_large", f"unpacks to more than {most} bytes")
            yield chunk
        raw = getattr(source, "raw", None)
        if isinstance(raw, Unpacked) and raw.damage:
            raise InputError("broken", "cut off or damaged")


def _entries(path: Path) -> Iterator[_Entry]:
    with path.open("rb") as file:
        kind = archive_kind(file.read(HEAD))
        file.seek(0)
        if kind == "zip":
            yield from _zip_entries(file)
        elif kind == "tar":
            yield from _tar_entries(Unpacked(file))
        else:
            packed = path.stat().st_size
            name = path.name.rpartition(".")[0] or path.name
            yield _Entry(name, "", packed, lambda: io.BufferedReader(Unpacked(file)))


def _zip_entries(file: IO[bytes]) -> Iterator[_Entry]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = _zip_name(info)
            if not name.endswith("/") and not HIDDEN.search(name):
                error = "encrypted: a member with a password" if info.flag_bits & 1 else _unsafe(name)
                yield _Entry(_safe(name), error, info.compress_size, partial(archive.open, info))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name; without the UTF-8 flag it is in what the packer's machine had, in Japan CP932 (APPNOTE 6.3.10, D).

    Packers on Windows have put backslashes between folders, against the standard (4.4.17.1).
    """
    name = info.filename
    if not (info.flag_bits & 0x800 or name.isascii()):
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("cp932")
    return name.replace("\\", "/")


def _tar_entries(stream: Unpacked) -> Iterator[_Entry]:
    with tarfile.open(fileobj=io.BufferedReader(stream), mode="r|") as archive:
        for info in archive:
            if info.isdir() or HIDDEN.search(info.name.removeprefix("./")):
                continue
            name = info.name.removeprefix("./")
            error = _unsafe(name) if info.isfile() else "unsupported: a link or device, no file"
            yield _Entry(_safe(name), error, info.size, partial(archive.extractfile, info))
    if stream.damage:
        raise EOFError


def _unsafe(name: str) -> str:
    return "unsafe: a name that leads out of the archive" if UNSAFE.search(name) else ""


def _safe(name: str) -> str:
    """A name without what could lead anywhere or end a line."""
    return name if not UNSAFE.search(name) else re.sub(r"[\x00-\x1f\\:]|(?:^|(?<=/))\.\.(?=/|$)", "_", name.lstrip("/"))


class Unpacker:
    """Members of archives as files, one at a time.

    Asked for members in the order of `list_members`, it reads a tar once. Each member takes the place of the last.
    """

    def __init__(self, folder: Path) -> None:
        self.target = folder / "member"
        self._path: Path | None = None
        self._entries: Iterator[_Entry] = iter(())
        self._count = 0

    def fetch(self, path: Path, name: str) -> Path:
        """The member `name` of the archive at `path`, as a file.

        Raises:
            InputError: ``changed`` where it is not there any more, ``broken`` or ``too_large``.
        """
        try:
            entry = (self._seek(name) if self._path == path else None) or self._reopened(path, name)
            with self.target.open("wb") as file:
                for chunk in _chunks(entry, LARGEST_MEMBER):
                    file.write(chunk)
        except DAMAGE as error:
            self._path = None
            raise InputError("broken", f"the archive is cut off or damaged: {type(error).__name__}") from None
        return self.target

    def _reopened(self, path: Path, name: str) -> _Entry:
        self._path, self._entries, self._count = path, _entries(path), 0
        entry = self._seek(name)
        if entry is None:
            raise InputError("changed", "the archive changed while the build ran; build again")
        return entry

    def _seek(self, name: str) -> _Entry | None:
        for entry in self._entries:
            self._count += 1
            if name in {entry.name, f"{entry.name}#{self._count - 1}"}:
                return entry
        return None
