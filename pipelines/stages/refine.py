"""Stage 3: documents -> cleaned, measured, judged documents with what dedup needs of them.

A group of rows is what one slice of one input became. It has two keys on record: of what was measured (the slice's own
key, its place in the sources, every option and line of code that cleans and measures) and of what judged it besides. A
changed file is refined alone; where nothing but thresholds changed, the rows on record are judged again from the
measurements that they hold, and nothing is read, cleaned or measured. To later stages a group has a third key, of what
was measured and of the verdicts: where other thresholds judge as before, nothing follows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.inventory import Input
from pipelines.pack import Slice, plain, read_each, write_pack
from pipelines.policy import REFUSED
from pipelines.preflight import plan_once
from pipelines.quality.profiles import decided_by_profile
from pipelines.stages import Progress, Run, batches, naming, results_on_record, slice_spec, sweep, weight
from registry.document import Metadata, make_document
from registry.errors import InputError
from registry.ledger import cuts_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from pipelines.preflight import Plan
    from pipelines.refine import Refined, Refiner
    from registry.ledger import Verdict

CODE = (
    "pipelines.normalize", "pipelines.survey", "pipelines.privacy", "pipelines.suspects", "pipelines.words",
    "pipelines.offsets", "pipelines.quality", "pipelines.items", "pipelines.decontaminate", "pipelines.refine",
    "pipelines.dedup.folding", "pipelines.dedup.kernel", "pipelines.dedup.minhash", "pipelines.dedup.shingle",
    "pipelines.dedup.paragraphs", "pipelines.dedup.wrapped", "pipelines.blocks", "pipelines.stages.refine",
    "registry.document", "fugashi==", "unidic-lite==", "datatrove==", "datasketch==", "numba==", "pyarrow==",
    "zstandard==",
)  # fmt: skip
_JUDGED = 48  # how much less it takes to judge a document than to measure it
_VERDICT = ("fate", "stage", "rule", "value", "threshold")
_INPUT_FIELDS = ("source", "uri", "part", "kind", "media_type", "sha256", "title", "date", "licence")


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


def schema() -> pa.Schema:
    """Rows of a pack: all that the ledger will say of a document but its duplicates and tokens; and the sketch."""
    import pyarrow as pa

    texts = ["id", *_INPUT_FIELDS, "fate", "stage", "rule", "error"]
    return pa.schema(
        [
            *(pa.field(name, pa.string()) for name in texts),
            pa.field("value", pa.float64()),
            pa.field("threshold", pa.float64()),
            pa.field("chars", pa.int64()),
            pa.field("words", pa.int64()),
            pa.field("measurements", pa.map_(pa.string(), pa.float64())),
            pa.field("cuts", cuts_type()),
            pa.field("metadata", pa.map_(pa.string(), pa.string())),
            pa.field("text", pa.large_string()),
            pa.field("content", pa.binary()),
            pa.field("form", pa.uint64()),
            pa.field("figures", pa.uint64()),
            pa.field("paragraphs", pa.binary()),
            pa.field("signature", pa.binary()),
            pa.field("shingles", pa.large_binary()),
        ]
    )


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
    weighed = [(unit, weight(unit.piece) // (_JUDGED if unit.measured in known.measured else 1)) for unit in missing]
    cut = batches(weighed, run.plan.recipe.engine.task_bytes)
    tasks = (_task(run, batch, folder, known.measured) for batch in cut)
    run.perform("refine", f"{__name__}:task", tasks, "bytes of text")
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


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Refine the units of one task, or judge them again, into one pack."""
    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    output = target.with_suffix(".arrow")
    units: list[list[Any]] = []
    with write_pack(output, schema()) as pack:
        slices = read_each(Slice(**unit["slice"]) for unit in spec["units"])
        for unit, found in zip(spec["units"], slices, strict=True):
            first, verdicts = pack.count, []
            with naming(f"{unit['source']}/{unit['uri']}"):
                for row in _refined_rows(plan, unit, found, progress):
                    pack.add(row)
                    verdicts.append([row[name] for name in _VERDICT])
            place = [first, pack.count - first, unit["slice"]["size"]]
            units.append([unit["key"], unit["measured"], fingerprint(verdicts), place])
    return {"outputs": [output.name], "units": units}


def _refined_rows(plan: Plan, unit: Json, found: Iterable[pa.RecordBatch], progress: Progress) -> Iterator[Json]:
    judge_only = unit["judge_only"]
    for batch in found:
        for row in batch.to_pylist():
            yield _judged(plan, row) if judge_only else _refine_row(plan, _refiner(plan), unit, row)
            progress((3 * len(row["text"]) + 64) // (_JUDGED if judge_only else 1))


_refiners: dict[int, Refiner] = {}


def _refiner(plan: Plan) -> Refiner:
    """One per process and plan: MeCab and the rules are loaded once."""
    if id(plan) not in _refiners:
        _refiners[id(plan)] = plan.refiner()
    return _refiners[id(plan)]


def _judged(plan: Plan, row: Json) -> Json:
    """A refined row, judged by other thresholds."""
    if not decided_by_profile(row):
        return row
    return {**row, **_fate(plan.profiles[row["kind"]].judge(dict(row["measurements"])))}


def _refine_row(plan: Plan, refiner: Refiner, unit: Json, row: Json) -> Json:
    source = next(s for s in plan.recipe.sources if s.name == unit["source"])
    metadata = Metadata(
        source=source.name,
        uri=unit["uri"],
        part=row["part"],
        kind=source.kind,
        media_type=row["media_type"],
        sha256=unit["sha256"],
        title=row["title"],
        date=row["date"],
        licence=source.licence,
    )
    document = make_document(row["text"], metadata)
    told = {"id": document.id, **metadata, "metadata": row["metadata"]}
    if row["reason"] == REFUSED:
        return {**_nothing(), **told, "fate": "rejected", "stage": "policy", "rule": row["detail"], "error": "",
                "value": 0.0, "threshold": 1.0}  # fmt: skip
    if row["reason"]:
        error = f"{row['reason']}: {row['detail']}" if row["detail"] else row["reason"]
        return {**_nothing(), **told, "fate": "failed", "stage": "extract", "error": error}
    try:
        refined = refiner.refine(document)
    except InputError as error:
        return {**_nothing(), **told, "fate": "failed", "stage": "refine", "error": str(error)}
    return {**told, **_result(refined, dict(row["measurements"]))}


def _fate(verdict: Verdict | None) -> Json:
    if verdict is None:
        return {"fate": "kept", "stage": "", "rule": "", "value": None, "threshold": None}
    return {"fate": "rejected", **asdict(verdict)}


def _result(refined: Refined, extracted: dict[str, float]) -> Json:
    return {
        **_fate(refined.verdict),
        "error": "",
        "chars": refined.chars,
        "words": refined.words,
        "measurements": plain({**extracted, **refined.measurements}),
        "cuts": [asdict(cut) for cut in refined.cuts],
        "text": refined.text,
        "content": refined.content,
        "form": refined.sketch.form,
        "figures": refined.sketch.figures,
        "paragraphs": refined.paragraphs,
        "signature": refined.sketch.signature.tobytes(),
        "shingles": refined.sketch.shingles.tobytes(),
    }


def _nothing() -> Json:
    numbers: Json = {"value": None, "threshold": None, "form": 0, "figures": 0}
    empty: Json = dict.fromkeys(("content", "paragraphs", "signature", "shingles"), b"")
    return {"rule": "", **numbers, "chars": 0, "words": 0, "measurements": [], "cuts": [], "text": "", **empty}
