"""Tasks in a file: a driver that has a million of them holds eight bytes of each.

In: tasks as they are made. Out: a sequence of them, read from the file one at a time. A task names the inputs that it
reads, so ten thousand of them are as much text as the corpus has file names; only those that are being done are held.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, overload

from pipelines.engine import Task

if TYPE_CHECKING:
    from pathlib import Path


class TaskFile(Sequence[Task]):
    """Tasks in a nameless file of `folder`, which is gone when nobody holds it any more, whatever happens."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as the sequence
        self._ends = array("q", [0])

    def append(self, task: Task) -> None:
        """Add one at the end."""
        self._file.seek(self._ends[-1])
        self._ends.append(self._ends[-1] + self._file.write(packed(task).encode()))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Task: ...

    @overload
    def __getitem__(self, place: slice) -> list[Task]: ...

    def __getitem__(self, place: int | slice) -> Task | list[Task]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = range(len(self))[place]
        self._file.seek(self._ends[number])
        return unpacked(self._file.read(self._ends[number + 1] - self._ends[number]))


def packed(task: Task) -> str:
    """A task as a line of JSON."""
    return json.dumps([task.id, task.spec, task.folder, task.weight])


def unpacked(line: str | bytes) -> Task:
    """What `packed` made a line of."""
    return Task(*json.loads(line))
