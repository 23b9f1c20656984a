"""What a task of stage 3 does: rows of extracted documents -> rows that are cleaned, measured and judged, in one pack.

In: the units of the task (`refine.unit_spec`). Out: a pack of rows, and for each unit its keys, a digest of its
verdicts, and where its rows stand. Rows go through the refiner in lists, whichever unit they belong to.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine import Json
from pipelines.engine.records import fingerprint
from pipelines.pack import Slice, plain, read_each, write_pack
from pipelines.policy import REFUSED
from pipelines.preflight import plan_once
from pipelines.quality.profiles import decided_by_profile
from pipelines.stages import Progress, naming
from pipelines.stages.refine import JUDGED
from registry.document import Metadata, make_document
from registry.errors import InputError
from registry.ledger import Verdict, cuts_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipelines.preflight import Plan
    from pipelines.refine import Refined, Refiner
    from registry.document import Document

_VERDICT = ("fate", "stage", "rule", "value", "threshold")
_INPUT_FIELDS = ("source", "uri", "part", "kind", "media_type", "sha256", "title", "date", "licence")


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


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Refine the units of one task, or judge them again, into one pack."""
    from pipelines.refine import together

    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    output = target.with_suffix(".arrow")
    counts, verdicts = [0] * len(spec["units"]), [""] * len(spec["units"])
    with write_pack(output, schema()) as pack:
        for some in together(_given(plan, spec["units"]), lambda one: len(one.row["text"])):
            with naming(_between(spec["units"], some)):
                rows = list(_answers(plan, some))
            for one, row in zip(some, rows, strict=True):
                pack.add(row)
                counts[one.unit] += 1
                verdicts[one.unit] = fingerprint(verdicts[one.unit], [row[name] for name in _VERDICT])
                progress((3 * len(one.row["text"]) + 64) // (1 if one.document else JUDGED))
    units = [
        [unit["key"], unit["measured"], verdict, [first, count, unit["slice"]["size"]]]
        for unit, verdict, first, count in zip(spec["units"], verdicts, [0, *accumulate(counts)], counts, strict=False)
    ]
    return {"outputs": [output.name], "units": units}


def _between(units: list[Json], some: list[_Given]) -> str:
    """The first and the last input of some rows, which are refined by one call."""
    names = [f"{units[one.unit]['source']}/{units[one.unit]['uri']}" for one in (some[0], some[-1])]
    return " to ".join(dict.fromkeys(names))


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


@dataclass(frozen=True, slots=True)
class _Given:
    """A row of the stage before, or one on record that is only to be judged again: that has no document here."""

    unit: int  # the place of its unit in the task
    row: Json
    document: Document | None


def _given(plan: Plan, units: list[Json]) -> Iterator[_Given]:
    slices = read_each(Slice(**unit["slice"]) for unit in units)
    for (place, unit), found in zip(enumerate(units), slices, strict=True):
        for batch in found:
            for row in batch.to_pylist():
                yield _Given(place, row, None if unit["judge_only"] else _document(plan, unit, row))


def _document(plan: Plan, unit: Json, row: Json) -> Document:
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
    return make_document(row["text"], metadata)


def _answers(plan: Plan, given: list[_Given]) -> Iterator[Json]:
    """What becomes of each row."""
    documents = [one.document for one in given if one.document and not one.row["reason"]]
    refined = iter(_refiner(plan).refine_all(documents) if documents else ())
    for one in given:
        if one.document is None:
            yield _judged(plan, one.row)
            continue
        result = _unread(one.row) if one.row["reason"] else _result(next(refined), dict(one.row["measurements"]))
        yield {"id": one.document.id, **one.document.metadata, "metadata": one.row["metadata"], **result}


def _unread(row: Json) -> Json:
    """What became of what has no text: a policy refused it, or no extractor could read it."""
    if row["reason"] == REFUSED:
        verdict = Verdict("policy", row["detail"], 0.0, 1.0)
        return {**_nothing(), "error": "", **_fate(verdict)}
    return _failed("extract", f"{row['reason']}: {row['detail']}" if row["detail"] else row["reason"])


def _failed(stage: str, error: str) -> Json:
    return {**_nothing(), "fate": "failed", "stage": stage, "error": error}


def _fate(verdict: Verdict | None) -> Json:
    if verdict is None:
        return {"fate": "kept", "stage": "", "rule": "", "value": None, "threshold": None}
    return {"fate": "rejected", **asdict(verdict)}


def _result(refined: Refined | InputError, extracted: dict[str, float]) -> Json:
    if isinstance(refined, InputError):
        return _failed("refine", str(refined))
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
