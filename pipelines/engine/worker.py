"""What runs in a worker process: perform tasks until the channel closes.

In: messages ``{"id", "function", "spec", "folder"}``. Out: ``{"ready"}`` once, ``{"progress"}`` as a task goes on, then
``{"done"}`` or ``{"failed", "error"}``. `perform` is all that another launcher needs.
"""

from __future__ import annotations

import errno
import resource
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine.process import attach, receive, send
from pipelines.engine.records import write_record
from registry.arrow import forgo_pandas
from registry.errors import CorpusError
from registry.layout import Layout
from registry.mirror import fetch, mount, put

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from pipelines.engine import Json

Progress = Callable[[int], None]
_PULSE = 0.1  # seconds between two tellings of progress


def perform(function: str, task: str, spec: Json, folder: str, progress: Progress) -> None:
    """Run one task and write its record last. `function` takes (spec, target, progress) and returns its result.

    `target` is a path in `folder` that begins with the task's id: whatever the task publishes has a name of its own.
    ``spec["memory"]`` bounds what the process may allocate. Where ``spec["storage"]`` says that `folder` copies a place
    on object storage, files that the spec names are fetched first, and the outputs are put there before the record is.
    """
    _limit_memory(spec.get("memory", 0))
    forgo_pandas()  # under the limit: Arrow reserves memory with its first array, less where it may not have more
    place = Path(folder)
    if storage := spec.get("storage"):
        root = Path(storage["root"])
        mount(root, storage["url"])
        fetch(_named(spec, f"{root}/", (str(Layout(root).logs), str(Layout(root).fetched))))
    module, _, name = function.partition(":")
    result: Json = getattr(import_module(module), name)(spec, place / task, progress)
    put([place / output for output in result.get("outputs", [])])
    write_record(place, task, result)
    put([place / f"{task}.json"])


def _named(value: Any, below: str, but: tuple[str, ...]) -> set[Path]:
    """The files below a folder that plain data names, but for what each machine has of its own."""
    if isinstance(value, str):
        return {Path(value)} if value.startswith(below) and not value.startswith(but) else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {path for one in inner for path in _named(one, below, but)}


def _limit_memory(limit: int) -> None:
    """Bound the private memory of this process (RLIMIT_DATA: mapped files do not count); 0 for no bound.

    The hard limit stays, so that a parser's process may have the limit that it is given.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit or hard, hard))


def describe(error: BaseException, memory: int = 0) -> str:
    """An exception in one line for the user; the traceback goes to the worker's log.

    `memory` is the limit that the task had. What a stage noted of the error says where it was at work.
    """
    where = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
    if isinstance(error, CorpusError):
        return f"{error}{where}"
    if _starved(error, memory):
        return (
            f"it needs more than the {memory >> 20:,} MB that engine.memory in the recipe allows a worker{where}; "
            "raise it, and lower the number of workers if the machine has no more"
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}{where}" if error.filename else f"{error.strerror}{where}"
    return f"{type(error).__name__}: {error}{where}"


def _starved(error: BaseException, memory: int) -> bool:
    """Whether it got no memory. Some C code then fails without an exception, and a library is not loaded."""
    silent = isinstance(error, SystemError) and "without" in str(error)
    refused = isinstance(error, OSError) and error.errno == errno.ENOMEM
    unloaded = isinstance(error, ImportError) and "cannot map zero-fill pages" in str(error)
    return isinstance(error, MemoryError) or (bool(memory) and (silent or refused or unloaded))


def main() -> None:
    """Serve the channel whose number is the last argument."""
    channel = attach(int(sys.argv[-1]))
    send(channel, {"kind": "ready"})
    while True:
        try:
            message = receive(channel)
        except EOFError:
            return
        send(channel, _answer(message, _telling(channel)))


def _telling(channel: Connection) -> Progress:
    """What a task calls as it goes on: sums it up and tells it now and then, as a document may take microseconds."""
    held, last = 0, time.monotonic()

    def tell(amount: int) -> None:
        nonlocal held, last
        held += amount
        if (now := time.monotonic()) - last >= _PULSE:
            send(channel, {"kind": "progress", "amount": held})
            held, last = 0, now

    return tell


def _answer(message: dict[str, Any], progress: Progress) -> dict[str, Any]:
    try:
        perform(message["function"], message["id"], message["spec"], message["folder"], progress)
    except Exception as error:  # noqa: BLE001 - whatever a task raises is its outcome
        with suppress(OSError):  # the log may lie on the disk whose end is the error
            traceback.print_exc()
            sys.stderr.flush()
        return {"kind": "failed", "error": describe(error, message["spec"].get("memory", 0))}
    return {"kind": "done"}


if __name__ == "__main__":
    main()
