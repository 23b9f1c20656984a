"""Tasks in a file, and what is held of them: the same tasks, in the same order, whatever is between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine import Task
from pipelines.engine.attempts import Attempts
from pipelines.engine.taskfile import TaskFile

tasks = st.builds(
    Task,
    id=st.text("0123456789abcdef", min_size=32, max_size=32),
    spec=st.dictionaries(st.text(), st.lists(st.integers() | st.text() | st.none())),
    folder=st.just("/build/.work/extract"),
    weight=st.integers(0, 1 << 40),
)


@given(st.lists(tasks))
def test_it_gives_the_tasks_that_were_added(given: list[Task]) -> None:
    file = TaskFile(Path("/tmp"))
    for number, task in enumerate(given):
        file.append(task)
        assert file[number // 2] == given[number // 2]  # reading between two writes changes nothing
    assert list(file) == given
    assert file[1:3] == given[1:3]
    assert list(reversed(file)) == given[::-1]


@given(st.lists(st.integers(0, 5)), st.data())
def test_the_heaviest_come_first_and_every_task_has_one_end(weights: list[int], data: Any) -> None:
    """Against a plain list that is sorted: the first of equals first, what is lost next, what is given back last."""
    attempts = Attempts(
        "", [Task("", {}, "", weight) for weight in weights], retries=1, timeout=None, on_event=lambda _event: None
    )
    waiting = sorted(range(len(weights)), key=lambda number: -weights[number])
    tried = [0] * len(weights)
    while attempts.left:
        number = attempts.take()
        assert number == waiting.pop(0)
        tried[number] += 1
        match data.draw(st.sampled_from(["done", "failed", "lose", "give_back"])):
            case "done":
                attempts.done(number)
            case "failed":
                attempts.failed(number, "wrong")
            case "lose":
                attempts.lose(number, "lost", "killed")
                waiting[:0] = [number] if tried[number] < 2 else []
            case "give_back":
                attempts.give_back(number)
                waiting.append(number)
                tried[number] -= 1
    outcomes = attempts.outcomes()
    assert [outcome.attempts for outcome in outcomes] == tried
    assert outcomes.bad() == [outcome for outcome in outcomes if outcome.status != "done"]
    assert all(outcome.error for outcome in outcomes.bad())
