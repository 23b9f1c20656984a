"""A folder on object storage, or on any file system that fsspec knows: files are got whole and put whole.

In: a URL such as ``s3://bucket/builds/news``. Out: listings, and files copied from and to this machine. A put is one
operation: an object store shows the new object when its last byte has arrived, and another file system gets it under a
temporary name that is then renamed, so nothing half-written is ever visible. A stream opened for writing is never used:
one that is closed by an exception publishes what it has so far. Credentials and endpoints come from the environment
alone (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, a role of the machine, ...), never from a recipe or a URL.

What may pass is tried again, six times with pauses of 0.5 s and more or until a minute has gone: a store that is gone
is told after 16 s, one that hangs after about 70. What cannot pass is one message that says what to do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from registry.errors import StageError, UsageError
from registry.publish import arriving

T = TypeVar("T")

_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
_PATIENCE = 60.0  # seconds after which nothing is tried again: each driver has waited for its own timeouts before
_SILENCE = 15.0  # seconds beyond what the slowest network takes for a file: no driver bounds how long sending one takes
_SLOWEST = 1 << 17  # bytes a second: sixteen files at once share an uplink of 16 Mbit
_THREADS = 16  # requests at a time: a store answers in tens of milliseconds, whatever it is asked
_AT_ONCE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "r2", "memory"})  # whose puts are atomic
# Both s3fs and botocore would try five times, the one within the other, and a dead store be noticed after minutes.
_S3 = {"config_kwargs": {"retries": {"total_max_attempts": 1}}}
_OPTIONS: dict[str, dict[str, Any]] = {"s3": _S3, "s3a": _S3}
_LOCAL = ("file://", "local://")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "generation")
_NO_BUCKET = re.compile(r"(?:bucket|container) does not exist", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3"}
_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}
)
_UNREACHABLE = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ClientConnectorError",
                          "ConnectionClosedError", "HTTPClientError", "ServerTimeoutError", "TimeoutError",
                          "FSTimeoutError", "ConnectionRefusedError"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a listing: its size, when it was last changed (ns, 0 where the store does not say), and its mark.

    The mark is whatever the store changes when it changes the file: an ETag, a generation, a time.
    """

    size: int
    mtime: int
    mark: str


def is_url(place: str | Path) -> bool:
    """Whether `place` lies elsewhere than on this machine's file system."""
    return "://" in str(place) and not str(place).startswith(_LOCAL)


def plain_path(place: str | Path) -> Path:
    """A path on this machine, which may have been written as ``file:///path``."""
    text = str(place)
    return Path(next((text.removeprefix(start) for start in _LOCAL if text.startswith(start)), text))


class Storage:
    """The files below one URL; names are relative to it.

    Raises:
        UsageError: from any method: the address or the credentials are wrong.
        StageError: from any method: the store does not answer, again and again.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        if urlsplit(self.url).username:
            raise UsageError(
                f"{_without_user(url)}: credentials do not belong into an address; set them in the environment"
            )

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        protocol = self.url.partition("://")[0]
        try:
            fs, path = fsspec.url_to_fs(self.url, use_listings_cache=False, **_OPTIONS.get(protocol, {}))
        except ImportError as error:
            extra = f"pip install 'corpus-foundry[{_EXTRAS[protocol]}]'" if protocol in _EXTRAS else str(error)
            raise UsageError(f"{self.url}: what reads {protocol}:// is not installed: {extra}") from None
        except ValueError:
            raise UsageError(f"{self.url}: there is no storage {protocol}://; s3://, gs:// or abfs://?") from None
        except Exception as error:
            raise self._told(error) from error
        if protocol in _OPTIONS:
            fs.retries = 1
        return fs, str(path)

    def list(self, below: str = "") -> dict[str, Found]:
        """Every file below the URL, or below a folder of it, by name; asked anew each time."""
        fs, root = self._opened
        place = f"{root}/{below}".rstrip("/")

        def find() -> dict[str, Any]:
            fs.invalidate_cache()
            try:
                found: dict[str, Any] = fs.find(place, detail=True)
            except FileNotFoundError as error:
                if _NO_BUCKET.search(str(error)):
                    raise
                return {}
            return found

        return {
            path.removeprefix(root).lstrip("/"): _found(info)
            for path, info in self._patiently(find).items()
            if info.get("type") == "file" and not path.endswith("/") and path != root
        }

    def get(self, name: str, target: Path) -> Path:
        """Copy one file to `target`, whole or not at all. FileNotFoundError where there is none."""
        fs, root = self._opened
        with arriving(target) as temporary:
            self._patiently(lambda: fs.get_file(_join(root, name), str(temporary)))
        return target

    def put(self, source: Path, name: str) -> None:
        """Copy one file there, whole or not at all."""
        fs, root = self._opened
        target = _join(root, name)
        limit = {"timeout": _SILENCE + source.stat().st_size / _SLOWEST} if fs.async_impl else {}

        def put() -> None:
            if self.url.partition("://")[0] in _AT_ONCE:
                fs.put_file(str(source), target, **limit)
                return
            fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            hidden = f"{target.rpartition('/')[0]}/.{source.name}.part"
            fs.put_file(str(source), hidden, **limit)
            fs.mv(hidden, target)

        self._patiently(put)

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; one that is gone already is no error."""
        fs, root = self._opened

        def delete(name: str) -> None:
            try:
                fs.rm_file(_join(root, name))
            except (FileNotFoundError, KeyError):  # KeyError: memory://
                return

        self.each(lambda name: self._patiently(lambda: delete(name)), names)

    def each(self, action: Callable[[str], object], names: Iterable[str]) -> None:
        """Do the same for many files, several at a time."""
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(action, names):
                pass

    def _patiently(self, action: Callable[[], T]) -> T:
        began = time.monotonic()
        for pause in (*_PAUSES, None):
            try:
                return action()
            except FileNotFoundError as error:
                if _NO_BUCKET.search(str(error)):
                    raise self._told(error) from error
                raise
            except Exception as error:
                if pause is None or not _may_pass(error) or time.monotonic() - began > _PATIENCE:
                    raise self._told(error) from error
            time.sleep(pause)
        raise AssertionError

    def _told(self, error: Exception) -> Exception:
        """The error that a user is told; a full disk of this machine stays what it is."""
        names = {kind.__name__ for kind in type(error).__mro__}
        said = " ".join(str(error).split())[:200] or type(error).__name__
        if isinstance(error, FileNotFoundError):
            return UsageError(
                f"{self.url}: there is no bucket {urlsplit(self.url).netloc!r}; make it, or check the name"
            )
        if names & _CREDENTIALS:
            return UsageError(
                f"{self.url}: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the "
                "environment"
            )
        if isinstance(error, PermissionError):
            return UsageError(f"{self.url}: access is denied with these credentials: {said}")
        if names & _UNREACHABLE:
            return StageError(
                f"{self.url}: the storage does not answer: {said}\nCheck the network and AWS_ENDPOINT_URL. "
                "What was done is kept; run the same command again"
            )
        if isinstance(error, OSError) and error.filename:
            return error
        return StageError(f"{self.url}: the storage failed: {said}\nWhat was done is kept; run the same command again")


def listed(pattern: str) -> Iterator[tuple[str, str, Found]]:
    """(relative name, URL, what it is) of every file that a URL means: a file, a folder, or a pattern.

    Names begin where a pattern's first wild step, or the folder, does. Those with a step that begins with a dot are
    left out, as are "folders" that some tools store as empty objects.
    """
    base, wild = _fixed(pattern)
    store = Storage(base)
    found = store.list()
    if not found and not wild:  # one file
        parent, _, name = base.rpartition("/")
        one = Storage(parent).list(name).get(name)
        found, store = ({name: one} if one else {}), Storage(parent)
    for name, what in found.items():
        if not any(step.startswith(".") for step in name.split("/")) and (not wild or _fits(name, wild)):
            yield name, f"{store.url}/{name}", what


def fetch_file(url: str, folder: Path) -> Path:
    """A copy of the file at `url` in `folder`, under its own name. FileNotFoundError where there is none."""
    parent, _, name = url.rpartition("/")
    return Storage(parent).get(name, folder / (name if 0 < len(name.encode()) < 200 else "file"))


def _fixed(pattern: str) -> tuple[str, list[str]]:
    """A pattern's fixed beginning, and its steps from the first wild one on."""
    scheme, _, rest = pattern.partition("://")
    steps = rest.rstrip("/").split("/")
    first = next((i for i, step in enumerate(steps) if set(step) & set("*?[")), len(steps))
    return f"{scheme}://{'/'.join(steps[:first])}", steps[first:]


def _fits(name: str, wild: list[str]) -> bool:
    """Whether a file, or a folder that it is in, is what the steps of a pattern mean, as pathlib understands them."""
    from fnmatch import fnmatchcase

    def fits(steps: list[str], pattern: list[str]) -> bool:
        if not pattern:
            return True  # what is left are steps within a folder that was hit
        if pattern[0] == "**":
            return any(fits(steps[i:], pattern[1:]) for i in range(len(steps) + 1)) if pattern[1:] else True
        return bool(steps) and fnmatchcase(steps[0], pattern[0]) and fits(steps[1:], pattern[1:])

    return fits(name.split("/"), wild)


def _found(info: dict[str, Any]) -> Found:
    when = next((info[key] for key in _TIMES if info.get(key)), 0)
    mark = next((info[key] for key in _MARKS if info.get(key)), when)
    return Found(int(info["size"] or 0), _nanoseconds(when), str(mark))


def _nanoseconds(when: Any) -> int:
    seconds = when.timestamp() if hasattr(when, "timestamp") else when if isinstance(when, int | float) else 0
    return int(seconds * 1e9)


def _join(root: str, name: str) -> str:
    return f"{root}/{name}" if root else name


def _may_pass(error: Exception) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return not (names & _CREDENTIALS or isinstance(error, PermissionError | ImportError | TypeError)) and not (
        isinstance(error, OSError) and error.errno in {27, 28, 122}  # this machine's disk or quota is full
    )


def _without_user(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
