"""Stage 4, second half: which paragraphs of the kept documents stand in many of them, and which of these go.

In: the refined rows and the file of duplicates (a duplicate's paragraphs do not count: it is gone). Out: one Arrow file
per range of hashes, with a row per repeated paragraph of a document: where it is, in how many documents it stands, and
whether it is cut. It stays in the best documents, as many as the recipe says for the kind of text.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice, read_slices
from pipelines.stages import Progress, Run, slice_spec
from pipelines.stages.refine import Unit
from registry.publish import replacing

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

CODE = (
    "pipelines.dedup.kernel",
    "pipelines.dedup.paragraphs",
    "pipelines.dedup.survivors",
    "pipelines.stages.paragraphs",
    "numpy==",
    "pyarrow==",
)
_COLUMNS = ("id", "source", "kind", "fate", "chars", "measurements", "paragraphs")
_PER_CHARACTER = 4  # bytes held for each character of text: 128 for a paragraph, which has 40 or more


def schema() -> pa.Schema:
    """One row per repeated paragraph."""
    import pyarrow as pa

    numbers = [pa.field(name, pa.int64()) for name in ("start", "end", "words", "seen")]
    return pa.schema([pa.field("id", pa.string()), *numbers, pa.field("cut", pa.bool_())])


def paragraphs(run: Run, refined: list[tuple[Unit, Slice]], duplicates: Path) -> list[Path]:
    """The files of repeated paragraphs."""
    folder, wanted = run.layout.stage("dedup"), run.plan.recipe.dedup.paragraphs.model_dump()
    priority = {source.name: source.priority for source in run.plan.recipe.sources}
    size = sum(piece.size for _, piece in refined)
    ranges = -(-max(1, size * _PER_CHARACTER) // run.plan.recipe.dedup.bytes)
    spec = {"slices": [slice_spec(piece) for _, piece in refined], "wanted": wanted, "priority": priority}
    key = [[unit.key for unit, _ in refined], wanted, priority, duplicates.stem, code_version(*CODE)]
    tasks = [
        Task(
            fingerprint("paragraphs", key, part, ranges),
            spec | {"duplicates": str(duplicates), "part": [part, ranges]},
            str(folder),
            1,
        )
        for part in range(ranges)
    ]
    run.perform("dedup", f"{__name__}:task", tasks, "tasks", step="paragraphs")
    return [folder / f"{task.id}.arrow" for task in tasks]


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the repeated paragraphs of one range of hashes."""
    import numpy as np
    import pyarrow as pa

    from pipelines.dedup.paragraphs import repeated

    part, ranges = spec["part"]
    documents, marks, owners = _read(spec, (1 << 64) * part // ranges, (1 << 64) * (part + 1) // ranges - 1)
    keep = spec["wanted"]["keep"]
    limit = np.array([keep.get(kind, len(owners)) for kind in documents["kind"]], dtype=np.int64)
    place = np.argsort(_order(documents, spec["priority"]))
    chosen, seen, rank = repeated(marks, place[owners], spec["wanted"]["more_than"])
    ids = np.array(documents["id"], dtype=object)
    columns = {
        "id": ids[owners[chosen]],
        **{name: marks[name][chosen] for name in ("start", "end", "words")},
        "seen": seen,
        "cut": rank >= limit[owners[chosen]] if chosen.size else np.empty(0, np.bool_),
    }
    output = target.with_suffix(".arrow")
    table = pa.table({name: pa.array(column, schema().field(name).type) for name, column in columns.items()}, schema())
    with replacing(output) as temporary, pa.ipc.new_file(str(temporary), schema()) as writer:
        writer.write_table(table.sort_by([("id", "ascending"), ("start", "ascending")]))
    progress(1)
    return {"outputs": [output.name], "repeated": len(table)}


def _read(spec: Json, low: int, high: int) -> tuple[dict[str, list[Any]], Any, np.ndarray]:
    """The kept documents, their marks with a hash from `low` to `high`, and the document of each mark."""
    import numpy as np
    import pyarrow as pa

    from pipelines.dedup.paragraphs import MARK

    with pa.OSFile(spec["duplicates"]) as file:
        gone = set(pa.ipc.open_file(file).read_all().column("id").to_pylist())
    documents: dict[str, list[Any]] = {name: [] for name in ("id", "kind", "source", "chars", "quality")}
    marks, counts = [np.empty(0, MARK)], []
    for batch in read_slices([Slice(**piece) for piece in spec["slices"]], _COLUMNS):
        for row in batch.to_pylist():
            if row["fate"] != "kept" or row["id"] in gone:
                continue
            row["quality"] = dict(row["measurements"])["quality"]
            for name, values in documents.items():
                values.append(row[name])
            own = np.frombuffer(row["paragraphs"], MARK)
            long = own["end"] - own["start"] >= spec["wanted"]["at_least"]
            marks.append(own[long & (own["hash"] >= np.uint64(low)) & (own["hash"] <= np.uint64(high))])
            counts.append(len(marks[-1]))
    return documents, np.concatenate(marks), np.repeat(np.arange(len(counts)), counts)


def _order(documents: dict[str, list[Any]], priority: dict[str, int]) -> Any:
    """The documents by preference, the best first."""
    import numpy as np

    from pipelines.dedup.survivors import halves, merit

    priorities = np.array([priority[source] for source in documents["source"]], dtype=np.int64)
    quality, chars = np.array(documents["quality"], np.float64), np.array(documents["chars"], np.int64)
    high, low = halves(bytes.fromhex("".join(documents["id"])))
    return np.lexsort((low, high, merit(priorities, quality, chars)))
