"""What a build will take: tasks, time and disk, from a measured sample of its own inputs.

In: a plan and the inputs that are not extracted yet. Out: a `Forecast`. A few inputs of each source, spread over its
list, go through the very tasks of the build (extract, refine, index, write) in a folder of their own; what they took
per byte is what the rest of their source will take. Finding duplicates among all documents grows with their number and
is not in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json
from pipelines.inventory import Input
from pipelines.pack import Slice
from pipelines.stages import extract, index, refine, refining, resolve, slice_spec, task_bytes, write
from registry.layout import Layout
from registry.publish import replacing

if TYPE_CHECKING:
    from pipelines.preflight import Plan

_LEAST, _MOST = 6, 200  # inputs of each source; few small ones would show little but how long a task takes to start
_BYTES = 2_000_000  # of each source: about a second of HTML, a few of PDF
STAGES = ("extract", "refine", "dedup", "write")


@dataclass(slots=True)
class Sampled:
    """What a sample took, or a whole build will."""

    bytes: int = 0
    text: int = 0  # bytes of the documents, about
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))  # of one worker
    work: int = 0  # bytes of intermediates, at their most
    published: int = 0  # bytes

    def add(self, other: Sampled, times: float) -> None:
        """Add `times` as much of another."""
        self.bytes += round(other.bytes * times)
        self.text += round(other.text * times)
        self.work += round(other.work * times)
        self.published += round(other.published * times)
        for stage, seconds in other.seconds.items():
            self.seconds[stage] += seconds * times


@dataclass(frozen=True, slots=True)
class Forecast:
    """A sample, and what it says of everything that is to be done."""

    inputs: int
    sample: Sampled
    whole: Sampled
    largest: int  # bytes of a task

    def tasks(self, stage: str) -> int:
        """How many tasks a stage will have, about; at least as many as fit their bytes."""
        size = self.whole.bytes if stage == "extract" else self.whole.text
        return -(-size // task_bytes(size, self.largest)) if size else 0

    def seconds(self, workers: int) -> float:
        """How long it will take with so many workers that have each a core to themselves."""
        return sum(self.whole.seconds.values()) / workers


def forecast(plan: Plan, changes: Sequence[str], inputs: Iterable[Input]) -> Forecast:
    """Measure a sample of `inputs`, and say what all of them will take."""
    whole, measured, count = Sampled(), Sampled(), 0
    by_source: dict[str, list[Input]] = {}
    for item in inputs:
        by_source.setdefault(item.source, []).append(item)
    for own in by_source.values():
        chosen = _spread(own)
        with TemporaryDirectory(prefix="corpus-forecast-") as folder:
            sample = _measure(plan, changes, chosen, Path(folder))
        count += len(chosen)
        measured.add(sample, 1)
        whole.add(sample, sum(item.bytes for item in own) / max(1, sample.bytes))
    return Forecast(count, measured, whole, plan.recipe.engine.task_bytes)


def _spread(items: list[Input]) -> list[Input]:
    """A few inputs from all over a list, no more than can be read soon, but one at least."""
    wanted = _BYTES * len(items) // max(1, sum(item.bytes for item in items))
    count = min(max(wanted, _LEAST), _MOST)
    step = max(1, len(items) // count)
    chosen: list[Input] = []
    filled = 0
    for item in items[step // 2 :: step][:count]:
        if not chosen or filled + item.bytes <= _BYTES:
            chosen.append(item)
            filled += item.bytes
    return chosen


def _measure(plan: Plan, changes: Sequence[str], items: list[Input], folder: Path) -> Sampled:
    """What the tasks of the build took for some inputs."""
    sample = Sampled(bytes=sum(item.bytes for item in items))
    spec = {"recipe": str(plan.path.resolve()), "changes": list(changes)}
    wanted = [extract.Wanted(item, str(number)) for number, item in enumerate(items)]
    reading = {**spec, **extract.reading(wanted, Layout(folder))}
    extracted = _timed(sample, "extract", extract.task, reading, folder)
    slices = _slices(folder / "extract.arrow", extracted)
    units = [
        refine.unit_spec(refine.Unit(items[n], i, piece, str(i), str(i)), {}) for i, (n, piece) in enumerate(slices)
    ]
    sample.text = 3 * sum(piece.size for _, piece in slices)
    refining.task({**spec, "units": []}, folder / "warm", lambda _: None)  # loads dictionary and rules, once per worker
    refined = _timed(sample, "refine", refining.task, {**spec, "units": units}, folder)
    pieces = [slice_spec(Slice(str(folder / "refine.arrow"), *place)) for *_, place in refined["units"]]
    _timed(sample, "dedup", index.task, {"slices": pieces, **index.options(plan)}, folder)
    sample.work = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    _write_nothing(folder / "none.arrow")
    write.tokenizer(plan)
    settled = {**spec, "slices": pieces, "deduped": [str(folder / "none.arrow")], "reports": {}, "fast": False}
    _timed(sample, "write", write.task, settled, folder)
    sample.published = sum(path.stat().st_size for path in folder.glob("write.*"))
    return sample


def _timed(sample: Sampled, stage: str, task: Callable[..., Json], spec: Json, folder: Path) -> Json:
    started = time.perf_counter()
    result = task(spec, folder / stage, lambda _: None)
    sample.seconds[stage] += time.perf_counter() - started
    return result


def _slices(pack: Path, result: Json) -> list[tuple[int, Slice]]:
    groups: list[Any] = result["groups"]
    return [(number, Slice(str(pack), *at)) for number, (_, slices) in enumerate(groups) for at in slices]


def _write_nothing(path: Path) -> None:
    """A file of duplicates without any."""
    import pyarrow as pa

    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), resolve.schema()) as writer:
        writer.write_table(resolve.schema().empty_table())
