"""What is still to do of one call of `run`, what was tried how often, and what came of the rest.

In: what an engine sees of its tasks, each named by its place in the call. Out: events for whoever watches, and one
`Outcome` for each task. An exception is the outcome of its task and is not tried again; a lost process, node or job,
and a task that was late, are tried again `retries` times. Of a task 15 bytes are held, and its error where it has one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from pipelines.engine import AGAIN, Event, Outcome, Status, Task

Loss = Literal["lost", "timeout"]
_STATUSES: tuple[Status, ...] = ("done", "failed", "lost", "timeout")  # 0 is none yet, 1 is the first


class Attempts:
    """The tasks of one call. `queue` has those that nobody works at, the heaviest last, which is the next."""

    def __init__(
        self,
        function: str,
        tasks: Sequence[Task],
        *,
        retries: int,
        timeout: float | None,
        on_event: Callable[[Event], None],
    ) -> None:
        self.function = function
        self.tasks = tasks
        self.retries = retries
        self.timeout = timeout
        self.on_event = on_event
        self.left = len(tasks)  # without an outcome
        self._weights = array("q", (task.weight for task in tasks))
        self.queue = _heaviest_last(self._weights)
        self._tried = array("H", bytes(2 * len(tasks)))
        self._ended = bytearray(len(tasks))
        self._errors: dict[int, str] = {}

    def outcomes(self) -> Outcomes:
        """Of all tasks, once none is left."""
        return Outcomes(self.tasks, self._ended, self._tried, self._errors)

    def ended(self, number: int) -> bool:
        """Whether a task has its outcome."""
        return bool(self._ended[number])

    def take(self) -> int:
        """The next task of the queue, which is being tried from now on."""
        number = self.queue.pop()
        self._try([number])
        return number

    def take_all(self) -> array[int]:
        """All of the queue, in its order."""
        taken, self.queue = self.queue[::-1], array("I")
        self._try(taken)
        return taken

    def take_up(self, numbers: AbstractSet[int]) -> None:
        """Take these from the queue: somebody has been at them since an earlier run."""
        self.queue = array("I", (number for number in self.queue if number not in numbers))
        self._try(numbers)

    def _try(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._tried[number] += 1

    def started(self, number: int) -> None:
        """Work at a task has begun."""
        self.on_event(Event("started", number))

    def progress(self, number: int, amount: int) -> None:
        """So much of the weight of a task has been done since it was last told."""
        self.on_event(Event("progress", number, amount))

    def done(self, number: int) -> None:
        """It is done, and its record is there."""
        self._end(number, "done")

    def failed(self, number: int, error: str) -> None:
        """It raised an exception."""
        self._end(number, "failed", error)

    def give_up(self, number: int, status: Loss, error: str) -> None:
        """It has been tried as often as it may be, elsewhere."""
        self._end(number, status, error)

    def lose(self, number: int, status: Loss, error: str) -> None:
        """This attempt came to nothing: back into the queue, or reported with `error` if it was the last one."""
        if self.tried(number) <= self.retries:
            self.again(number, status)
            self.queue.append(number)
        else:
            self.give_up(number, status, f"{error}, {self.tried(number)} times")

    def again(self, number: int, status: Loss) -> None:
        """An attempt came to nothing, and there will be another."""
        self.on_event(Event(status, number, 0, AGAIN))

    def give_back(self, number: int) -> None:
        """It was taken, and nobody came to begin with it: that was no attempt."""
        self._tried[number] -= 1
        self.queue.insert(0, number)

    def late(self) -> str:
        """What is wrong with a task that took too long."""
        return f"took longer than {self.timeout:g} s"

    def tried(self, number: int) -> int:
        """How often a task has been tried."""
        return self._tried[number]

    def _end(self, number: int, status: Status, error: str = "") -> None:
        self.left -= 1
        self._ended[number] = 1 + _STATUSES.index(status)
        if error:
            self._errors[number] = error
        self.on_event(Event(status, number, self._weights[number], error))


class Outcomes:
    """How the tasks of a call ended, by their place in it."""

    def __init__(self, tasks: Sequence[Task], ended: bytearray, tried: array[int], errors: dict[int, str]) -> None:
        self._tasks, self._ended, self._tried, self._errors = tasks, ended, tried, errors

    def __len__(self) -> int:
        return len(self._ended)

    def __getitem__(self, number: int) -> Outcome:
        status = _STATUSES[self._ended[number] - 1]
        return Outcome(self._tasks[number].id, status, self._tried[number], self._errors.get(number, ""))

    def __iter__(self) -> Iterator[Outcome]:
        return (self[number] for number in range(len(self)))

    def bad(self) -> list[Outcome]:
        """Those of tasks that could not be done."""
        done = 1 + _STATUSES.index("done")
        return [self[number] for number, status in enumerate(self._ended) if status != done]


def _heaviest_last(weights: array[int]) -> array[int]:
    """The places of `weights` in the order of these, of equals the last first: the end of the array is done first."""
    import numpy as np

    order = np.argsort(-np.frombuffer(weights, np.int64), kind="stable") if weights else np.empty(0)
    return array("I", order[::-1].astype(np.uint32).tobytes())
