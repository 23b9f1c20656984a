"""Stage 4, second step: indexes -> verified links between documents.

In: what a search is about (`Spec`). Out: files of links, in a fixed order: one per range of keys and round of bands.
Beside each round stands a file of labels, what earlier rounds have found: 4 bytes a document, mapped, not read, by the
tasks of the round. Keys are cut into so many ranges that a task holds no more than `dedup.memory`; there is no other
limit to the number of documents.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.dedup.rounds import ROWS, rounds
from pipelines.engine import Json, Task
from pipelines.engine.records import fingerprint
from pipelines.stages import Progress, Run
from registry.publish import replacing

if TYPE_CHECKING:
    from pipelines.dedup.shelf import Shelf

_PER_KEY = 128  # bytes held per key while the buckets of a range are made
LEAST = 4  # ranges, so that no build is without parallel work


def link(run: Run, spec: Json) -> list[str]:
    """The files of links of all rounds."""
    files: list[str] = _tasks(run, spec, ["known"], "", 1, "earlier builds") if spec["builds"] else []
    files += _tasks(run, spec, ["whole"], "", parts_of(spec, 1), "copies")
    tried = 0
    for names in rounds(spec["bands"]) if spec["threshold"] else []:
        tried += len(names)
        step, parts = f"links by {tried} of {spec['bands']} bands", parts_of(spec, len(names))
        files += _tasks(run, spec | {"links": []}, names, _labels(run, spec, files), parts, step)
    return files


def parts_of(spec: Json, bands: int) -> int:
    """How many ranges, a power of two, the keys of so many bands are cut into."""
    documents = spec["documents"]
    wanted = max(LEAST, documents * bands * _PER_KEY // spec["memory"], -(-documents // ROWS))
    return 1 << (int(wanted) - 1).bit_length()


def open_shelf(spec: Json) -> tuple[Shelf, int, int]:
    """All indexes, how many of the documents are from earlier builds, and where the planted ones begin."""
    from pipelines.dedup.index import read_index
    from pipelines.dedup.shelf import Shelf

    named = spec["indexes"] + [[path, spec["age"] + 1] for path in spec["planted"]]
    shelf = Shelf([read_index(Path(path)) for path, _ in named], [age for _, age in named])
    settled = int(shelf.bases[sum(age < spec["age"] for _, age in named)])
    return shelf, settled, int(shelf.bases[len(spec["indexes"])])


def _tasks(run: Run, spec: Json, names: list[str], labels: str, parts: int, step: str) -> list[str]:
    folder = run.layout.stage("dedup")
    tasks = [
        Task(
            fingerprint("link", spec["key"], names, part, parts),
            spec | {"names": names, "labels": labels, "part": part, "parts": parts},
            str(folder),
            1,
        )
        for part in range(parts)
    ]
    run.perform("dedup", f"{__name__}:link_task", tasks, "ranges", step=step)
    return [str(folder / f"{task.id}.npz") for task in tasks]


def _labels(run: Run, spec: Json, links: list[str]) -> str:
    folder = run.layout.stage("dedup")
    task = Task(fingerprint("labels", links), spec | {"links": links}, str(folder), 1)
    run.perform("dedup", f"{__name__}:label_task", [task], "labels", step="links so far")
    return str(folder / f"{task.id}.npy")


def link_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the links of one range of keys; or, once, those that earlier builds know."""
    import numpy as np

    from pipelines.dedup.against import known
    from pipelines.dedup.link import band_links, whole_links

    shelf, settled, planted = open_shelf(spec)
    part = {"part": spec["part"], "parts": spec["parts"]}
    nobody = np.empty(0, np.int64)
    found = copies = nobody
    match spec["names"]:
        case ["known"]:
            links = known(shelf, [Path(folder) for folder in spec["builds"]]).links
        case ["whole"]:
            links = whole_links(shelf, **part)
            copies = links[:, 1]
        case names:
            limits = {"settled": settled, "planted": planted, "room": spec["memory"] // 4}
            labels = np.asarray(np.load(spec["labels"], mmap_mode="r"))
            links, found = band_links(shelf, names, labels, threshold=spec["threshold"], **part, **limits)
    output = target.with_suffix(".npz")
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.savez(file, links=links, copies=copies, found=found)
    progress(1)
    return {"outputs": [output.name]}


def label_task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write the label of every document by the links so far."""
    import numpy as np

    from pipelines.dedup.near import labelled

    shelf, _, _ = open_shelf(spec)
    links, copies, found = read_links(spec["links"])
    output = target.with_suffix(".npy")
    with replacing(output) as temporary, temporary.open("wb") as file:
        np.save(file, labelled(links, np.concatenate((copies, found)), shelf.count))
    progress(1)
    return {"outputs": [output.name]}


def read_links(paths: list[str]) -> tuple[Any, Any, Any]:
    """All links [m, 3] of these files, the copies among them, and the planted documents that were found."""
    import numpy as np

    files = [np.load(path, allow_pickle=False) for path in paths]
    links, copies, found = ([file[name] for file in files] for name in ("links", "copies", "found"))
    return np.concatenate(links), np.unique(np.concatenate(copies)), np.unique(np.concatenate(found))
