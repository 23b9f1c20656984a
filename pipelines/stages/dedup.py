"""Stage 4: sketches -> which document duplicates which, and which paragraphs stand in many documents.

In: the refined rows that no rule rejected, and the indexes of earlier builds. Out: one Arrow file with a row per
duplicate (its id, the survivor's, the exact similarity, the linking pair), one with the repeated paragraphs, and the
indexes, which are published. The survivor is the best by (source priority, quality, length, id), so neither the order
of the inputs nor the number of workers can change it.

    index      refined rows -> an index; one task per batch of them (index.py)
    plant      the self-test's documents -> one more index
    link       a round of bands -> verified links; one task per range of keys
    resolve    links -> duplicates, and what the self-test found
    paragraphs refined rows and duplicates -> repeated paragraphs (paragraphs.py)

Up to WHOLE documents one task does all rounds, which gives the same links. Beyond that, keys are cut into so many
ranges that a task holds no more than `dedup.memory`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice
from pipelines.stages import Progress, Run, sweep
from pipelines.stages.index import index
from pipelines.stages.paragraphs import paragraphs
from pipelines.stages.refine import Unit
from registry.publish import replacing

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.dedup.against import Earlier
    from pipelines.dedup.index import Shelf
    from pipelines.dedup.near import Duplicates
    from pipelines.preflight import Plan

CODE = (
    "pipelines.dedup",
    "pipelines.stages.dedup",
    "pipelines.stages.paragraphs",
    "numba==",
    "numpy==",
    "scipy==",
    "pyarrow==",
)
WHOLE = 100_000  # documents
_PER_KEY = 64  # bytes held per key while a band is sorted


@dataclass(frozen=True, slots=True)
class Deduped:
    """What the stage made: duplicates, repeated paragraphs, indexes with size and digest, what the manifest tells."""

    duplicates: Path
    paragraphs: list[Path]
    indexes: list[Json]
    told: Json


def schema() -> pa.Schema:
    """One row per duplicate, sorted by id. `rule` is "exact" or "near"."""
    import pyarrow as pa

    texts = [pa.field(name, pa.string()) for name in ("id", "duplicate_of", "rule", "linked_to")]
    return pa.schema([*texts, *(pa.field(name, pa.float64()) for name in ("similarity", "linked_similarity"))])


def dedup(run: Run, refined: list[tuple[Unit, Slice]]) -> Deduped:
    """Find all duplicates."""
    folder = run.layout.stage("dedup")
    indexes = index(run, refined)
    spec = _search_spec(run.plan, folder, indexes)
    planted = _plant(run, spec)
    links = _link(run, spec | {"planted": planted})
    name = fingerprint("resolve", links, planted)
    resolving = Task(name, spec | {"planted": planted, "links": links}, str(folder), 1)
    (told,) = run.perform("dedup", f"{__name__}:resolve_task", [resolving], "tasks")
    duplicates = folder / f"{name}.arrow"
    repeated = paragraphs(run, refined, duplicates)
    sweep(folder, [name, *(file["path"] for file in indexes), *planted, *links, *map(str, repeated)])
    return Deduped(duplicates, repeated, indexes, told["told"])


def earlier(plan: Plan) -> list[Earlier]:
    """The builds that the recipe names in `dedup.against`."""
    from pipelines.dedup.against import earlier_builds

    return earlier_builds(plan.path, plan.recipe)


def options_key(plan: Plan) -> str:
    """A fingerprint of the earlier builds; the recipe names only their folders."""
    return fingerprint([build.fingerprint for build in earlier(plan)])


def _search_spec(plan: Plan, folder: Path, indexes: list[Json]) -> Json:
    """What every later task needs: all indexes, the earlier builds' first, each with its age."""
    near, builds = plan.recipe.dedup.near, earlier(plan)
    before = [[str(path), age] for age, build in enumerate(builds) for path in build.indexes]
    own = [[str(folder / file["path"]), len(builds)] for file in indexes]
    return {
        "indexes": before + own,
        "age": len(builds),
        "builds": [str(build.folder) for build in builds],
        "key": fingerprint([build.fingerprint for build in builds], [file["path"] for file in indexes]),
        "rows": sum(file["rows"] for file in indexes),
        "threshold": None if near == "off" else near.threshold,
        "bands": 0 if near == "off" else near.bands,
        "rows_of_band": 0 if near == "off" else near.rows,
        "self_test": 0 if near == "off" else near.planted,
        "memory": plan.recipe.dedup.bytes,
    }


def _plant(run: Run, spec: Json) -> list[str]:
    """The name of the planted index; none where there is no self-test."""
    if not spec["self_test"]:
        return []
    folder = run.layout.stage("dedup")
    name = fingerprint("plant", spec["key"], spec["threshold"], spec["self_test"], code_version(*CODE))
    task = Task(name, spec, str(folder), 1)
    run.perform("dedup", f"{__name__}:plant_task", [task], "tasks")
    return [str(folder / f"{name}.arrow")]


def _link(run: Run, spec: Json) -> list[str]:
    """The files of links, in a fixed order."""
    from pipelines.dedup.link import rounds

    folder = run.layout.stage("dedup")
    options = [
        spec["key"],
        spec["threshold"],
        spec["planted"][-1:] and Path(spec["planted"][0]).name,
        code_version(*CODE),
    ]
    ranges = 1 if spec["rows"] <= WHOLE else max(4, -(-spec["rows"] * _PER_KEY // spec["memory"]))
    if ranges == 1:
        steps: list[list[str]] = [["all"]]
    else:
        steps = [["whole"], *(rounds(spec["bands"]) if spec["threshold"] else [])]
    files: list[str] = []
    for names in steps:
        tasks = [
            Task(
                fingerprint("link", options, ranges, name, part),
                spec | {"name": name, "part": [part, ranges], "links": list(files)},
                str(folder),
                1,
            )
            for name in names
            for part in range(ranges)
        ]
        run.perform("dedup", f"{__name__}:link_task", tasks, "tasks")
        files += [str(folder / f"{task.id}.npz") for task in tasks]
    return files


def _shelf(spec: Json) -> tuple[Shelf, int, int]:
    """All indexes, how many of the documents are from earlier builds, and where the planted ones begin."""
    from pipelines.dedup.index import Shelf, read_index

    named = spec["indexes"] + [[path, spec["age"] + 1] for path in spec.get("planted", [])]
    shelf = Shelf([read_index(Path(path)) for path, _ in named], [age for _, age in named])
    settled = int(shelf.bases[sum(age < spec["age"] for _, age in named)])
    return shelf, settled, int(shelf.bases[len(spec["indexes"])])


def plant_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the index of the self-test's documents."""
    from pipelines.dedup.index import columns_of, write_index
    from pipelines.dedup.planted import plant

    shelf, _, _ = _shelf(spec)
    lanes = spec["bands"] * spec["rows_of_band"]
    sketched, _ = plant(shelf, count=spec["self_test"], threshold=spec["threshold"], lanes=lanes)
    output = target.with_suffix(".arrow")
    write_index(output, columns_of(sketched, bands=spec["bands"], rows=spec["rows_of_band"]))
    progress(1)
    return {"outputs": [output.name]}


def link_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the verified links of one range of the keys of one band, or all there are."""
    import numpy as np

    from pipelines.dedup.against import known_links
    from pipelines.dedup.link import ALL_KEYS, band_links, whole_links
    from pipelines.dedup.near import find_links, merged

    shelf, settled, planted = _shelf(spec)
    part, ranges = spec["part"]
    low, high = ALL_KEYS * part // ranges, ALL_KEYS * (part + 1) // ranges
    limits = {"threshold": spec["threshold"], "settled": settled, "planted": planted, "room": spec["memory"] // 4}
    found = np.empty(0, np.int64)
    known = known_links(shelf, [Path(folder) for folder in spec["builds"]])[0]
    if spec["name"] == "all":
        links, found = find_links(shelf, bands=spec["bands"], known=known, **limits)
    elif spec["name"] == "whole":
        links = np.concatenate([*([known] if part == 0 else []), whole_links(shelf, low=low, high=high)])
    else:
        before, copies, seen = _read_links(spec["links"])
        linked = merged(before, np.union1d(copies, seen))
        links, found = band_links(shelf, spec["name"], linked, low=low, high=high, **limits)
    output = target.with_suffix(".npz")
    copies = links[len(known) if part == 0 else 0 :, 1] if spec["name"] == "whole" else np.empty(0, np.int64)
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(file, links=links, copies=copies, found=found)
    progress(1)
    return {"outputs": [output.name]}


def _read_links(paths: list[str]) -> tuple[Any, Any, Any]:
    """All links of these files, the copies among them, and the planted documents that were found."""
    import numpy as np

    files = [np.load(path, allow_pickle=False) for path in paths]
    links, copies, found = ([file[name] for file in files] for name in ("links", "copies", "found"))
    return np.concatenate(links), np.unique(np.concatenate(copies)), np.unique(np.concatenate(found))


def resolve_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the file of duplicates."""
    import pyarrow as pa

    from pipelines.dedup.against import known_links
    from pipelines.dedup.near import resolve

    shelf, settled, planted = _shelf(spec)
    links, _, found = _read_links(spec["links"])
    _, outside = known_links(shelf, [Path(folder) for folder in spec["builds"]])
    result = resolve(shelf, links, threshold=spec["threshold"], settled=settled, room=spec["memory"] // 4)
    rows = sorted(_rows(shelf, result, outside), key=lambda row: str(row["id"]))
    output = target.with_suffix(".arrow")
    with replacing(output) as temporary, pa.ipc.new_file(str(temporary), schema()) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema()))
    told: Json = {"duplicates": len(rows)}
    if spec["self_test"]:
        count = shelf.count - planted
        told["self_test"] = {"planted": count, "found": len(found), "recall": len(found) / count if count else None}
    progress(1)
    return {"outputs": [output.name], "told": told}


def _rows(shelf: Shelf, result: Duplicates, outside: dict[int, str]) -> list[Json]:
    ids = [_ids(shelf, part) for part in (result.documents, result.survivor, result.partner)]
    columns = zip(*ids, result.survivor.tolist(), result.exact.tolist(), strict=True)
    numbers = zip(result.similarity.tolist(), result.linked.tolist(), strict=True)
    return [
        {
            "id": name,
            "duplicate_of": outside.get(place, survivor),
            "rule": "exact" if exact else "near",
            "linked_to": partner,
            "similarity": similarity,
            "linked_similarity": linked,
        }
        for (name, survivor, partner, place, exact), (similarity, linked) in zip(columns, numbers, strict=True)
    ]


def _ids(shelf: Shelf, documents: Any) -> list[str]:
    halves = zip(shelf.take("id_high", documents).tolist(), shelf.take("id_low", documents).tolist(), strict=True)
    return [f"{high:016x}{low:016x}" for high, low in halves]
