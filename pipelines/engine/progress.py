"""What a person sees while tasks run: a bar with counts and time left on a terminal, plain lines when piped.

In: the engine's events. Out: standard error only. On a pipe a line comes at the start and the end of a stage and at
most every ten seconds between, so that ten thousand tasks still make a log that can be read.
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


class Tally:
    """How far a run has come, from its events: tasks ended, and weight done, partial work of live tasks included."""

    def __init__(self, tasks: int, weight: int) -> None:
        self.tasks = tasks
        self.weight = weight
        self.ended = 0
        self._partial: dict[str, int] = {}
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


@contextmanager
def shown(console: Console, stage: str, tasks: int, weight: int, unit: str) -> Iterator[Callable[[Event], None]]:
    """A handler of events that shows `stage` on `console` while the block runs. `unit` is "bytes" or a plain noun."""
    tally = Tally(tasks, weight)
    show = _bar if console.is_terminal else _lines
    with show(console, stage, tally, unit) as update:

        def handle(event: Event) -> None:
            tally.add(event)
            if event.text and event.kind in {"lost", "timeout", "failed"}:
                console.print(f"  {stage}: a task was {event.kind}: {event.text}", style="yellow", markup=False)
            update()

        yield handle


@contextmanager
def _bar(console: Console, stage: str, tally: Tally, unit: str) -> Iterator[Callable[[], None]]:
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = (TextColumn("{task.description:<10}"), BarColumn(), count, TextColumn("{task.fields[tasks]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        row = progress.add_task(stage, total=tally.weight, tasks=f"0/{tally.tasks} tasks")
        yield lambda: progress.update(row, completed=tally.done, tasks=f"{tally.ended}/{tally.tasks} tasks")


@contextmanager
def _lines(console: Console, stage: str, tally: Tally, unit: str) -> Iterator[Callable[[], None]]:
    started = last = time.monotonic()
    amount = "" if unit == "tasks" else f", {tally.weight:,} {unit}"
    console.print(f"{stage}: {tally.tasks:,} task{'s' * (tally.tasks != 1)}{amount}", markup=False)

    def update() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES and tally.done:
            last = now
            left = (now - started) * (tally.weight - tally.done) / tally.done
            share = 100 * tally.done / tally.weight
            console.print(
                f"{stage}: {tally.ended:,}/{tally.tasks:,} tasks, {share:.0f} %, {left:.0f} s left", markup=False
            )

    yield update
    console.print(f"{stage}: done in {time.monotonic() - started:.1f} s", markup=False)
