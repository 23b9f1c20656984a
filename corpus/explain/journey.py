"""Everything that can be said of one document: facts from the ledger, and what is computed again from the build.

In: an opened build and a row of its ledger. Out: a `Journey`, plain data for the terminal, for tests and for Python.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.audit.changes import Change, changes
from corpus.audit.texts import rows_of, texts
from corpus.explain.flips import Flip, Judged, flips, judged
from corpus.explain.original import Originals, Step

if TYPE_CHECKING:
    from corpus.opened import OpenedBuild

Row = dict[str, Any]
_CLUSTER = 200  # members of a cluster that are compared


@dataclass(frozen=True, slots=True)
class Twin:
    """The document that was kept in place of a duplicate."""

    row: Row
    preferred: str  # the first thing in which the two differ, of what decides which one stays
    changes: list[Change]  # from the twin's text to this one's
    similarity: float | None  # computed again (containment where that decided); None where the shingles are gone
    partner: str  # the member of the cluster that is most like this one, or ""
    partner_similarity: float | None


@dataclass(frozen=True, slots=True)
class Journey:
    """One document from its bytes to its tokens."""

    row: Row
    place: str  # where the original text was found: "intermediates", "raw file", or "" for nowhere
    steps: list[Step] = field(default_factory=list)
    agrees: bool = True  # whether cleaning the original again gives the text on record
    limits: list[Judged] = field(default_factory=list)
    twin: Twin | None = None
    shard: tuple[str, int] | None = None  # file within the build, row in it
    flips: list[Flip] = field(default_factory=list)


def journey(opened: OpenedBuild, row: Row, originals: Originals | None = None) -> Journey:
    """All of it. `originals` is given where many rows are asked for, so that what it read is not read again."""
    if row["fate"] == "failed":
        return Journey(row, "", flips=flips(row, [], None))
    originals = originals or Originals(opened)
    original = originals.find(row)
    steps = originals.steps(row, original.text) if original else []
    known = texts(opened, {row["id"], row["duplicate_of"] or row["id"]})
    limits = judged(row, opened.manifest.profiles.get(row["kind"], []))
    twin = _twin(opened, row, known) if row["fate"] == "duplicate" and row["duplicate_of"] in known else None
    return Journey(
        row,
        original.place if original else "",
        steps,
        not steps or steps[-1].after == known[row["id"]]["text"],
        limits,
        twin,
        _shard(opened, row["id"]) if row["fate"] == "kept" else None,
        flips(row, limits, twin.partner_similarity if twin else None),
    )


def _twin(opened: OpenedBuild, row: Row, known: dict[str, Row]) -> Twin:
    paths = sorted(opened.layout.ledger.glob("*.parquet"))
    other = next(found for path in paths for found in rows_of(path, {row["duplicate_of"]}))
    found = changes(known[other["id"]]["text"], known[row["id"]]["text"])
    alone = row["rule"] == "contained"
    members = {row["duplicate_of"]} if alone else _members(paths, row["duplicate_of"])
    alike = _similarities(opened, row, members)
    nearest = max(alike, key=lambda name: (alike[name], name), default="")
    return Twin(other, _preferred(opened, other, row), found, alike.get(other["id"]), nearest, alike.get(nearest))


def _preferred(opened: OpenedBuild, kept: Row, lost: Row) -> str:
    """Why `kept` stays: the first of priority, quality, length and id in which the two differ."""
    priority = {source["name"]: source["priority"] for source in opened.manifest.recipe["sources"]}
    ranks = {
        "priority of its source": (priority.get(kept["source"], 0), priority.get(lost["source"], 0)),
        "quality": (0.0, 0.0)
        if lost["rule"] == "contained"  # the longer one holds it, however good it is
        else (kept["measurements"].get("quality", 0.0), lost["measurements"].get("quality", 0.0)),
        "length": (kept["chars"], lost["chars"]),
    }
    for name, (one, other) in ranks.items():
        if one != other:
            return f"{name}, {one:g} against {other:g}"
    return "id, which sorts first; all else is equal"


def _members(paths: list[Path], survivor: str) -> set[str]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found = {survivor}
    for path in paths:
        table = pq.ParquetFile(path).read(["id", "duplicate_of"])
        found |= set(table.filter(pc.equal(table.column("duplicate_of"), survivor)).column("id").to_pylist())
    return set(sorted(found - {survivor})[:_CLUSTER]) | {survivor}


def _similarities(opened: OpenedBuild, row: Row, members: set[str]) -> dict[str, float]:
    """Exact Jaccard similarity with each other member, or the share that stands in it where that decided.

    From the shingles of the build; empty where they are gone.
    """
    import numpy as np

    sets = dict(_shingles(opened, members | {row["id"]}))
    own = sets.pop(row["id"], (b"", b""))
    alike = {}
    for name, (content, shingles) in sets.items():
        one, other = (np.frombuffer(data, np.uint32) for data in (own[1], shingles))
        common = np.intersect1d(one, other, assume_unique=True).size
        same = content == own[0] and bool(content)
        whole = one.size if row["rule"] == "contained" else one.size + other.size - common
        alike[name] = 1.0 if same else common / max(whole, 1)
    return alike if own[0] else {}


def _shingles(opened: OpenedBuild, ids: set[str]) -> list[tuple[str, tuple[bytes, bytes]]]:
    """(id, (content hash, shingles)) from the refined rows; only the ids of all rows are read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted, found = pa.array(sorted(ids)), []
    for path in sorted(opened.layout.stage("refine").glob("*.arrow")):
        with pa.memory_map(str(path)) as source:
            names = pa.ipc.open_file(source).schema.names
            few = pa.ipc.open_file(source, options=_only(names, "id"))
            full = pa.ipc.open_file(source, options=_only(names, "id", "content", "shingles"))
            for number in range(few.num_record_batches):
                places = pc.indices_nonzero(pc.is_in(few.get_batch(number).column("id"), wanted))
                if len(places):
                    rows = full.get_batch(number).take(places).to_pylist()
                    found += [(row["id"], (row["content"], row["shingles"])) for row in rows]
    return found


def _only(names: list[str], *wanted: str) -> Any:
    import pyarrow as pa

    return pa.ipc.IpcReadOptions(included_fields=[names.index(name) for name in wanted])


def _shard(opened: OpenedBuild, name: str) -> tuple[str, int] | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    for path in sorted(opened.layout.shards.glob("*/*.arrow")):
        with pa.memory_map(str(path)) as file:
            row = pc.index(pa.ipc.open_stream(file).read_all().column("id"), name).as_py()
        if row >= 0:
            return str(path.relative_to(opened.layout.root)), int(row)
    return None
