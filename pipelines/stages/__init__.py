"""The stages between the inventory and the report, each a pair: what is to do (in the driver), and how (in a worker).

    extract.py      inputs -> packs of documents, keyed by content: an unchanged file is never read twice
    refine.py       documents -> cleaned, measured, judged documents with their sketches
    dedup.py        sketches -> which document duplicates which
    write.py        everything -> parquet files, ledger and shards, in a fixed order

A stage never asks "is this folder finished?" but "is there a record for this key?". Keys are fingerprints of the
input's bytes, the options and the code, so a changed option, file or line of code does exactly that part again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Engine, Json, Task
from pipelines.engine.progress import shown
from pipelines.engine.records import fingerprint, read_record
from pipelines.engine.taskfile import TaskFile
from pipelines.pack import Slice
from registry.errors import StageError
from registry.mirror import drop, mirror_of, names_in, pull

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.preflight import Plan
    from registry.layout import Layout

Progress = Callable[[int], None]

_SMALL_TASK = 256 << 10  # bytes: below this a task costs more to hand out than to do
_SPREAD = 64  # tasks wanted of a corpus that is large enough for it


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a build: the plan, where it writes, who does the work and who watches."""

    plan: Plan
    changes: tuple[str, ...]
    layout: Layout
    engine: Engine
    console: Console

    @property
    def recipe_spec(self) -> Json:
        """What a worker needs to make the same plan."""
        return {"recipe": str(self.plan.path.resolve()), "changes": list(self.changes)}

    def perform(self, stage: str, function: str, tasks: Iterable[Task], unit: str, *, step: str = "") -> Iterator[Json]:
        """The results of `tasks` in their order, each read when it is asked for; what is on record is not done again.

        A stage of several steps says which, for whoever watches.

        Raises:
            StageError: some could not be done. The others are done and stay.
        """
        folder = self.layout.stage(stage)
        pull(folder, ".json")
        names, missing, weight = bytearray(), TaskFile(self.layout.work), 0
        for task in tasks:
            names += bytes.fromhex(task.id)
            if read_record(folder, task.id) is None:
                missing.append(self._equipped(task))
                weight += task.weight
        if missing:
            options, called = self.plan.recipe.engine, f"{stage}, {step}" if step else stage
            with shown(self.console, called, len(missing), weight, unit) as on_event:
                outcomes = self.engine.run(
                    function, missing, retries=options.retries, timeout=options.timeout, on_event=on_event
                )
            if bad := outcomes.bad():
                raise StageError(
                    f"{called}: {len(bad)} of {len(names) // 16} tasks could not be done: {bad[0].error}\n"
                    f"What was done is kept; mend the cause and run the same command again. Logs: {self.layout.logs}"
                )
            pull(folder, ".json")
        return (self._result(folder, names[at : at + 16].hex()) for at in range(0, len(names), 16))

    def _equipped(self, task: Task) -> Task:
        """A task with what every worker has to know: where the build is kept, and how much memory it may take."""
        mirror = mirror_of(self.layout.root)
        around: Json = {"memory": self.plan.recipe.engine.bytes}
        if mirror is not None:
            around["storage"] = {"root": str(mirror.root), "url": mirror.storage.url}
        return replace(task, spec={**task.spec, **around})

    def _result(self, folder: Path, task: str) -> Json:
        result = read_record(folder, task)
        if result is None:
            raise StageError(f"{folder}: the record of a finished task has vanished; run the same command again")
        return result


@contextmanager
def naming(place: str) -> Iterator[None]:
    """An exception in the block is told with the place at which work was."""
    try:
        yield
    except Exception as error:
        error.add_note(f"at {place}")
        raise


def results_on_record(folder: Path) -> Iterator[Json]:
    """The result of every finished task whose outputs are still whole."""
    pull(folder, ".json")
    for path in names_in(folder):
        result = read_record(folder, path.stem) if path.suffix == ".json" else None
        if result is not None:
            yield result


def weight(piece: Slice) -> int:
    """Bytes of a slice of documents: of its text, about, and of what is on record for each of them besides."""
    return 3 * piece.size + 64 * piece.rows


def task_bytes(total: int, largest: int) -> int:
    """How large tasks of `total` bytes are: a power of two, so that a file more or less seldom changes it."""
    wanted = max(total // _SPREAD, _SMALL_TASK)
    return min(1 << (wanted.bit_length() - 1), largest)


def batches(items: Iterable[tuple[Any, int]], largest: int) -> Iterator[list[tuple[Any, int]]]:
    """Cut (item, bytes) pairs into runs of about equal size; the cut depends on nothing but the pairs."""
    pairs = list(items)
    target = task_bytes(sum(size for _, size in pairs), largest)
    batch: list[tuple[Any, int]] = []
    filled = 0
    for item, size in pairs:
        if batch and filled + size > target:
            yield batch
            batch, filled = [], 0
        batch.append((item, size))
        filled += size
    if batch:
        yield batch


def lasting_batches(items: Iterable[tuple[Any, int]], largest: int) -> Iterator[list[tuple[Any, int]]]:
    """As `batches`, cut so that an item more or less changes its own run and seldom more than the next.

    An item begins with its name. A run ends before the smallest hash of a name among the places where it would have
    between half and all of the wanted size (content-defined chunking); after a change the cuts soon fall as before.
    """
    pairs = list(items)
    target = task_bytes(sum(size for _, size in pairs), largest)
    first = 0
    while first < len(pairs):
        filled, place, places = 0, first, []
        while place < len(pairs) and (filled + pairs[place][1] <= target or place == first):
            if place > first and filled >= target // 2:
                places.append(place)
            filled += pairs[place][1]
            place += 1
        if place < len(pairs):
            place = min([*places, place], key=lambda at: fingerprint(pairs[at][0][0]))
        yield pairs[first:place]
        first = place


def slice_spec(piece: Slice) -> Json:
    """A slice as plain data."""
    return {"path": piece.path, "first": piece.first, "rows": piece.rows, "size": piece.size}


def sweep(folder: Path, keep: Iterable[str]) -> None:
    """Delete the outputs and records of `folder` that no longer serve: all but the packs (or task ids) in `keep`."""
    names = {Path(name).name.partition(".")[0] for name in keep}
    drop(path for path in names_in(folder) if path.name.partition(".")[0] not in names)
