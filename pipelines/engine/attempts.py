"""What is still to do of one call of `run`, what was tried how often, and what came of the rest.

In: what an engine sees of its tasks. Out: events for whoever watches, and one `Outcome` for each task. An exception is
the outcome of its task and is not tried again; a lost process, node or job, and a task that was late, are tried again
`retries` times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from pipelines.engine import AGAIN, Event, Json, Outcome, Task

Loss = Literal["lost", "timeout"]


class Attempts:
    """The tasks of one call. `queue` has those that nobody works at, the heaviest first: none is left to the end."""

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
        self.retries = retries
        self.timeout = timeout
        self.on_event = on_event
        self.queue = deque(sorted(tasks, key=lambda task: -task.weight))
        self._tasks = tasks
        self._count: dict[str, int] = {}
        self._outcomes: dict[str, Outcome] = {}

    @property
    def left(self) -> int:
        """Tasks without an outcome."""
        return len(self._tasks) - len(self._outcomes)

    def outcomes(self) -> list[Outcome]:
        """In the order of the tasks, once none is left."""
        return [self._outcomes[task.id] for task in self._tasks]

    def ended(self, task: Task) -> bool:
        """Whether `task` has its outcome."""
        return task.id in self._outcomes

    def take(self) -> Task:
        """The next task of the queue, which is being tried from now on."""
        task = self.queue.popleft()
        self._count[task.id] = self._count.get(task.id, 0) + 1
        return task

    def take_up(self, names: set[str]) -> list[Task]:
        """Those of the queue that are called so: somebody has been at them since an earlier run."""
        taken = [task for task in self.queue if task.id in names]
        self.queue = deque(task for task in self.queue if task.id not in names)
        self._count.update((task.id, self._count.get(task.id, 0) + 1) for task in taken)
        return taken

    def started(self, task: Task) -> None:
        """Work at `task` has begun."""
        self.on_event(Event("started", task.id))

    def progress(self, task: Task, amount: int) -> None:
        """So much of the weight of `task` has been done since it was last told."""
        self.on_event(Event("progress", task.id, amount))

    def done(self, task: Task, result: Json) -> None:
        """It is done, and its record is there."""
        self._end(task, Outcome(task.id, "done", self.tried(task), result))

    def failed(self, task: Task, error: str) -> None:
        """It raised an exception."""
        self._end(task, Outcome(task.id, "failed", self.tried(task), error=error))

    def give_up(self, task: Task, status: Loss, error: str) -> None:
        """It has been tried as often as it may be, elsewhere."""
        self._end(task, Outcome(task.id, status, self.tried(task), error=error))

    def lose(self, task: Task, status: Loss, error: str) -> None:
        """This attempt came to nothing: back into the queue, or reported with `error` if it was the last one."""
        if self.tried(task) <= self.retries:
            self.again(task, status)
            self.queue.appendleft(task)
        else:
            self.give_up(task, status, f"{error}, {self.tried(task)} times")

    def again(self, task: Task, status: Loss) -> None:
        """An attempt came to nothing, and there will be another."""
        self.on_event(Event(status, task.id, 0, AGAIN))

    def give_back(self, task: Task) -> None:
        """It was taken, and nobody came to begin with it: that was no attempt."""
        self._count[task.id] -= 1
        self.queue.append(task)

    def late(self) -> str:
        """What is wrong with a task that took too long."""
        return f"took longer than {self.timeout:g} s"

    def tried(self, task: Task) -> int:
        """How often `task` has been tried."""
        return self._count.get(task.id, 0)

    def _end(self, task: Task, outcome: Outcome) -> None:
        self._outcomes[task.id] = outcome
        self.on_event(Event(outcome.status, task.id, task.weight, outcome.error))
