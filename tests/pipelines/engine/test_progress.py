"""Progress: it adds up, whatever is tried again, and reads well on a pipe."""

from __future__ import annotations

import io

from rich.console import Console

from pipelines.engine import Event
from pipelines.engine.progress import Tally, shown


def test_partial_work_counts_until_its_task_has_ended() -> None:
    tally = Tally(tasks=2, weight=100)
    for event in (Event("started", 0), Event("progress", 0, 30), Event("progress", 1, 20)):
        tally.add(event)
    assert (tally.done, tally.ended) == (50, 0)
    tally.add(Event("done", 0, 60))
    assert (tally.done, tally.ended) == (80, 1)


def test_the_work_of_a_lost_task_is_taken_back() -> None:
    tally = Tally(tasks=1, weight=100)
    tally.add(Event("progress", 0, 70))
    tally.add(Event("lost", 0, 0, "tried again"))
    assert (tally.done, tally.ended) == (0, 0)
    tally.add(Event("lost", 0, 100, "its process was killed"))
    assert tally.ended == 1


def test_on_a_pipe_there_is_a_line_at_each_end_and_one_per_loss() -> None:
    out = io.StringIO()
    with shown(Console(file=out, width=100), "refine", 1000, 5_000_000, "bytes") as handle:
        for number in range(1000):
            handle(Event("done", number, 5000))
        handle(Event("lost", "7", 0, "tried again"))
    first, lost, last = out.getvalue().splitlines()
    assert first == "refine: 1,000 tasks, 5,000,000 bytes"
    assert lost == "  refine: a task was lost: tried again"
    assert last.startswith("refine: done in ")


def test_on_a_terminal_there_is_a_bar() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with shown(console, "extract", 2, 10, "documents") as handle:
        handle(Event("done", 0, 5))
    assert "extract" in out.getvalue()
    assert "1/2 tasks" in out.getvalue()
