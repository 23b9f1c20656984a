"""Stage 3: documents -> cleaned, measured, judged documents with what dedup needs of them.

A group of rows is what one slice of one input became, under a key made of the slice's own key, its place in the
sources and everything that judges it. So a changed threshold refines again without extracting again, and a changed
file refines that file alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.inventory import Input
from pipelines.pack import Slice, plain, read_slices, write_pack
from pipelines.policy import REFUSED
from pipelines.preflight import plan_once
from pipelines.stages import Progress, Run, batches, groups_on_record, slice_spec, sweep
from registry.document import Metadata, make_document
from registry.errors import InputError
from registry.ledger import cuts_type

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.preflight import Plan
    from pipelines.refine import Refined, Refiner

CODE = (
    "pipelines.normalize", "pipelines.survey", "pipelines.privacy", "pipelines.suspects", "pipelines.words",
    "pipelines.offsets", "pipelines.quality", "pipelines.items", "pipelines.decontaminate", "pipelines.refine",
    "pipelines.dedup.kernel", "pipelines.dedup.minhash", "pipelines.dedup.shingle", "pipelines.dedup.paragraphs",
    "pipelines.dedup.wrapped", "pipelines.blocks", "pipelines.stages.refine", "registry.document",
    "fugashi==", "unidic-lite==", "datatrove==", "datasketch==", "numba==", "pyarrow==", "zstandard==",
)  # fmt: skip
_INPUT_FIELDS = ("source", "uri", "part", "kind", "media_type", "sha256", "title", "date", "licence")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is refined under one key: a slice of the documents of one input."""

    item: Input
    piece: Slice
    key: str


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


def options_key(plan: Plan) -> str:
    """A fingerprint of all that decides how a document is cleaned, measured and judged, but the document."""
    recipe = plan.recipe
    near = (
        recipe.dedup.near
        if recipe.dedup.near == "off"
        else recipe.dedup.near.model_dump(exclude={"threshold", "containment", "planted"})
    )
    profiles = {kind: [asdict(limit) for limit in profile.limits] for kind, profile in plan.profiles.items()}
    refine = recipe.refine.model_dump(exclude={"profiles"})
    words = sorted((plan.folder / "words").rglob("*"))  # rules read them
    own = [_digest(path) for path in (plan.folder / "rules.py", *words, plan.user_dictionary) if path]
    benchmarks = [_digest(plan.folder / file.path) for file in recipe.decontaminate.against]
    without = [recipe.decontaminate.model_dump(), benchmarks]
    return fingerprint(refine, profiles, near, own, without, code_version(*CODE))


def _digest(path: Path) -> str:
    return fingerprint(path.read_bytes().hex()) if path.is_file() else ""


def refine(run: Run, extracted: list[tuple[Input, str, list[Slice]]]) -> list[tuple[Unit, Slice]]:
    """Every unit with the rows it became, in the order of the inventory."""
    folder = run.layout.stage("refine")
    options = options_key(run.plan)
    sources = {source.name: source for source in run.plan.recipe.sources}
    units = [
        Unit(
            item,
            piece,
            fingerprint(options, key, number, item.source, item.uri, item.sha256, sources[item.source].licence),
        )
        for item, key, slices in extracted
        for number, piece in enumerate(slices)
    ]
    known = groups_on_record(folder)
    missing = [(unit, max(1, 3 * unit.piece.size)) for unit in units if unit.key not in known]
    run.perform(
        "refine",
        f"{__name__}:task",
        [_task(run, batch, folder) for batch in batches(missing, run.plan.recipe.engine.task_bytes)],
        "bytes of text",
    )
    known = groups_on_record(folder)
    found = [(unit, known[unit.key][0]) for unit in units]
    sweep(folder, (piece.path for _, piece in found))
    return found


def _task(run: Run, batch: list[tuple[Any, int]], folder: Path) -> Task:
    units = [unit_spec(unit) for unit, _ in batch]
    spec = {**run.recipe_spec, "units": units}
    return Task(fingerprint([unit["key"] for unit in units]), spec, str(folder), sum(size for _, size in batch))


def unit_spec(unit: Unit) -> Json:
    """A unit as plain data."""
    item = unit.item
    told = {"key": unit.key, "source": item.source, "uri": item.uri, "sha256": item.sha256}
    return {**told, "slice": slice_spec(unit.piece)}


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Refine the units of one task into one pack."""
    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    refiner = _refiner(plan)
    output = target.with_suffix(".arrow")
    groups: list[list[Any]] = []
    with write_pack(output, schema()) as pack:
        for unit in spec["units"]:
            first = pack.count
            for batch in read_slices([Slice(**unit["slice"])]):
                for row in batch.to_pylist():
                    pack.add(_refine_row(plan, refiner, unit, row))
                    progress(3 * len(row["text"]))
            groups.append([unit["key"], [[first, pack.count - first, unit["slice"]["size"]]]])
    return {"outputs": [output.name], "groups": groups}


_refiners: dict[int, Refiner] = {}


def _refiner(plan: Plan) -> Refiner:
    """One per process and plan: MeCab and the rules are loaded once."""
    if id(plan) not in _refiners:
        _refiners[id(plan)] = plan.refiner()
    return _refiners[id(plan)]


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


def _result(refined: Refined, extracted: dict[str, float]) -> Json:
    verdict = refined.verdict
    return {
        "fate": "rejected" if verdict else "kept",
        "stage": verdict.stage if verdict else "",
        "rule": verdict.rule if verdict else "",
        "value": verdict.value if verdict else None,
        "threshold": verdict.threshold if verdict else None,
        "error": "",
        "chars": refined.chars,
        "words": refined.words,
        "measurements": plain({**extracted, **refined.measurements}),
        "cuts": [{"stage": c.stage, "rule": c.rule, "start": c.start, "end": c.end} for c in refined.cuts],
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
