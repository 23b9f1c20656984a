"""What a person sees while tasks run: a bar with counts and time left on a terminal, plain lines when piped.

In: the engine's events. Out: standard error only. On a pipe a line comes at the start and the end of a stage and with
each percent between, no two within ten seconds; of tasks that were lost or late the first few are told and the rest are
counted. So ten thousand tasks still make a log that can be read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.engine import Event

if TYPE_CHECKING:
    from rich.console import Console

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_OF_SILENCE = 300.0
_TROUBLES = 5


class Tally:
    """How far a run has come, from its events: tasks ended, and weight done, partial work of live tasks included."""

    def __init__(self, tasks: int, weight: int) -> None:
        self.tasks = tasks
        self.weight = weight
        self.ended = 0
        self._partial: dict[int, int] = {}
        self._whole = 0

    def add(self, event: Event) -> None:
        """Count one event."""
        if event.kind == "progress":
            self._partial[event.task] = self._partial.get(event.task, 0) + event.amount
        elif event.kind != "started":
            self._partial.pop(event.task, None)  # done for good, or to be done again from the start
            if event.text != "tried again":
                self.ended += 1
                self._whole += event.amount

    @property
    def done(self) -> int:
        """Weight done so far; never more than all of it."""
        return min(self.weight, self._whole + sum(self._partial.values()))


class Pace:
    """When the next line is due: after ten seconds at least, and then with the next percent or after five minutes.

    So a stage is told in about a hundred lines, whether it has ten tasks or ten thousand, takes a minute or a day.
    """

    def __init__(self, now: float) -> None:
        self._last = now
        self._share = 0

    def due(self, now: float, share: int) -> bool:
        """Whether to write a line `now`, with `share` percent done."""
        waited = now - self._last
        if waited < _SECONDS_BETWEEN_LINES or (share == self._share and waited < _SECONDS_OF_SILENCE):
            return False
        self._last, self._share = now, share
        return True


def duration(seconds: float) -> str:
    """A time as people say it: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def shown(console: Console, stage: str, tasks: int, weight: int, unit: str) -> Iterator[Callable[[Event], None]]:
    """A handler of events that shows `stage` on `console` while the block runs. `unit` is "bytes" or a plain noun."""
    tally = Tally(tasks, weight)
    show = _bar if console.is_terminal else _lines
    troubles = 0

    def tell(text: str) -> None:
        console.print(f"  {stage}: {text}", style="yellow", markup=False)

    with show(console, stage, tally, unit) as update:

        def handle(event: Event) -> None:
            nonlocal troubles
            tally.add(event)
            if event.text and event.kind in {"lost", "timeout", "failed"}:
                troubles += 1
                if troubles <= _TROUBLES:
                    tell(f"a task was {event.kind}: {event.text}")
            update()

        yield handle
    if troubles > _TROUBLES:
        tell(f"and {troubles - _TROUBLES:,} more were lost, late or failed; those that could not be done end the stage")


@contextmanager
def _bar(console: Console, stage: str, tally: Tally, unit: str) -> Iterator[Callable[[], None]]:
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description:<10}"), BarColumn(), count, TextColumn("{task.fields[tasks]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        row = progress.add_task(stage, total=tally.weight, tasks=f"0/{tally.tasks:,} tasks")
        yield lambda: progress.update(row, completed=tally.done, tasks=f"{tally.ended:,}/{tally.tasks:,} tasks")


@contextmanager
def _lines(console: Console, stage: str, tally: Tally, unit: str) -> Iterator[Callable[[], None]]:
    started = time.monotonic()
    pace = Pace(started)
    amount = "" if unit == "tasks" else f", {tally.weight:,} {unit}"
    console.print(f"{stage}: {tally.tasks:,} task{'s' * (tally.tasks != 1)}{amount}", markup=False)

    def update() -> None:
        now, done = time.monotonic(), tally.done
        share = 100 * done // max(1, tally.weight)
        if done and pace.due(now, share):
            left = duration((now - started) * (tally.weight - done) / done)
            console.print(f"{stage}: {tally.ended:,}/{tally.tasks:,} tasks, {share} %, {left} left", markup=False)

    yield update
    console.print(f"{stage}: done in {time.monotonic() - started:.1f} s", markup=False)
