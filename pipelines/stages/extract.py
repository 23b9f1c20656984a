"""Stage 2: inputs -> packs of documents.

A group of rows is what one input's bytes gave, under a key made of these bytes, the extractor's options and code, and
what the source says of the kind of text. The same file under another name, or in a later build, is not read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.extract import Failure, Part, Raw
from pipelines.extract.archive import Unpacker
from pipelines.extract.sandbox import Sandbox
from pipelines.extract.sniff import sniff
from pipelines.inventory import Input
from pipelines.pack import PackWriter, Slice, plain, write_pack
from pipelines.policy import REFUSED, forbids, reserved
from pipelines.preflight import plan_once
from pipelines.stages import Progress, Run, batches, groups_on_record, sweep
from registry.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.preflight import Plan
    from registry.layout import Layout

CODE = (
    "pipelines.extract", "pipelines.blocks", "pipelines.policy", "pipelines.stages.extract",
    "lxml==", "trafilatura==", "resiliparse==", "pdfplumber==", "pypdfium2==", "datatrove==", "pyarrow==",
)  # fmt: skip
_SLICE_ROWS = 2000  # a slice is what one refine task takes at least
_SLICE_CHARACTERS = 4 << 20


def schema() -> pa.Schema:
    """Rows of a pack: documents, and places that could not be read (`reason` is not empty)."""
    import pyarrow as pa

    texts = ["part", "text", "title", "date", "media_type", "reason", "detail"]
    maps = [
        pa.field("metadata", pa.map_(pa.string(), pa.string())),
        pa.field("measurements", pa.map_(pa.string(), pa.float64())),
    ]
    return pa.schema([pa.field(name, pa.large_string() if name == "text" else pa.string()) for name in texts] + maps)


def key(plan: Plan, item: Input) -> str:
    """Names what extracting `item` gives."""
    source = next(s for s in plan.recipe.sources if s.name == item.source)
    records = [source.text, source.title, source.date, source.id]
    where = item.uri if item.error else Path(item.uri).suffix
    limits = plan.recipe.extract.limits.model_dump()
    policy = plan.recipe.policy
    allowed = [forbids(policy, source), policy.reservations]
    return fingerprint(
        item.sha256, where, allowed, source.kind, records, plan.recipe.extract.formats, limits, code_version(*CODE)
    )


def extract(run: Run, inputs: list[Input]) -> list[tuple[Input, str, list[Slice]]]:
    """Every input with the key and the slices of its documents, in the order of the inventory."""
    folder = run.layout.stage("extract")
    keyed = [(item, key(run.plan, item)) for item in inputs]
    known = groups_on_record(folder)
    fresh = {k: item for item, k in reversed(keyed) if k not in known}
    missing = [((item, k), item.bytes) for item, k in keyed if fresh.get(k) is item]
    run.perform("extract", f"{__name__}:task", [_task(run, batch, folder) for batch in batches(missing)], "bytes")
    known = groups_on_record(folder)
    found = [(item, k, known[k]) for item, k in keyed]
    sweep(folder, (piece.path for _, _, slices in found for piece in slices))
    return found


def missing(plan: Plan, layout: Layout, inputs: list[Input]) -> list[Input]:
    """The inputs whose documents are not on record yet."""
    known = groups_on_record(layout.stage("extract"))
    return [item for item in inputs if key(plan, item) not in known]


def _task(run: Run, batch: list[tuple[Any, int]], folder: Path) -> Task:
    items = [
        {
            "key": k,
            "path": str(item.path.resolve()),
            "uri": item.uri,
            "source": item.source,
            "sha256": item.sha256,
            "bytes": item.bytes,
            "member": item.member,
            "error": item.error,
        }
        for (item, k), _ in batch
    ]
    spec = {**run.recipe_spec, "inputs": items, "log": str(run.layout.logs / "parsers.log")}
    return Task(fingerprint([item["key"] for item in items]), spec, str(folder), max(1, sum(size for _, size in batch)))


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Extract the inputs of one task into one pack."""
    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    limits = plan.recipe.extract.limits
    output = target.with_suffix(".arrow")
    groups: list[Json | list[Any]] = []
    with (
        TemporaryDirectory() as scratch,
        Sandbox(Path(spec["log"]), seconds=limits.seconds, memory=limits.bytes) as sandbox,
        write_pack(output, schema()) as pack,
    ):
        unpacker = Unpacker(Path(scratch))
        for item in spec["inputs"]:
            rows = _rows(plan, sandbox, item, unpacker)
            groups.append([item["key"], _add(rows, pack)])
            progress(item["bytes"])
    return {"outputs": [output.name], "groups": groups}


def _add(rows: Iterator[dict[str, Any]], pack: PackWriter) -> list[list[int]]:
    """Add all rows of one input; returns its slices as (first, rows, characters)."""
    slices = [[pack.count, 0, 0]]
    for row in rows:
        if slices[-1][1] >= _SLICE_ROWS or slices[-1][2] >= _SLICE_CHARACTERS:
            slices.append([pack.count, 0, 0])
        pack.add(row)
        slices[-1][1] += 1
        slices[-1][2] += len(row["text"])
    return slices


def _rows(plan: Plan, sandbox: Sandbox, item: Json, unpacker: Unpacker) -> Iterator[dict[str, Any]]:
    """Rows of one input: at least one, whatever happens."""
    media_type = ""
    parts: set[str] = set()
    policy = plan.recipe.policy
    source = next(s for s in plan.recipe.sources if s.name == item["source"])
    if rule := forbids(policy, source):
        yield _row(Failure(REFUSED, rule), media_type)
        return
    try:
        path = _local(item, unpacker)
        sniffed = _sniff_unchanged(path, item["sha256"])
        media_type = sniffed.media_type
        if rule := reserved(policy, path, media_type):
            yield _row(Failure(REFUSED, rule), media_type)
            return
        raw = Raw(path, item["uri"], source.kind, media_type)
        for found in sandbox.extract(raw, sniffed.format, plan.options(sniffed.format, source)):
            if found.part in parts:
                found = Failure("repeated_part", f"a second {found.part!r}", f"{found.part}#{len(parts)}")  # noqa: PLW2901
            parts.add(found.part)
            yield _row(found, media_type)
        if not parts:
            yield _row(Failure("empty", "no document in it"), media_type)
    except InputError as error:
        part = f"after {len(parts)}" if parts else ""
        yield _row(Failure(error.reason, error.detail, part), media_type)
    except OSError as error:
        yield _row(Failure("unreadable", error.strerror or type(error).__name__), media_type)


def _local(item: Json, unpacker: Unpacker) -> Path:
    """Where the bytes of an input lie; a member of an archive is unpacked first.

    Raises:
        InputError: the reason that the inventory found, or what is wrong with the archive now.
    """
    reason, _, detail = item["error"].partition(": ")
    if detail:
        raise InputError(reason, detail)
    path = Path(item["path"])
    return unpacker.fetch(path, item["member"]) if item["member"] else path


def _sniff_unchanged(path: Path, sha256: str) -> Any:
    with path.open("rb") as file:
        now = hashlib.file_digest(file, "sha256").hexdigest()
    if now != sha256:
        raise InputError("changed", "the file changed while the build ran; build again")
    return sniff(path)


def _row(found: Part | Failure, media_type: str) -> dict[str, Any]:
    row: dict[str, Any] = {"part": found.part, "media_type": media_type}
    if isinstance(found, Failure):
        empty: dict[str, Any] = {"text": "", "title": "", "date": "", "metadata": [], "measurements": []}
        return {**row, **empty, "reason": found.reason, "detail": found.detail}
    text = found.text.encode("utf-8", "replace").decode("utf-8")  # Arrow has no lone surrogates
    maps = {"metadata": plain(found.metadata), "measurements": plain(found.measurements)}
    return {**row, **maps, "text": text, "title": found.title, "date": found.date, "reason": "", "detail": ""}
