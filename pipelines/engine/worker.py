"""What runs in a worker process: perform tasks until the channel closes.

In: messages ``{"id", "function", "spec", "folder"}``. Out: ``{"ready"}`` once, ``{"progress"}`` as a task goes on, then
``{"done", "result"}`` or ``{"failed", "error"}``. `perform` is all that another launcher needs.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine.process import attach, receive, send
from pipelines.engine.records import write_record
from registry.errors import CorpusError

if TYPE_CHECKING:
    from pipelines.engine import Json

Progress = Callable[[int], None]


def perform(function: str, task: str, spec: Json, folder: str, progress: Progress) -> Json:
    """Run one task and write its record last. `function` takes (spec, target, progress) and returns its result.

    `target` is a path in `folder` that begins with the task's id: whatever the task publishes has a name of its own.
    """
    module, _, name = function.partition(":")
    result: Json = getattr(import_module(module), name)(spec, Path(folder) / task, progress)
    write_record(Path(folder), task, result)
    return result


def describe(error: BaseException) -> str:
    """An exception in one line for the user; the traceback goes to the worker's log."""
    if isinstance(error, CorpusError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}"


def main() -> None:
    """Serve the channel whose number is the last argument."""
    channel = attach(int(sys.argv[-1]))
    send(channel, {"kind": "ready"})
    while True:
        try:
            message = receive(channel)
        except EOFError:
            return
        send(channel, _answer(message, lambda amount: send(channel, {"kind": "progress", "amount": amount})))


def _answer(message: dict[str, Any], progress: Progress) -> dict[str, Any]:
    try:
        result = perform(message["function"], message["id"], message["spec"], message["folder"], progress)
    except Exception as error:  # noqa: BLE001 - whatever a task raises is its outcome
        traceback.print_exc()
        sys.stderr.flush()
        return {"kind": "failed", "error": describe(error)}
    return {"kind": "done", "result": result}


if __name__ == "__main__":
    main()
