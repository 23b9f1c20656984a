"""The launcher for a Ray cluster: one Ray task per task, retried by the driver, never by Ray.

In: the address of a cluster, or none for one of our own on this machine. A Ray worker keeps a `LocalEngine` of one
child and gives it task after task, so a task has the same limits and environment everywhere, and a worker that dies
names the task that it held. Ray carries JSON: nothing that was read from a hostile file is ever unpickled.

Why not datatrove's RayPipelineExecutor: it waits for ever on a killed process, and returns None after a failed task.
What a task costs here is measured by benchmarks/engines.py.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Event, Json, Outcome, Site, Task
from pipelines.engine.attempts import Attempts, Loss, Outcomes
from pipelines.engine.local import LocalEngine
from pipelines.engine.records import await_record, version_here
from pipelines.engine.taskfile import packed, unpacked
from registry.errors import StageError, UsageError
from registry.mirror import mirror_of

if TYPE_CHECKING:
    from types import TracebackType

_GRACE = 30.0  # seconds after which the driver ends a task whose node should have ended it
_PULSE = 1.0  # seconds between two looks at what the nodes have told
_PROBE = 120.0  # seconds for a node to answer at all: it may have to start Python and load everything
_LOCAL_STORE = 100 << 20  # bytes of shared memory of a cluster of our own; only JSON goes through it


def start(site: Site) -> RayEngine:
    """The engine that `--engine ray` means."""
    return RayEngine(site)


@dataclass(slots=True)
class _Flight:
    """A Ray task that has been handed in."""

    task: int
    attempt: int
    deadline: float = float("inf")
    late: bool = False


class RayEngine:
    """Tasks on the nodes of a Ray cluster, as many at a time as it has CPUs, or as `workers` says.

    Use it as a context manager: leaving it disconnects, which ends all that it started on the nodes.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self._ray: Any = None
        self._board: Any = None
        self._perform: Any = None

    def __enter__(self) -> RayEngine:
        with _quiet(self.site.logs / "ray.log"):
            self._ray = _connect(self.site.options.ray.address, self.site.workers)
        try:
            self._check_nodes()
            self._board = self._start_board()
        except BaseException:
            self._ray.shutdown()
            raise
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0}
        if self.site.options.ray.bytes:
            options["memory"] = self.site.options.ray.bytes
        self._perform = self._ray.remote(**options)(_perform)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ray.shutdown()

    def run(
        self,
        function: str,
        tasks: Sequence[Task],
        *,
        retries: int,
        timeout: float | None,
        on_event: Callable[[Event], None],
    ) -> Outcomes:
        """Perform `function` on each task. What a dying node was doing is done again on another."""
        attempts = Attempts(function, tasks, retries=retries, timeout=timeout, on_event=on_event)
        flights: dict[Any, _Flight] = {}
        room, looked = self._room(), 0.0
        while attempts.left:
            while attempts.queue and len(flights) < room:
                self._hand_in(attempts, flights)
            ready, _ = self._ray.wait(list(flights), timeout=_PULSE)
            for reference in ready:
                self._settle(reference, flights.pop(reference), attempts)
            if time.monotonic() - looked >= _PULSE:
                looked = time.monotonic()
                self._listen(flights, attempts)
                self._end_late(flights)
                room = self._room()
        return attempts.outcomes()

    def _room(self) -> int:
        """Tasks in flight: one more than can run, so that no CPU waits for the driver, unless the user wants fewer."""
        asked = self.site.workers if self.site.options.ray.address else None
        return asked or int(self._ray.cluster_resources().get("CPU", 0)) + 1

    def _hand_in(self, attempts: Attempts, flights: dict[Any, _Flight]) -> None:
        number = attempts.take()
        attempt, task = attempts.tried(number), attempts.tasks[number]
        call = {"function": attempts.function, "timeout": attempts.timeout, "task": packed(task)}
        call |= {"number": number, "attempt": attempt, "version": version_here(), "logs": str(self.site.logs / "ray")}
        flights[self._perform.remote(json.dumps(call), self._board)] = _Flight(number, attempt)

    def _settle(self, reference: Any, flight: _Flight, attempts: Attempts) -> None:
        """What came of a Ray task: its outcome, or why there is none."""
        errors, task = self._ray.exceptions, flight.task
        try:
            outcome = Outcome(**json.loads(self._ray.get(reference)))
        except errors.RayTaskError as error:  # not the task, which answers: what should have performed it
            raise StageError(f"Ray could not perform a task: {_first_line(error.cause or error)}") from None
        except (errors.RayError, errors.TaskCancelledError) as error:
            status: Loss = "timeout" if flight.late else "lost"
            attempts.lose(task, status, attempts.late() if flight.late else _why(error))
            return
        match outcome.status:
            case "done":
                own = attempts.tasks[task]
                await_record(Path(own.folder), own.id)
                attempts.done(task)
            case "failed":
                attempts.failed(task, outcome.error)
            case _:
                attempts.lose(task, outcome.status, outcome.error.removesuffix(", 1 times"))

    def _listen(self, flights: dict[Any, _Flight], attempts: Attempts) -> None:
        """What the nodes have told since the last time: which tasks have begun, and how far they are."""
        try:
            told = self._ray.get(self._board.collect.remote(), timeout=10 * _PULSE)
        except self._ray.exceptions.RayError:
            self._board = self._start_board()  # its node is gone; what it had heard was for show
            return
        flying = {(flight.task, flight.attempt): flight for flight in flights.values()}
        for task, attempt, kind, amount in told:
            if (flight := flying.get((task, attempt))) is None:
                continue
            if kind == "started":
                flight.deadline = time.monotonic() + attempts.timeout + _GRACE if attempts.timeout else float("inf")
                attempts.started(flight.task)
            else:
                attempts.progress(flight.task, amount)

    def _end_late(self, flights: dict[Any, _Flight]) -> None:
        """A node ends a task that is late; where it does not, because it hangs itself, the driver does."""
        for reference, flight in flights.items():
            if flight.deadline <= time.monotonic() and not flight.late:
                flight.late = True
                self._ray.cancel(reference, force=True)

    def _start_board(self) -> Any:
        return self._ray.remote(num_cpus=0)(_Board).options(scheduling_strategy=self._only_on(self._here())).remote()

    def _here(self) -> str:
        node: str = self._ray.get_runtime_context().get_node_id()
        return node

    def _only_on(self, node: str) -> Any:
        return self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)

    def _nodes(self) -> dict[str, str]:
        """The addresses of the nodes that the cluster holds for alive."""
        return {node["NodeID"]: node["NodeManagerAddress"] for node in self._ray.nodes() if node["Alive"]}

    def _check_nodes(self) -> None:
        """Every node has this version of everything and sees the build folder.

        Raises:
            UsageError: one has not, does not; the message names it.
        """
        look = self._ray.remote(num_cpus=0, max_retries=0)(_looker())
        token = self.site.work / "ray.token"
        token.touch()
        nodes = self._nodes()
        try:
            asked = {node: look.options(scheduling_strategy=self._only_on(node)).remote(str(token)) for node in nodes}
            for node, reference in asked.items():
                try:
                    seen = self._ray.get(reference, timeout=_PROBE)
                except self._ray.exceptions.RayError as error:
                    if node not in self._nodes():  # it died before the cluster had noticed, and will get no task
                        continue
                    raise UsageError(f"Ray's node {nodes[node]} does not answer: {_first_line(error)}") from None
                stored = mirror_of(self.site.work) is not None  # then each node copies what it needs
                _check_node(f"Ray's node {nodes[node]}", seen | {"folder": stored or seen["folder"]}, self.site.work)
        finally:
            token.unlink(missing_ok=True)


def _check_node(name: str, seen: Json, work: Path) -> None:
    if seen["missing"]:
        raise UsageError(
            f"{name} lacks our packages ({seen['missing']}): install corpus-foundry into {seen['python']} there"
        )
    if seen["version"] != version_here():
        raise UsageError(f"{name} has another version of corpus-foundry than this machine: install the same on both")
    if not seen["folder"]:
        raise UsageError(f"{name} does not see {work}: --out has to be on a file system that all nodes share")


def _looker() -> Callable[[str], Json]:
    """What looks at a node. A function within a function travels whole: the node need not have our packages."""

    def look(token: str) -> dict[str, Any]:
        import sys
        from pathlib import Path

        seen = {"python": sys.executable, "folder": Path(token).exists(), "missing": "", "version": ""}
        try:
            from pipelines.engine.records import version_here

            seen["version"] = version_here()
        except ImportError as error:
            seen["missing"] = str(error)
        return seen

    return look


class _Board:
    """Where tasks tell that they have begun and how far they are; an actor beside the driver, which collects."""

    def __init__(self) -> None:
        self._told: list[tuple[int, int, str, int]] = []

    def tell(self, task: int, attempt: int, kind: str, amount: int) -> None:
        self._told.append((task, attempt, kind, amount))

    def collect(self) -> list[tuple[int, int, str, int]]:
        told, self._told = self._told, []
        return told


def _perform(call: str, board: Any) -> str:
    """In a Ray worker: one task by the local engine that this worker keeps; its outcome as JSON."""
    asked = json.loads(call)
    if asked["version"] != version_here():
        raise StageError(f"{socket.gethostname()} has another version of corpus-foundry than the build began with")
    engine = _local_engine(Path(asked["logs"]) / socket.gethostname())
    task, telling = unpacked(asked["task"]), _Telling(board, asked["number"], asked["attempt"])
    outcomes = engine.run(asked["function"], [task], retries=0, timeout=asked["timeout"], on_event=telling)
    return json.dumps(asdict(outcomes[0]))


@cache
def _local_engine(logs: Path) -> LocalEngine:
    return LocalEngine(1, logs)  # its child dies with this Ray worker


class _Telling:
    """Passes events on to the board, progress in sums of about a second's worth."""

    def __init__(self, board: Any, task: int, attempt: int) -> None:
        self._board, self._task, self._attempt = board, task, attempt
        self._amount, self._last = 0, time.monotonic()

    def __call__(self, event: Event) -> None:
        self._amount += event.amount if event.kind == "progress" else 0
        if event.kind == "started":
            self._board.tell.remote(self._task, self._attempt, "started", 0)
        elif event.kind == "progress" and time.monotonic() - self._last >= _PULSE:
            self._board.tell.remote(self._task, self._attempt, "progress", self._amount)
            self._amount, self._last = 0, time.monotonic()


def _connect(address: str, workers: int | None) -> Any:
    """The module `ray`, connected.

    Raises:
        UsageError: it is not installed, or no cluster is at `address`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError as error:
        raise UsageError(f"--engine ray needs {error.name}: pip install 'corpus-foundry[ray]'") from None
    quiet = {"log_to_driver": False, "logging_level": "critical"}
    if not address:
        ray.init("local", num_cpus=workers, include_dashboard=False, object_store_memory=_LOCAL_STORE, **quiet)
        return ray
    _check_address(address)
    try:
        ray.init(address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise UsageError(
            f"no Ray cluster could be joined at {address}: {_first_line(error)}\n"
            "If it wants a token: RAY_AUTH_MODE=token and RAY_AUTH_TOKEN in the environment"
        ) from None
    return ray


@contextmanager
def _quiet(log: Path) -> Iterator[None]:
    """What Ray's C++ prints while it joins goes to a file: what is wrong is told once, by us."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _check_address(address: str) -> None:
    """Something listens at HOST:PORT. Ray itself would try for a minute."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise UsageError(f"--ray-address {address}: give HOST:PORT as `ray start --head` prints it, on a node of Ray's")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise UsageError(
            f"--ray-address {address}: no Ray cluster answers there ({error.strerror or error}); "
            "leave it out for one on this machine"
        ) from None


def _why(error: BaseException) -> str:
    return f"its Ray worker or node died ({type(error).__name__})"


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
