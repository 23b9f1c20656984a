"""Stage 4: sketches -> which document duplicates which, and which paragraphs stand in many documents.

In: the refined rows that no rule rejected, and the indexes of earlier builds. Out: one Arrow file with a row per
duplicate (its id, the survivor's, the exact similarity, the linking pair), one with the repeated paragraphs, and the
indexes, which are published. The survivor is the best by (source priority, quality, length, id), so neither the order
of the inputs nor the number of workers can change it.

    index.py      refined rows -> indexes
    plant         the self-test's documents -> one more index
    link.py       rounds of bands -> verified links
    resolve.py    links -> duplicates, and what the self-test found
    paragraphs.py refined rows and duplicates -> repeated paragraphs

Up to WHOLE documents one task does what stands between the indexes and the paragraphs, with the same result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice
from pipelines.stages import Progress, Run, sweep
from pipelines.stages.index import index
from pipelines.stages.link import link, open_shelf
from pipelines.stages.paragraphs import paragraphs
from pipelines.stages.refine import Unit
from pipelines.stages.resolve import gone, resolve, self_test, together, write_duplicates

if TYPE_CHECKING:
    from pipelines.dedup.against import Earlier
    from pipelines.dedup.shelf import Shelf
    from pipelines.preflight import Plan

CODE = (
    "pipelines.dedup", "pipelines.stages.dedup", "pipelines.stages.link", "pipelines.stages.resolve",
    "pipelines.stages.paragraphs", "numba==", "numpy==", "scipy==", "pyarrow==",
)  # fmt: skip
WHOLE = 100_000  # documents


@dataclass(frozen=True, slots=True)
class Deduped:
    """What the stage made: duplicates, repeated paragraphs, indexes with size and digest, what the manifest tells."""

    duplicates: Path
    paragraphs: list[Path]
    indexes: list[Json]
    told: Json


def dedup(run: Run, refined: list[tuple[Unit, Slice]]) -> Deduped:
    """Find all duplicates."""
    folder = run.layout.stage("dedup")
    indexes = index(run, refined)
    spec = _search_spec(run.plan, folder, indexes)
    intermediate: list[str] = []
    if spec["documents"] <= WHOLE:
        duplicates, told = _whole(run, spec)
    else:
        spec["planted"] = _plant(run, spec)
        links = link(run, spec)
        duplicates, told = resolve(run, spec, links)
        intermediate = [*spec["planted"], *links]
    repeated = paragraphs(run, refined, duplicates)
    sweep(folder, [str(duplicates), *(file["path"] for file in indexes), *intermediate, *map(str, repeated)])
    return Deduped(duplicates, repeated, indexes, told)


def earlier(plan: Plan) -> list[Earlier]:
    """The builds that the recipe names in `dedup.against`."""
    if not plan.recipe.dedup.against:
        return []  # without the half second that loading the kernels takes
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
    options: Json = {"threshold": None, "containment": None, "bands": 0, "lanes": 0, "self_test": 0}
    if near != "off":
        options = {"threshold": near.threshold, "containment": near.containment, "bands": near.bands}
        options |= {"lanes": near.bands * near.rows, "self_test": near.planted}
    files = [[build.fingerprint for build in builds], [file["path"] for file in indexes]]
    return {
        **options,
        "indexes": before + own,
        "age": len(builds),
        "builds": [str(build.folder) for build in builds],
        "documents": sum(build.documents for build in builds) + sum(file["rows"] for file in indexes),
        "planted": [],
        "memory": plan.recipe.dedup.bytes,
        "key": fingerprint(files, options["threshold"], options["self_test"], code_version(*CODE)),
    }


def _whole(run: Run, spec: Json) -> tuple[Path, Json]:
    folder = run.layout.stage("dedup")
    task = Task(fingerprint("whole", spec["key"], spec["containment"]), spec, str(folder), spec["documents"])
    (told,) = run.perform("dedup", f"{__name__}:whole_task", [task], "documents", step="duplicates")
    return folder / f"{task.id}.arrow", told["told"]


def _plant(run: Run, spec: Json) -> list[str]:
    """The path of the planted index; none where there is no self-test."""
    if not spec["self_test"]:
        return []
    folder = run.layout.stage("dedup")
    task = Task(fingerprint("plant", spec["key"]), spec, str(folder), 1)
    run.perform("dedup", f"{__name__}:plant_task", [task], "tasks", step="self-test")
    return [str(folder / f"{task.id}.arrow")]


def plant_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the index of the self-test's documents."""
    from pipelines.dedup.index import write_index

    output = target.with_suffix(".arrow")
    write_index(output, _planted(open_shelf(spec)[0], spec))
    progress(1)
    return {"outputs": [output.name]}


def _planted(shelf: Shelf, spec: Json) -> Json:
    from pipelines.dedup.index import columns_of
    from pipelines.dedup.planted import plant

    sketched, _ = plant(shelf, count=spec["self_test"], threshold=spec["threshold"], lanes=spec["lanes"])
    return columns_of(sketched, bands=spec["bands"], rows=spec["lanes"] // spec["bands"])


def whole_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the file of duplicates, all in one process."""
    from pipelines.dedup.against import known
    from pipelines.dedup.contained import contained_links, posted
    from pipelines.dedup.near import find_links
    from pipelines.dedup.near import resolve as resolved
    from pipelines.dedup.shelf import Shelf

    shelf, settled, planted = open_shelf(spec)
    if spec["self_test"]:
        shelf = Shelf([*shelf.indexes, _planted(shelf, spec)], [*shelf.ages.tolist(), spec["age"] + 1])
    before = known(shelf, [Path(folder) for folder in spec["builds"]])
    limits = {"settled": settled, "threshold": spec["threshold"], "room": spec["memory"] // 4}
    links, found = find_links(shelf, bands=spec["bands"], known=before.links, planted=planted, **limits)
    near, inside = resolved(shelf, links, **limits), []
    if spec["containment"]:
        out = gone(shelf, near, before.links, before.contained, planted)
        limits["threshold"] = spec["containment"]
        inside.append(contained_links(shelf, [posted(one) for one in shelf.indexes], out, **limits))
    result = together(shelf, near, inside, before.contained, spec)
    told = write_duplicates(target.with_suffix(".arrow"), shelf, result, before.outside)
    if spec["self_test"]:
        told["self_test"] = self_test(shelf.count - planted, found.size)
    progress(spec["documents"])
    return {"outputs": [target.with_suffix(".arrow").name], "told": told}
