"""Stage 4: sketches -> which document duplicates which.

In: the refined rows that no rule rejected. Out: one Arrow file with a row per duplicate: its id, the survivor's, and
the exact similarity. The survivor is the best by (source priority, quality, length, id), so neither the order of the
inputs nor the number of workers can change it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice, read_slices
from pipelines.stages import Progress, Run, slice_spec, sweep
from pipelines.stages.refine import Unit
from registry.publish import replacing

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.dedup.near import Duplicates

CODE = ("pipelines.dedup", "pipelines.stages.dedup", "numba==", "numpy==", "scipy==", "pyarrow==")
_COLUMNS = ("id", "source", "fate", "chars", "measurements", "content", "signature", "shingles")


def schema() -> pa.Schema:
    """One row per duplicate, sorted by id. `rule` is "exact" or "near"."""
    import pyarrow as pa

    names = [pa.field(name, pa.string()) for name in ("id", "duplicate_of", "rule")]
    return pa.schema([*names, pa.field("similarity", pa.float64())])


def dedup(run: Run, refined: list[tuple[Unit, Slice]]) -> Path:
    """The file of duplicates."""
    folder = run.layout.stage("dedup")
    near = run.plan.recipe.dedup.near
    options = None if near == "off" else near.model_dump()
    priority = {source.name: source.priority for source in run.plan.recipe.sources}
    name = fingerprint([unit.key for unit, _ in refined], options, priority, code_version(*CODE))
    spec = {"slices": [slice_spec(piece) for _, piece in refined], "near": options, "priority": priority}
    rows = sum(piece.rows for _, piece in refined)
    run.perform("dedup", f"{__name__}:task", [Task(name, spec, str(folder), rows)], "documents")
    sweep(folder, [name])
    return folder / f"{name}.arrow"


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Find all duplicates among the documents of `spec`."""
    import numpy as np
    import pyarrow as pa

    from pipelines.dedup.near import find_duplicates
    from pipelines.dedup.survivors import rank

    columns = _gather([Slice(**piece) for piece in spec["slices"]], progress)
    ids = columns["id"]
    order = rank(
        np.array([spec["priority"][source] for source in columns["source"]], dtype=np.int64),
        np.array(columns["quality"], dtype=np.float64),
        np.array(columns["chars"], dtype=np.int64),
        ids,
    )
    near = spec["near"] or {"threshold": None, "bands": 1, "rows": 1}
    found = find_duplicates(
        np.frombuffer(b"".join(columns["content"]), dtype=np.uint64).reshape(len(ids), 2),
        _matrix(columns["signature"], near["bands"] * near["rows"]),
        np.frombuffer(b"".join(columns["shingles"]), dtype=np.uint32),
        np.concatenate([[0], np.cumsum([len(s) // 4 for s in columns["shingles"]], dtype=np.int64)]).astype(np.int64),
        order,
        threshold=near["threshold"],
        bands=near["bands"],
        rows=near["rows"],
    )
    content = columns["content"]
    rows = [
        {
            "id": name,
            "duplicate_of": ids[winner],
            "rule": "exact" if content[i] == content[winner] else "near",
            "similarity": similarity,
        }
        for name, i, winner, similarity in _losers(ids, found)
    ]
    output = target.with_suffix(".arrow")
    with replacing(output) as temporary, pa.ipc.new_file(str(temporary), schema()) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema()))
    return {"outputs": [output.name], "duplicates": len(rows)}


def _losers(ids: list[str], found: Duplicates) -> list[tuple[str, int, int, float]]:
    """(id, index, index of the survivor, similarity) of every duplicate, sorted by id."""
    survivors, similarity = found.survivor.tolist(), found.similarity.tolist()
    return sorted((ids[i], i, winner, similarity[i]) for i, winner in enumerate(survivors) if winner >= 0)


def _gather(slices: list[Slice], progress: Progress) -> dict[str, list[Any]]:
    """The columns of all documents that are still in the running."""
    names = ("id", "source", "chars", "quality", "content", "signature", "shingles")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for batch in read_slices(slices, _COLUMNS):
        for row in batch.to_pylist():
            if row["fate"] == "kept":
                row["quality"] = dict(row["measurements"])["quality"]
                for name, values in columns.items():
                    values.append(row[name])
        progress(batch.num_rows)
    return columns


def _matrix(signatures: list[bytes], lanes: int) -> Any:
    import numpy as np

    lanes = len(signatures[0]) // 4 if signatures else lanes  # no document may be left for this stage
    return np.frombuffer(b"".join(signatures), dtype=np.uint32).reshape(len(signatures), lanes)
