"""Stage 4, third step: links -> which documents are duplicates, of what, and how alike.

    near        links -> duplicates by similarity
    posted      an index -> its posted keys; only where `dedup.near.containment` asks for it, as the next one
    contained   a range of posted keys -> what stands in what
    settle      all of it -> the file of duplicates

Only `near` and `settle` hold something for every duplicate: about 200 bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import fingerprint
from pipelines.stages import Progress, Run
from pipelines.stages.link import open_shelf, parts_of, read_links
from registry.publish import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from pipelines.dedup.contained import Contained
    from pipelines.dedup.near import Duplicates
    from pipelines.dedup.shelf import Shelf

_ROWS = 1 << 20  # rows of the file of duplicates that are made at a time


def schema() -> pa.Schema:
    """One row per duplicate, sorted by id. `rule` is "exact", "near" or "contained"."""
    import pyarrow as pa

    texts = [pa.field(name, pa.string()) for name in ("id", "duplicate_of", "rule", "linked_to")]
    return pa.schema([*texts, *(pa.field(name, pa.float64()) for name in ("similarity", "linked_similarity"))])


def resolve(run: Run, spec: Json, links: list[str]) -> tuple[Path, Json]:
    """The file of duplicates, and what the manifest tells of it."""
    folder = run.layout.stage("dedup")
    key = fingerprint(links, spec["containment"])
    near = Task(fingerprint("near", links), spec | {"links": links}, str(folder), 1)
    run.perform("dedup", f"{__name__}:near_task", [near], "tasks", step="near duplicates")
    spec = spec | {"near": str(folder / near.id), "contained": []}
    if spec["containment"]:
        posted = [Task(fingerprint("posted", path), {"index": path}, str(folder), 1) for path, _ in spec["indexes"]]
        run.perform("dedup", f"{__name__}:posted_task", posted, "indexes", step="posted keys")
        spec["posted"] = [str(folder / f"{task.id}.npy") for task in posted]
        parts = parts_of(spec, 8)  # a document has as many posted keys as words, by and large, divided by four
        tasks = [
            Task(fingerprint("contained", key, part, parts), spec | {"part": part, "parts": parts}, str(folder), 1)
            for part in range(parts)
        ]
        run.perform("dedup", f"{__name__}:contained_task", tasks, "ranges", step="contained documents")
        spec["contained"] = [str(folder / f"{task.id}.npz") for task in tasks]
    last = Task(fingerprint("settle", key), spec, str(folder), 1)
    (told,) = run.perform("dedup", f"{__name__}:settle_task", [last], "tasks", step="duplicates")
    return folder / f"{last.id}.arrow", told["told"]


def near_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the duplicates by similarity, and which documents are gone with them."""
    import numpy as np

    from pipelines.dedup.against import known
    from pipelines.dedup.near import resolve as resolved

    shelf, settled, planted = open_shelf(spec)
    links, _, found = read_links(spec["links"])
    near = resolved(shelf, links, threshold=spec["threshold"], settled=settled, room=spec["memory"] // 4)
    before = known(shelf, [Path(folder) for folder in spec["builds"]])
    outputs = [target.with_suffix(".npz"), target.with_suffix(".npy")]
    with replacing(outputs[0]) as temporary, temporary.open("wb") as file:
        np.savez(file, *near.columns(), before.contained, np.int64(found.size))
    with replacing(outputs[1]) as temporary, temporary.open("wb") as file:
        np.save(file, gone(shelf, near, before.links, before.contained, planted))
    progress(1)
    return {"outputs": [output.name for output in outputs]}


def gone(shelf: Shelf, near: Duplicates, links: Any, contained: Any, planted: int) -> Any:
    """Whether each document is out of the running: a duplicate, here or in an earlier build, or a planted one."""
    import numpy as np

    out = np.zeros(shelf.count, np.bool_)
    for documents in (near.documents, links[:, 1], contained[:, 1], slice(planted, None)):
        out[documents] = True
    return out


def posted_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the posted keys of one index."""
    import numpy as np

    from pipelines.dedup.contained import posted
    from pipelines.dedup.index import read_index

    output = target.with_suffix(".npy")
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.save(file, posted(read_index(Path(spec["index"]))))
    progress(1)
    return {"outputs": [output.name]}


def contained_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write what stands in what, by one range of posted keys."""
    import numpy as np

    from pipelines.dedup.contained import contained_links

    shelf, settled, _ = open_shelf(spec)
    postings = [np.asarray(np.load(path, mmap_mode="r")) for path in spec["posted"]]
    out = np.asarray(np.load(f"{spec['near']}.npy", mmap_mode="r"))
    limits = {"settled": settled, "room": spec["memory"] // 4, "part": spec["part"], "parts": spec["parts"]}
    found = contained_links(shelf, postings, out, threshold=spec["containment"], **limits)
    output = target.with_suffix(".npz")
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(file, *found)
    progress(1)
    return {"outputs": [output.name]}


def settle_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the file of duplicates."""
    import numpy as np

    from pipelines.dedup.against import known
    from pipelines.dedup.contained import Contained
    from pipelines.dedup.near import Duplicates

    shelf, _, planted = open_shelf(spec)
    *columns, before, found = np.load(f"{spec['near']}.npz", allow_pickle=False).values()
    some = [Contained(*np.load(path, allow_pickle=False).values()) for path in spec["contained"]]
    result = together(shelf, Duplicates(*columns), some, before, spec)
    outside = known(shelf, [Path(folder) for folder in spec["builds"]]).outside
    told = write_duplicates(target.with_suffix(".arrow"), shelf, result, outside)
    if spec["self_test"]:
        told["self_test"] = self_test(shelf.count - planted, int(found))
    progress(1)
    return {"outputs": [target.with_suffix(".arrow").name], "told": told}


def together(shelf: Shelf, near: Duplicates, found: Sequence[Contained], before: Any, spec: Json) -> Duplicates:
    """Duplicates by similarity and by containment, here and (`before`) in earlier builds."""
    from pipelines.dedup.contained import first_of, joined, settle

    room = spec["memory"] // 4
    some = settle(shelf, first_of(shelf, found), spec["containment"] or 1.0, room)
    return joined(shelf, near, some, before, room)


def self_test(planted: int, found: int) -> Json:
    """What the manifest tells of the planted documents."""
    return {"planted": planted, "found": found, "recall": found / planted if planted else None}


def write_duplicates(path: Path, shelf: Shelf, result: Duplicates, outside: dict[int, str]) -> Json:
    """Write them in the order of their ids; how many there are, and by which rule."""
    import numpy as np
    import pyarrow as pa

    rules = np.where(result.contained, 2, np.where(result.exact, 0, 1))
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), schema()) as writer:
        for batch in _batches(shelf, result, rules, outside):
            writer.write_batch(batch)
    counts = np.bincount(rules, minlength=3).tolist()
    return {"duplicates": rules.size, **dict(zip(("exact", "near", "contained"), counts, strict=True))}


def _batches(shelf: Shelf, result: Duplicates, rules: Any, outside: dict[int, str]) -> Iterator[pa.RecordBatch]:
    import numpy as np
    import pyarrow as pa

    names = pa.array(["exact", "near", "contained"])
    order = np.lexsort(shelf.several(("id_low", "id_high"), result.documents))
    for begin in range(0, order.size, _ROWS):
        some = order[begin : begin + _ROWS]
        survivors = _ids(shelf, result.survivor[some])
        if outside:
            places = result.survivor[some].tolist()
            survivors = pa.array([outside.get(p, s) for p, s in zip(places, survivors.to_pylist(), strict=True)])
        columns = [
            _ids(shelf, result.documents[some]),
            survivors,
            names.take(pa.array(rules[some])),
            _ids(shelf, result.partner[some]),
            pa.array(result.similarity[some]),
            pa.array(result.linked[some]),
        ]
        yield pa.record_batch(columns, schema=schema())


def _ids(shelf: Shelf, documents: Any) -> pa.Array:
    """Ids as 32 hex digits, without a Python string for each."""
    import numpy as np
    import pyarrow as pa

    halves = np.stack(shelf.several(("id_high", "id_low"), documents), axis=1)
    digits = halves.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(documents.size + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(documents.size, pa.py_buffer(offsets), pa.py_buffer(digits))
