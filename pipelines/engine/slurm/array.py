"""An array job and its files: what each of its jobs is to do, and what they have told.

A job's share of the tasks lies in `bundle-N.jsonl`; what it tells goes to `events-N.jsonl`, a line each, to be read as
it grows: first `ready`, then the engine's events, `finished` last. A task is called by its place in the share. Slurm's
own output is `job-N.log`. There is no other channel between a job and the driver, so a driver that comes back knows as
much as one that has stayed.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from pipelines.engine import Event, Json, Task
from pipelines.engine.taskfile import packed, unpacked
from registry.publish import replacing, write_json

_UNSEEN = {errno.ENOENT, errno.ESTALE}  # not there yet, or replaced behind an NFS client's back: the next look tells


def write_bundle(folder: Path, number: int, tasks: Iterable[Task]) -> None:
    """The tasks of one job, their keys in the order that they have here."""
    with replacing(folder / f"bundle-{number}.jsonl") as temporary, temporary.open("w") as file:
        file.writelines(packed(task) + "\n" for task in tasks)


def write_call(folder: Path, call: Json) -> None:
    """What all jobs of an array have in common, once their bundles are written."""
    write_json(folder / "call.json", call)


def read_call(folder: Path) -> Json | None:
    """What `write_call` wrote, or None where it did not come to its end."""
    try:
        call: Json = json.loads((folder / "call.json").read_bytes())
    except (OSError, ValueError):
        return None
    return call


def read_bundle(folder: Path, number: int) -> Iterator[Task]:
    """The tasks of one job."""
    with (folder / f"bundle-{number}.jsonl").open("rb") as file:
        yield from (unpacked(line) for line in file)


class Told:
    """Writes the lines of one job."""

    def __init__(self, folder: Path, number: int) -> None:
        self._file: IO[str] = (folder / f"events-{number}.jsonl").open("a", encoding="utf-8", buffering=1)

    def tell(self, kind: str, **facts: Any) -> None:
        """One line, at once."""
        self._file.write(json.dumps({"kind": kind, **facts}) + "\n")

    def event(self, event: Event, task: int) -> None:
        """An event of the engine that works in the job, of the task that has this place in the bundle."""
        self.tell(event.kind, task=task, amount=event.amount, text=event.text)


class Heard:
    """Reads the lines of one job as they come."""

    def __init__(self, folder: Path, number: int) -> None:
        self._path = folder / f"events-{number}.jsonl"
        self._at = 0

    def lines(self) -> list[Json]:
        """What has come since the last time; half a line waits for its end."""
        try:
            if self._path.stat().st_size <= self._at:
                return []
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read()
        except OSError as error:
            if error.errno not in _UNSEEN:
                raise
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]


def last_words(folder: Path, number: int, limit: int = 600) -> str:
    """The end of what a job printed."""
    try:
        text = (folder / f"job-{number}.log").read_bytes()[-limit:].decode("utf-8", "replace").strip()
    except OSError:
        return "it left no output"
    return text or "it printed nothing"
