"""One seam between the build and the machines: `run(fn, tasks) -> outcomes`.

A task is plain data and its function is named by an import string, so a local process, a Ray worker and a Slurm job can
all perform it. A task publishes its outputs, then writes its completion record last; the driver trusts records, never
folder listings, so taking up an interrupted build is the same everywhere. Wherever a task runs, it runs in a child of a
`LocalEngine`: Ray and Slurm bring one to their nodes, so that limits, time-outs and environment are the same.

    process.py      one child process, a channel to it, and what kills it
    worker.py       what runs in the child: perform tasks until the channel closes
    taskfile.py     tasks that are too many to hold
    attempts.py     what is to do, what was tried how often, what came of it: the same for all engines
    local.py        the launcher for one machine: spawned, reused workers
    ray.py          the launcher for a Ray cluster: one Ray task per task
    slurm/          the launcher for a Slurm cluster: one array job per stage
    records.py      completion records, keyed by a fingerprint of everything a task depends on
    progress.py     counts and time left, on a terminal or as plain lines
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from registry.names import Registry

if TYPE_CHECKING:
    from pipelines.engine.attempts import Outcomes
    from registry.recipe import EngineOptions

Json = dict[str, Any]
Status = Literal["done", "failed", "lost", "timeout"]


@dataclass(frozen=True, slots=True)
class Task:
    """A unit of work that any process can perform: `function(spec, folder)` with `spec` as JSON-able data.

    Attributes:
        id: fingerprint of all that the outcome depends on; it names the task's outputs and its completion record.
        spec: the argument.
        folder: where outputs and the record are published.
        weight: how much there is to do, in any unit that is the same for all tasks of a run (bytes, characters).
    """

    id: str
    spec: Json
    folder: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended. What it gave, where `status` is "done", its record says."""

    id: str
    status: Status
    attempts: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to show while tasks run: one has started, has done `amount` of its weight, or has ended.

    `task` is its place among the tasks of the call.
    """

    kind: Literal["started", "progress"] | Status
    task: int
    amount: int = 0
    text: str = ""


AGAIN = "tried again"  # the text of an event that ends an attempt and not its task


class Engine(Protocol):
    """Performs tasks somewhere, retries what was lost, and reports every one of them."""

    def run(
        self,
        function: str,
        tasks: Sequence[Task],
        *,
        retries: int,
        timeout: float | None,
        on_event: Callable[[Event], None],
    ) -> Outcomes:
        """Perform `function` ("module:name") on each task; one is read from `tasks` when its turn comes."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """What a launcher is told.

    Attributes:
        work: the folder of a build's intermediates, absolute; logs and what the engine itself keeps lie in it.
        workers: tasks at a time; None for what the machine or the cluster has.
        options: the section `engine` of the recipe, with what an engine.yaml says on top.
    """

    work: Path
    workers: int | None
    options: EngineOptions

    @property
    def logs(self) -> Path:
        """Where workers' output goes."""
        return self.work / "logs"


launcher: Registry[Callable[[Site], AbstractContextManager[Engine]]] = Registry("engine")
launcher.lazy("local", "pipelines.engine.local:start")
launcher.lazy("ray", "pipelines.engine.ray:start")
launcher.lazy("slurm", "pipelines.engine.slurm:start")
