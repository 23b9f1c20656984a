"""Stage 3: documents -> cleaned, measured, judged documents with what dedup needs of them.

A group of rows is what one slice of one input became. It has two keys on record: of what was measured (the slice's own
key, its place in the sources, every option and line of code that cleans and measures) and of what judged it besides. A
changed file is refined alone; where nothing but thresholds changed, the rows on record are judged again from the
measurements that they hold, and nothing is read, cleaned or measured. To later stages a group has a third key, of what
was measured and of the verdicts: where other thresholds judge as before, nothing follows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.inventory import Input
from pipelines.pack import Slice
from pipelines.stages import Run, batches, results_on_record, slice_spec, sweep, weight

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.preflight import Plan

CODE = (
    "pipelines.normalize", "pipelines.survey", "pipelines.privacy", "pipelines.suspects", "pipelines.words",
    "pipelines.offsets", "pipelines.quality", "pipelines.items", "pipelines.content", "pipelines.decontaminate",
    "pipelines.refine", "pipelines.dedup.folding", "pipelines.dedup.kernel", "pipelines.dedup.minhash",
    "pipelines.dedup.shingle", "pipelines.dedup.paragraphs", "pipelines.dedup.wrapped", "pipelines.blocks",
    "pipelines.stages.refine", "pipelines.stages.refining", "registry.document", "fugashi==", "unidic-lite==",
    "datatrove==", "datasketch==", "numba==", "pyarrow==", "zstandard==",
)  # fmt: skip
JUDGED = 48  # how much less it takes to judge a document than to measure it


@dataclass(frozen=True, slots=True)
class Unit:
    """What is refined under one key: a slice of the documents of one input."""

    item: Input
    number: int  # of the slice within its input
    piece: Slice
    measured: str  # key of its cleaned and measured rows, whatever judges them
    key: str  # of the rows: at first by what judges them, then by how they were judged

    @property
    def place(self) -> tuple[str, str, int]:
        """Where it stands in the sources: what work is cut by, so that the cuts stay whatever is done with it."""
        return self.item.source, self.item.uri, self.number


def measuring_key(plan: Plan) -> str:
    """A fingerprint of all that decides how a document is cleaned and measured, but the document."""
    recipe = plan.recipe
    near = (
        recipe.dedup.near
        if recipe.dedup.near == "off"
        else recipe.dedup.near.model_dump(exclude={"threshold", "containment", "planted"})
    )
    options = {
        kind: {limit.rule: dict(limit.options) for limit in profile.limits if limit.options}
        for kind, profile in plan.profiles.items()
    }
    refine = recipe.refine.model_dump(exclude={"profiles"})
    words = sorted((plan.folder / "words").rglob("*"))  # rules read them
    own = [_digest(path) for path in (plan.folder / "rules.py", *words, plan.user_dictionary, plan.salt_file) if path]
    benchmarks = [_digest(plan.folder / file.path) for file in recipe.decontaminate.against]
    without = [recipe.decontaminate.model_dump(), benchmarks]
    return fingerprint(refine, options, near, own, without, code_version(*CODE))


def judging_key(plan: Plan) -> str:
    """A fingerprint of the thresholds, in the order in which they judge."""
    limits = {
        kind: [(limit.rule, limit.at_least, limit.at_most) for limit in profile.limits]
        for kind, profile in plan.profiles.items()
    }
    return fingerprint(limits)


def _digest(path: Path) -> str:
    return fingerprint(path.read_bytes().hex()) if path.is_file() else ""


def refine(run: Run, extracted: list[tuple[Input, str, list[Slice]]]) -> list[tuple[Unit, Slice]]:
    """Every unit with the rows it became, in the order of the inventory."""
    folder = run.layout.stage("refine")
    units = list(_units(run.plan, extracted))
    known = _Known(folder)
    missing = [unit for unit in units if unit.key not in known.judged]
    weighed = [(unit, weight(unit.piece) // (JUDGED if unit.measured in known.measured else 1)) for unit in missing]
    cut = batches(weighed, run.plan.recipe.engine.task_bytes)
    tasks = (_task(run, batch, folder, known.measured) for batch in cut)
    run.perform("refine", "pipelines.stages.refining:task", tasks, "bytes of text")
    judged = _Known(folder).judged if missing else known.judged
    found = []
    for unit in units:
        piece, verdicts = judged[unit.key]
        found.append((replace(unit, key=fingerprint(unit.measured, verdicts)), piece))
    sweep(folder, (piece.path for _, piece in found))
    return found


class _Known:
    """What was refined so far: rows and a digest of their verdicts by what judged them, rows by what was measured."""

    def __init__(self, folder: Path) -> None:
        self.judged: dict[str, tuple[Slice, str]] = {}
        self.measured: dict[str, Slice] = {}
        for result in results_on_record(folder):
            pack = str(folder / result["outputs"][0])
            for key, measured, verdicts, place in result.get("units", []):
                self.measured[measured] = piece = Slice(pack, *place)
                self.judged[key] = piece, verdicts


def _units(plan: Plan, extracted: list[tuple[Input, str, list[Slice]]]) -> Iterator[Unit]:
    measuring, judging = measuring_key(plan), judging_key(plan)
    licences = {source.name: source.licence for source in plan.recipe.sources}
    for item, key, slices in extracted:
        for number, piece in enumerate(slices):
            place = (key, number, item.source, item.uri, item.sha256, licences[item.source])
            measured = fingerprint(measuring, *place)
            yield Unit(item, number, piece, measured, fingerprint(judging, measured))


def _task(run: Run, batch: list[tuple[Any, int]], folder: Path, measured: dict[str, Slice]) -> Task:
    units = [unit_spec(unit, measured) for unit, _ in batch]
    spec = {**run.recipe_spec, "units": units}
    return Task(fingerprint([unit["key"] for unit in units]), spec, str(folder), sum(size for _, size in batch))


def unit_spec(unit: Unit, measured: Mapping[str, Slice]) -> Json:
    """A unit as plain data: what to measure, or what was measured by its key and is only to be judged."""
    item = unit.item
    again = unit.measured in measured
    return {
        "key": unit.key,
        "measured": unit.measured,
        "source": item.source,
        "uri": item.uri,
        "sha256": item.sha256,
        "slice": slice_spec(measured[unit.measured] if again else unit.piece),
        "judge_only": again,
    }
