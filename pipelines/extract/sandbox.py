"""Parsers run in a child process with limits, because every file is hostile.

In: a `Raw` input, the name of its format and options; or an archive. Out: the same stream that the extractor gives, one
JSON message per document, so that memory here stays flat; or the archive's members. A parser that eats memory, hangs or
crashes costs its own input and nothing else: the child is ended and the next input gets a new one. A child is used
again while it behaves; starting one costs about 0.3 s, mostly the parser's imports.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.engine.process import Child, attach, receive, send
from pipelines.extract import Failure, Member, Part, Raw
from registry.errors import InputError
from registry.names import extractor

_MEBIBYTE = 1 << 20
_LARGEST_FILE_WRITTEN = 64 * _MEBIBYTE  # the child's own log; extractors write nothing


class Sandbox:
    """A child process that extracts inputs, or lists archives, one at a time.

    Args:
        log: file for what the parsers print.
        seconds: how long the child may be silent: between two documents or members, or before the first.
        memory: bytes of address space that it may have.
    """

    def __init__(self, log: Path, *, seconds: float, memory: int) -> None:
        self.log = log
        self.seconds = seconds
        self.memory = memory
        self._child: Child | None = None
        self._started = False  # the input at hand has given something already

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> int:
        child, self._child = self._child, None
        return child.kill() if child is not None else 0

    def extract(self, raw: Raw, format: str, options: Mapping[str, Any]) -> Iterator[Part | Failure]:  # noqa: A002
        """The documents of `raw`, and the places in it that could not be read.

        Raises:
            InputError: the input as a whole, or from here on, cannot be read: what the extractor said, or ``timeout``,
                ``memory``, ``crashed``. What came before stays valid.
        """
        request = {"raw": {**asdict(raw), "path": str(raw.path)}, "format": format, "options": dict(options)}
        for kind, value in self._ask_again(request):
            yield Part(**value) if kind == "part" else Failure(**value)

    def list_members(self, path: Path) -> list[Member]:
        """The members of the archive at `path`, as `pipelines.extract.archive` lists them.

        Raises:
            InputError: what it said, or as for `extract`.
        """
        return [Member(**value) for kind, value in self._ask_again({"archive": str(path)}) if kind == "member"]

    def _ask_again(self, request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        fresh = self._child is None
        try:
            yield from self._ask(request)
        except InputError as error:
            if error.reason in {"memory", "crashed"} and not fresh and not self._started:
                yield from self._ask(request)  # the fault may be what earlier inputs left behind
            else:
                raise

    def _ask(self, request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The child's answers by their kind, until it says that there are no more."""
        if self._child is None:
            self._child = Child("pipelines.extract.sandbox", self.log, str(self.memory))
        self._child.send(request)
        self._started = False
        while True:
            message = self._next()
            match message["kind"]:
                case "part" | "failure" | "member" | "examined" as kind:
                    yield kind, message.get(kind, {})
                case "end":
                    return
                case _:
                    if message["reason"] == "memory":
                        self._end()
                    raise InputError(message["reason"], message["detail"])
            self._started = True

    def _next(self) -> dict[str, Any]:
        assert self._child is not None
        if not self._child.channel.poll(self.seconds):
            self._end()
            raise InputError("timeout", f"no answer within {self.seconds:g} s")
        try:
            return self._child.receive()
        except EOFError:
            raise InputError("crashed", f"the parser died with status {self._end()}") from None


def _limit(memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE_WRITTEN, _LARGEST_FILE_WRITTEN))


def _serve(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        yield from _members(request) if "archive" in request else _documents(request)
    except InputError as error:
        yield {"kind": "error", "reason": error.reason, "detail": error.detail}
    except MemoryError:
        yield {"kind": "error", "reason": "memory", "detail": "more than the limit"}
    except RecursionError:
        yield {"kind": "error", "reason": "too_deep", "detail": "nested beyond what can be read"}
    except OSError as error:
        yield {"kind": "error", "reason": "unreadable", "detail": error.strerror or type(error).__name__}
    except Exception as error:  # noqa: BLE001 - a parser's bug is the input's failure, named as such
        yield {
            "kind": "error",
            "reason": "broken",
            "detail": f"{format_error(error)} in the {request.get('format', 'archive')} parser",
        }
    else:
        yield {"kind": "end"}


def _documents(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    raw = Raw(**{**request["raw"], "path": Path(request["raw"]["path"])})
    for found in extractor.get(request["format"])(raw, **request["options"]):
        kind = "part" if isinstance(found, Part) else "failure"
        yield {"kind": kind, kind: asdict(found)}


def _members(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    from pipelines.extract.archive import examine_members

    for member in examine_members(Path(request["archive"])):
        yield {"kind": "member", "member": asdict(member)} if member else {"kind": "examined"}


def format_error(error: Exception) -> str:
    """The name of an exception. Not its message: that may quote the document."""
    return type(error).__name__


def main() -> None:
    """Serve requests on the channel; arguments are the memory limit in bytes and the channel's number."""
    channel = attach(int(sys.argv[-1]))
    _limit(int(sys.argv[-2]))
    while True:
        try:
            request = receive(channel)
        except EOFError:
            return
        for message in _serve(request):
            send(channel, message)


if __name__ == "__main__":
    main()
