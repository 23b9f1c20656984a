"""The launcher for one machine: spawned workers that are used again, watched through pipes and sentinels.

Why not `multiprocessing.Pool`: a killed worker takes its task with it and the pool waits for ever. Why not
`ProcessPoolExecutor`: one death breaks every future and does not say which task it was. Here a death costs exactly the
task that the worker held; it is tried again and then reported. Eight empty tasks on two workers take 0.6 s in all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from pipelines.engine import Event, Site, Task
from pipelines.engine.attempts import Attempts, Loss, Outcomes
from pipelines.engine.process import Child
from registry.errors import StageError

_DEATHS_BEFORE_READY = 3


def start(site: Site) -> LocalEngine:
    """The engine that `--engine local` means: one worker per core that this process may use, unless told otherwise."""
    return LocalEngine(site.workers or cores(), site.logs)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(slots=True)
class _Slot:
    """A worker and what it is doing."""

    child: Child
    task: int | None = None
    deadline: float = float("inf")
    ready: bool = False


class LocalEngine:
    """Up to `workers` processes on this machine, started when first needed and kept until `close`.

    Use it as a context manager: whatever happens, no worker outlives the block (nor, by PDEATHSIG, this process).
    """

    def __init__(self, workers: int, logs: Path) -> None:
        self.workers = workers
        self.logs = logs
        self._slots: list[_Slot] = []
        self._early_deaths = 0

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, at once and for certain."""
        for slot in self._slots:
            slot.child.kill()
        self._slots.clear()

    def run(
        self,
        function: str,
        tasks: Sequence[Task],
        *,
        retries: int,
        timeout: float | None,
        on_event: Callable[[Event], None],
    ) -> Outcomes:
        """Perform `function` on each task, the heaviest first so that none is left running alone at the end."""
        attempts = Attempts(function, tasks, retries=retries, timeout=timeout, on_event=on_event)
        while attempts.left:
            self._start_workers(attempts.left)
            for slot in self._slots:
                if slot.ready and slot.task is None and attempts.queue:
                    self._assign(slot, attempts)
            self._listen(attempts)
        return attempts.outcomes()

    def _start_workers(self, wanted: int) -> None:
        while len(self._slots) < min(self.workers, wanted):
            log = self.logs / f"worker-{len(self._slots)}.log"
            self._slots.append(_Slot(Child("pipelines.engine.worker", log)))

    def _assign(self, slot: _Slot, attempts: Attempts) -> None:
        number = slot.task = attempts.take()
        task = attempts.tasks[number]
        slot.deadline = time.monotonic() + attempts.timeout if attempts.timeout else float("inf")
        slot.child.send({"id": task.id, "function": attempts.function, "spec": task.spec, "folder": task.folder})
        attempts.started(number)

    def _listen(self, attempts: Attempts) -> None:
        """Wait for the next thing that any worker says, or for its death, or for its time to run out."""
        by_handle = {handle: slot for slot in self._slots for handle in (slot.child.channel, slot.child.sentinel)}
        soonest = min(slot.deadline for slot in self._slots)
        pause = None if soonest == float("inf") else max(0.0, soonest - time.monotonic())
        spoken = {id(by_handle[handle]): by_handle[handle] for handle in wait(list(by_handle), pause)}  # type: ignore[index]
        for slot in spoken.values():
            try:
                while slot.child.channel.poll():  # all it said comes before its death
                    self._hear(slot, slot.child.receive(), attempts)
            except (EOFError, OSError):
                self._bury(slot, attempts, "lost")
                continue
            if slot.child.process.poll() is not None:
                self._bury(slot, attempts, "lost")
        for slot in [s for s in self._slots if s.deadline <= time.monotonic()]:
            self._bury(slot, attempts, "timeout")

    def _hear(self, slot: _Slot, message: dict[str, object], attempts: Attempts) -> None:
        if message["kind"] == "ready":
            slot.ready = True
            self._early_deaths = 0
            return
        task = slot.task
        if task is None:
            return
        if message["kind"] == "progress":
            attempts.progress(task, int(str(message["amount"])))
            return
        slot.task, slot.deadline = None, float("inf")
        if message["kind"] == "done":
            attempts.done(task)
        else:
            attempts.failed(task, str(message["error"]))

    def _bury(self, slot: _Slot, attempts: Attempts, status: Loss) -> None:
        """A worker is dead, or is put down for being late: its task is tried again, then reported."""
        code = slot.child.kill()
        self._slots.remove(slot)
        if not slot.ready:
            self._early_deaths += 1
            if self._early_deaths >= _DEATHS_BEFORE_READY:
                raise StageError(f"workers die as they start: {slot.child.last_words()}")
        elif slot.task is not None:
            killed = f"its process was killed (status {code}; out of memory?)"
            attempts.lose(slot.task, status, attempts.late() if status == "timeout" else killed)
