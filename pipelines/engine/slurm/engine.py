"""The driver's side of Slurm: hand in an array, watch its jobs, hand in again what was lost.

In: tasks. Out: their outcomes, which a job tells through its files; the queue is asked only which jobs are there. A
driver that is gone leaves its arrays to go on. The next one finds them by their names, which hold the build folder, and
takes them up; what does not serve any more is cancelled. An error of ours cancels everything: no job is left waiting.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine import AGAIN, Event, Json, Site, Task
from pipelines.engine.attempts import Attempts, Outcomes
from pipelines.engine.records import await_record, read_record, version_here
from pipelines.engine.slurm import commands
from pipelines.engine.slurm.array import Heard, last_words, read_bundle, read_call, write_bundle, write_call
from pipelines.engine.slurm.batch import arguments, script
from pipelines.engine.slurm.deaths import EarlyDeaths
from registry.errors import CorpusError, StageError, UsageError, nearest

if TYPE_CHECKING:
    from types import TracebackType

_PULSE = 1.0  # seconds between two looks at what the jobs have told
_LOOK = 5.0  # seconds between two looks at the queue, which costs the controller more
_MISSED = 2  # looks at the queue without a job after which it is gone: its files may be a little behind
_GRACE = 60.0  # seconds after which the driver ends a job that should have ended a late task
_BEHIND = 12  # such looks after which a job that ended well and has not told so will not: a network shows files late


@dataclass(slots=True)
class _Job:
    """A job of an array. `tasks` has what the call calls the tasks of its bundle, or nothing where it wants none."""

    number: int
    heard: Heard
    tasks: Sequence[int | None]
    deadlines: dict[int, float] = field(default_factory=dict)  # of the tasks that it has begun
    ready: bool = False
    late: bool = False
    missed: int = 0


@dataclass(slots=True)
class _Array:
    """An array in the queue, and its jobs that are not over."""

    number: int
    folder: Path
    jobs: dict[int, _Job]


class SlurmEngine:
    """Tasks in the jobs of arrays, `workers` jobs at a time or as many as Slurm starts.

    Use it as a context manager: on an error it leaves no job behind. Interrupted, it leaves the jobs to go on.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.options = site.options.slurm
        self.folder = site.logs / "slurm"
        self.prefix = f"corpus-{hashlib.blake2b(str(site.work).encode(), digest_size=5).hexdigest()}-"
        self._limit = self.options.array
        self._deaths = EarlyDeaths()

    def __enter__(self) -> SlurmEngine:
        commands.check_installed()
        known = commands.partitions()
        if self.options.partition and self.options.partition not in known:
            hint = nearest(self.options.partition, known)
            raise UsageError(f"engine.slurm.partition: Slurm has no partition {self.options.partition!r}; {hint}")
        self._limit = min(self.options.array, commands.longest_array())
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif issubclass(kind, KeyboardInterrupt) and (left := self._live()):
            jobs = " ".join(str(job) for job in sorted(left))
            raise KeyboardInterrupt(
                f"interrupted; its Slurm jobs go on: the same command takes them up, `scancel {jobs}` ends them"
            )
        elif issubclass(kind, CorpusError):
            commands.cancel(*map(str, self._live()))

    def run(
        self,
        function: str,
        tasks: Sequence[Task],
        *,
        retries: int,
        timeout: float | None,
        on_event: Callable[[Event], None],
    ) -> Outcomes:
        """Perform `function` on each task; tasks of jobs that failed or vanished are handed in again."""
        attempts = Attempts(function, tasks, retries=retries, timeout=timeout, on_event=on_event)
        self._deaths.forgive()
        arrays = self._take_up(attempts)
        looked = time.monotonic()
        while attempts.left:
            if attempts.queue:
                arrays.append(self._submit(attempts))
            for array in arrays:
                for job in list(array.jobs.values()):
                    self._listen(array, job, attempts)
            if time.monotonic() - looked >= _LOOK:
                self._look(arrays, attempts)
                looked = time.monotonic()
            arrays = [array for array in arrays if array.jobs]
            if attempts.left and not attempts.queue:
                time.sleep(_PULSE)
        return attempts.outcomes()

    # Handing in

    def _submit(self, attempts: Attempts) -> _Array:
        """All of the queue as one array."""
        tasks = attempts.take_all()
        count = min(self._limit, -(-len(tasks) // self.options.cpus))
        folder = self.folder / secrets.token_hex(4)  # no name twice: a job that is late must not find another's share
        jobs = {n: _Job(n, Heard(folder, n), tasks[n::count]) for n in range(count)}
        for n in range(count):
            write_bundle(folder, n, (attempts.tasks[task] for task in tasks[n::count]))
        write_call(folder, {**self._call(attempts), "jobs": count})
        number = self._hand_in(folder, count)
        return _Array(number, folder, jobs)

    def _hand_in(self, folder: Path, count: int) -> int:
        given = arguments(self.options, self.prefix, folder, count, self.site.workers)
        avoided = self._deaths.avoid()
        return commands.submit(
            script(self.options, folder), [*given, *([f"--exclude={','.join(avoided)}"] if avoided else [])]
        )

    def _call(self, attempts: Attempts) -> Json:
        return {
            "function": attempts.function,
            "retries": attempts.retries,
            "timeout": attempts.timeout,
            "version": version_here(),
        }

    # Watching

    def _listen(self, array: _Array, job: _Job, attempts: Attempts) -> None:
        for line in job.heard.lines():
            kind = line["kind"]
            if kind == "ready":
                job.ready = True
                self._deaths.begun(array.number, line["node"])
            elif kind == "finished":
                self._settle(array, job, attempts, "did not do it")
            elif (task := job.tasks[line["task"]]) is not None and not attempts.ended(task):
                self._hear(job, task, line, attempts)
        if not job.late and any(deadline <= time.monotonic() for deadline in job.deadlines.values()):
            job.late = True
            commands.cancel(f"{array.number}_{job.number}")

    def _hear(self, job: _Job, task: int, line: Json, attempts: Attempts) -> None:
        """One event of a task in a job."""
        kind, text = line["kind"], line["text"]
        if kind == "started":
            limit = attempts.timeout
            job.deadlines[task] = time.monotonic() + limit + _GRACE if limit else float("inf")
            attempts.started(task)
        elif kind == "progress":
            attempts.progress(task, line["amount"])
        elif text == AGAIN:
            attempts.again(task, kind)
        else:
            job.deadlines.pop(task, None)
            if kind == "done":
                own = attempts.tasks[task]
                await_record(Path(own.folder), own.id)
                attempts.done(task)
            elif kind == "failed":
                attempts.failed(task, text)
            else:
                attempts.give_up(task, kind, text)

    def _look(self, arrays: list[_Array], attempts: Attempts) -> None:
        """Ask the queue which jobs there are; settle those that are gone."""
        queued = commands.queue(self.prefix)
        blocked = [element for element in queued if element.blocked]
        if blocked:
            raise StageError(f"Slurm will never start job {blocked[0].job}: {blocked[0].reason}; it was cancelled")
        there = {(element.job, element.index): element for element in queued}
        for array in arrays:
            for job in list(array.jobs.values()):
                element = there.get((array.number, job.number))
                job.missed = 0 if element else job.missed + 1
                if element is not None and element.put_back:
                    commands.cancel(f"{array.number}_{job.number}")
                    self._settle(array, job, attempts, f"was not launched by Slurm ({element.reason})")
                elif job.missed >= _MISSED:
                    self._part(array, job, attempts)

    def _part(self, array: _Array, job: _Job, attempts: Attempts) -> None:
        """A job is no longer in the queue: what it told last counts, then how Slurm says that it ended."""
        self._listen(array, job, attempts)
        if job.number not in array.jobs:
            return
        end = commands.end_of(f"{array.number}_{job.number}")
        if end.state != "COMPLETED" or job.missed >= _BEHIND:
            self._settle(array, job, attempts, str(end), node=end.node)

    def _settle(self, array: _Array, job: _Job, attempts: Attempts, how: str, *, node: str = "") -> None:
        """A job is over: what it did not tell of is on record, or lost, or was never begun."""
        del array.jobs[job.number]
        if not job.ready:
            how = self._mourn(array, job, how, node)
        untouched = job.ready and bool(job.deadlines)
        for task in job.tasks:
            if task is None or attempts.ended(task):
                continue
            own = attempts.tasks[task]
            if read_record(Path(own.folder), own.id) is not None:
                attempts.done(task)
            elif untouched and task not in job.deadlines:
                attempts.give_back(task)
            elif job.late:
                attempts.lose(task, "timeout", attempts.late())
            else:
                attempts.lose(task, "lost", f"its job {how}")

    def _mourn(self, array: _Array, job: _Job, how: str, node: str) -> str:
        """A job ended before it began; how, in its own words too. Where that is no accident, so will all others."""
        self._deaths.add(array.number, node)
        said = last_words(array.folder, job.number)
        if self._deaths.no_accident():
            raise StageError(
                f"Slurm's jobs fail before they begin ({array.number}_{job.number} {how}): {said}\n"
                f"The nodes need corpus-foundry as it is here; engine.slurm.python and engine.slurm.setup say where"
            )
        return f"{how} before it began: {said}"

    # Taking up

    def _live(self) -> dict[int, str]:
        """Arrays of this build that are in the queue, with the names of their folders."""
        return {element.job: element.name.removeprefix(self.prefix) for element in commands.queue(self.prefix)}

    def _take_up(self, attempts: Attempts) -> list[_Array]:
        """Arrays that an earlier driver left, as far as they do what is wanted; the others are cancelled."""
        live, arrays = self._live(), []
        wanted = {task.id: number for number, task in enumerate(attempts.tasks)} if live else {}
        for number, name in live.items():
            found = self._reopen(number, self.folder / name, attempts, wanted)
            if found.jobs:
                arrays.append(found)
            else:
                commands.cancel(str(number))
        serving = {found.folder for found in arrays}
        for path in self.folder.iterdir():
            if path not in serving:
                shutil.rmtree(path, ignore_errors=True)
        return arrays

    def _reopen(self, number: int, folder: Path, attempts: Attempts, wanted: dict[str, int]) -> _Array:
        """What of an array does tasks that are `wanted`, and no more so once it is taken up."""
        call = read_call(folder)
        found = _Array(number, folder, {})
        if call is None or {**self._call(attempts), "jobs": call["jobs"]} != call:
            return found
        for n in range(call["jobs"]):
            own = [wanted.pop(task.id, None) for task in read_bundle(folder, n)]
            if any(task is not None for task in own):
                found.jobs[n] = _Job(n, Heard(folder, n), own)
        attempts.take_up({task for job in found.jobs.values() for task in job.tasks if task is not None})
        return found
