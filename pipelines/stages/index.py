"""Stage 4, first step: refined rows -> indexes, in which duplicates are searched and which a build publishes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice, read_slices
from pipelines.stages import Progress, Run, lasting_batches, slice_spec, weight
from pipelines.stages.refine import Unit

if TYPE_CHECKING:
    from pipelines.dedup.index import Sketched
    from pipelines.preflight import Plan

CODE = (
    "pipelines.dedup.index", "pipelines.dedup.kernel", "pipelines.dedup.rounds", "pipelines.dedup.survivors",
    "pipelines.stages.index", "numba==", "numpy==", "pyarrow==",
)  # fmt: skip
_COLUMNS = ("id", "source", "fate", "chars", "measurements", "content", "form", "figures", "signature", "shingles")


def index(run: Run, refined: list[tuple[Unit, Slice]]) -> list[Json]:
    """The indexes: path, rows, bytes and digest of each."""
    folder = run.layout.stage("dedup")
    chosen = options(run.plan)
    key = fingerprint(chosen["bands"], chosen["priority"], code_version(*CODE))
    pieces = [((unit.place, unit.key, piece), weight(piece)) for unit, piece in refined]
    tasks = []
    for batch in lasting_batches(pieces, run.plan.recipe.engine.task_bytes):
        slices = [slice_spec(piece) for (_, _, piece), _ in batch]
        name = fingerprint("index", key, [own for (_, own, _), _ in batch])
        tasks.append(Task(name, {"slices": slices, **chosen}, str(folder), sum(piece["rows"] for piece in slices)))
    results = run.perform("dedup", f"{__name__}:task", tasks, "documents", step="indexes")
    return [result["index"] for result in results]


def options(plan: Plan) -> Json:
    """What an index depends on besides its rows."""
    near = plan.recipe.dedup.near
    bands = [0, 0] if near == "off" else [near.bands, near.rows]
    return {"bands": bands, "priority": {source.name: source.priority for source in plan.recipe.sources}}


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the index of some refined rows."""
    from pipelines.dedup.index import columns_of, write_index

    sketched = _gather([Slice(**piece) for piece in spec["slices"]], spec["priority"], progress)
    bands, rows = spec["bands"]
    output = target.with_suffix(".arrow")
    write_index(output, columns_of(sketched, bands=bands, rows=rows))
    with output.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told = {"path": output.name, "rows": len(sketched.signatures), "bytes": output.stat().st_size, "sha256": sha256}
    return {"outputs": [output.name], "index": told}


def _gather(slices: list[Slice], priority: dict[str, int], progress: Progress) -> Sketched:
    """The documents of the slices that are still in the running."""
    import numpy as np

    from pipelines.dedup.index import Sketched
    from pipelines.dedup.survivors import halves, merit

    columns: dict[str, list[Any]] = {name: [] for name in (*_COLUMNS, "priority", "quality")}
    for batch in read_slices(slices, _COLUMNS):
        for row in batch.to_pylist():
            if row["fate"] == "kept":
                row |= {"quality": dict(row["measurements"])["quality"], "priority": priority[row["source"]]}
                for name, values in columns.items():
                    values.append(row[name])
        progress(batch.num_rows)
    count = len(columns["id"])
    id_high, id_low = halves(bytes.fromhex("".join(columns["id"])))
    content_high, content_low = halves(b"".join(columns["content"]))
    quality, chars = np.array(columns["quality"], np.float64), np.array(columns["chars"], np.int64)
    facts = {
        "id_high": id_high,
        "id_low": id_low,
        "content_high": content_high,
        "content_low": content_low,
        "merit": merit(np.array(columns["priority"], np.int64), quality, chars),
        "form": np.array(columns["form"], np.uint64),
        "figures": np.array(columns["figures"], np.uint64),
    }
    lanes = len(columns["signature"][0]) // 4 if count else 1
    return Sketched(
        facts,
        np.frombuffer(b"".join(columns["signature"]), np.uint32).reshape(count, lanes),
        np.frombuffer(b"".join(columns["shingles"]), np.uint32),
        np.cumsum([0, *(len(shingles) // 4 for shingles in columns["shingles"])], dtype=np.int64),
    )
