"""The journey of one document: what it was read from, what was measured against which threshold, what became of it.

In: an opened build and an id, a uri or a piece of text. Out: rows of the ledger, and for each the lines of its story.
Every fact comes from the build; nothing is computed again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.opened import OpenedBuild

Row = dict[str, Any]


def find(opened: OpenedBuild, *, name: str = "", uri: str = "", text: str = "") -> list[Row]:
    """Ledger rows of the document with this id (or the first digits of one), of this uri, or that contain this text."""
    if text:
        wanted = {row["id"] for row in _containing(opened, text)}
        return [row for row in opened.ledger() if row["id"] in wanted]
    if uri:
        return [row for row in opened.ledger() if uri in {row["uri"], f"{row['source']}/{row['uri']}"}]
    if len(name) == 32:
        return list(opened.ledger(id=name))
    return [row for row in opened.ledger() if row["id"].startswith(name)]


def _containing(opened: OpenedBuild, text: str) -> Iterator[Row]:
    """Documents and rejects that contain `text`; white space does not count."""
    pattern = re.compile(r"\s*".join(map(re.escape, "".join(text.split()))))
    for folder in (opened.documents, opened.rejects):
        yield from (row for row in folder() if pattern.search(row["text"]))


def story(opened: OpenedBuild, row: Row) -> Iterator[str]:
    """The lines of one document's journey."""
    yield f"{row['title'] or '(no title)'}"
    yield f"  id         {row['id']}"
    yield f"  read from  {_place(row)}"
    yield f"             {row['kind']}, {row['media_type'] or 'type unknown'}, {row['licence']}"
    yield f"             sha256 {row['sha256']}"
    yield f"  fate       {_fate(opened, row)}"
    if row["fate"] == "failed":
        return
    yield f"  size       {row['chars']:,} characters, {row['words']:,} words, {row['tokens']:,} tokens"
    if row["fate"] == "kept":
        yield f"  tokens in  {_shard(opened, row['id'])}"
    yield from _cuts(row)
    yield from _measurements(opened, row)


def _place(row: Row) -> str:
    return f"{row['source']}/{row['uri']}" + (f" [{row['part']}]" if row["part"] else "")


def _fate(opened: OpenedBuild, row: Row) -> str:
    match row["fate"]:
        case "rejected":
            side = "below" if row["value"] < row["threshold"] else "above"
            return f"rejected: {row['rule']} is {row['value']:.4g}, {side} the threshold {row['threshold']:.4g}"
        case "duplicate":
            twin = next(opened.ledger(id=row["duplicate_of"]))
            how = f"{row['rule']} duplicate, similarity {row['similarity']:.4f}"
            return f"{how}, of {twin['id']} ({_place(twin)})"
        case "failed":
            return f"failed in {row['stage']}: {row['error']}"
        case fate:
            return str(fate)


def _shard(opened: OpenedBuild, name: str) -> str:
    for path in sorted(Path(opened.layout.shards).glob("*/*.arrow")):
        row = _row_in(path, name)
        if row >= 0:
            return f"{path.relative_to(opened.layout.root)}, row {row}"
    return "no shard; the build is not whole"


def _row_in(path: Path, name: str) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    with pa.memory_map(str(path)) as file:
        ids = pa.ipc.open_stream(file).read_all().column("id")
        return int(pc.index(ids, name).as_py())


def _cuts(row: Row) -> Iterator[str]:
    for number, cut in enumerate(row["cuts"]):
        head = "  changed    " if number == 0 else "             "
        yield f"{head}{cut['rule']} in {cut['stage']}, characters {cut['start']}-{cut['end']}"


def _measurements(opened: OpenedBuild, row: Row) -> Iterator[str]:
    """Measurements that a threshold judges, in the order of the profile; then the others."""
    bounds = {limit["rule"]: limit for limit in opened.manifest.profiles.get(row["kind"], [])}
    judged = [rule for rule in bounds if rule in row["measurements"]]
    others = sorted(set(row["measurements"]) - set(judged))
    for number, rule in enumerate([*judged, *others]):
        head = "  measured   " if number == 0 else "             "
        yield f"{head}{rule:<28} {row['measurements'][rule]:>10.4g}  {_bound(bounds.get(rule, {}))}".rstrip()


def _bound(threshold: dict[str, Any]) -> str:
    words = {"at_least": "at least", "at_most": "at most"}
    return " and ".join(f"{words[key]} {threshold[key]:g}" for key in words if threshold.get(key) is not None)
