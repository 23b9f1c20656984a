"""What changed from one build to another: documents that came, went, changed their fate or their text; settings.

In: two opened builds, of the same sources or not. Out: a `Difference`: counts, by source and by what decided, and the
first documents of each change; beside them every key of recipe, profiles and versions in which the builds differ. A
document is the same where its id is: source, path and part. Two builds of 2,643 documents take 1.1 s.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpus.audit.changes import Change, changes, excerpt
from corpus.audit.checks import check_files
from corpus.audit.figures.counts import decision
from corpus.audit.texts import texts
from registry.errors import RecordError

if TYPE_CHECKING:
    from pathlib import Path

    from corpus.opened import OpenedBuild

CHANGES = ("came", "went", "moved", "text")
_COLUMNS = ("id", "source", "uri", "part", "title", "fate", "stage", "rule", "tokens")
_SHOWN = 12  # documents of each change
_EXCERPT = 500
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Example:
    """One document that changed: its place, what decided on it before and after, and its text where that changed."""

    id: str
    place: str
    before: str
    after: str
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Difference:
    """From build `a` to build `b`."""

    names: tuple[str, str]
    settings: list[tuple[str, str, str]]  # key, before, after
    counts: dict[str, int]  # of CHANGES, and of what stayed the "same"
    moves: dict[tuple[str, str], int]  # (before, after) -> documents, the commonest first
    sources: dict[str, dict[str, int]]  # source -> documents, kept and tokens of both, and what changed
    decided: dict[str, tuple[int, int]]  # what decided -> documents before and after
    examples: dict[str, list[Example]]


def compare(a: OpenedBuild, b: OpenedBuild) -> Difference:
    """All that differs.

    Raises:
        RecordError: the files of one are damaged or not those of its manifest.
    """
    for opened in (a, b):
        check_files(opened)
    before, after = _rows(a), _rows(b)
    digests = _digests(a), _digests(b)
    kinds = {name: _change(before.get(name), after.get(name), digests, name) for name in {*before, *after}}
    named = {change: sorted(name for name, kind in kinds.items() if kind == change) for change in (*CHANGES, "same")}
    return Difference(
        names=(str(a.layout.root), str(b.layout.root)),
        settings=list(_settings(a, b)),
        counts={change: len(ids) for change, ids in named.items()},
        moves=_moves(before, after, kinds),
        sources=_sources(before, after, kinds),
        decided=_decided(before, after),
        examples={change: _examples(a, b, before, after, named[change][:_SHOWN]) for change in CHANGES},
    )


def _rows(opened: OpenedBuild) -> dict[str, Row]:
    """The ledger's rows by id."""
    return {row["id"]: row for path in sorted(opened.layout.ledger.glob("*.parquet")) for row in _read(path, _COLUMNS)}


def _read(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(path).iter_batches(columns=list(columns)):
            yield from batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is damaged ({str(error).splitlines()[0]}); build again") from None


def _digests(opened: OpenedBuild) -> dict[str, bytes]:
    """A digest of each document's text."""
    return {
        row["id"]: hashlib.blake2b(row["text"].encode(), digest_size=16).digest()
        for folder in (opened.layout.documents, opened.layout.rejects)
        for path in sorted(folder.glob("*.parquet"))
        for row in _read(path, ("id", "text"))
    }


def _change(one: Row | None, other: Row | None, digests: tuple[dict[str, bytes], dict[str, bytes]], name: str) -> str:
    if one is None or other is None:
        return "came" if one is None else "went"
    if decision(one) != decision(other):
        return "moved"
    return "same" if digests[0].get(name) == digests[1].get(name) else "text"


def _moves(before: dict[str, Row], after: dict[str, Row], kinds: dict[str, str]) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for name, kind in kinds.items():
        if kind in {"came", "went", "moved"}:
            found[_told(before.get(name)), _told(after.get(name))] += 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _told(row: Row | None) -> str:
    return decision(row) if row else ""


def _sources(before: dict[str, Row], after: dict[str, Row], kinds: dict[str, str]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for side, rows in (("before", before), ("after", after)):
        for row in rows.values():
            counts = found.setdefault(row["source"], Counter())
            counts[f"kept_{side}"] += row["fate"] == "kept"
            counts[f"tokens_{side}"] += row["tokens"]
    for name, kind in kinds.items():
        source = (after.get(name) or before[name])["source"]
        found[source][kind] += 1
    keys = ("kept_before", "kept_after", "tokens_before", "tokens_after", *CHANGES, "same")
    return {source: {key: found[source][key] for key in keys} for source in sorted(found)}


def _decided(before: dict[str, Row], after: dict[str, Row]) -> dict[str, tuple[int, int]]:
    one, other = (Counter(map(decision, rows.values())) for rows in (before, after))
    return {name: (one[name], other[name]) for name in sorted({*one, *other}) if one[name] != other[name]}


def _examples(
    a: OpenedBuild, b: OpenedBuild, before: dict[str, Row], after: dict[str, Row], ids: list[str]
) -> list[Example]:
    one, other = texts(a, ids), texts(b, ids)
    found = []
    for name in ids:
        row = after.get(name) or before[name]
        part = f" [{row['part']}]" if row["part"] else ""
        differs = name in one and name in other and one[name]["text"] != other[name]["text"]
        shown = excerpt(changes(one[name]["text"], other[name]["text"]), _EXCERPT) if differs else []
        place = f"{row['source']}/{row['uri']}{part}"
        found.append(Example(name, place, _told(before.get(name)), _told(after.get(name)), shown))
    return found


def _settings(a: OpenedBuild, b: OpenedBuild) -> Iterator[tuple[str, str, str]]:
    """Every key in which recipe, profiles, versions or tokenizer differ."""
    one, other = (dict(_flat(_described(opened), "")) for opened in (a, b))
    for key in sorted({*one, *other}):
        if one.get(key) != other.get(key):
            yield key, one.get(key, ""), other.get(key, "")


def _described(opened: OpenedBuild) -> dict[str, Any]:
    manifest = opened.manifest
    recipe = dict(manifest.recipe) | {"sources": {source["name"]: source for source in manifest.recipe["sources"]}}
    profiles = {
        kind: {limit["rule"]: {key: value for key, value in limit.items() if key != "rule"} for limit in limits}
        for kind, limits in manifest.profiles.items()
    }
    return {
        "recipe": recipe,
        "profiles": profiles,
        "versions": {"corpus-foundry": manifest.version, **manifest.libraries},
        "tokenizer": {key: value for key, value in manifest.tokenizer.items() if not isinstance(value, Mapping)},
    }


def _flat(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name in value:  # an empty one says nothing that its keys in the other build do not
            yield from _flat(value[name], f"{key}.{name}" if key else str(name))
    else:
        yield key, str(value)


def page(found: Difference, language: str) -> str:
    """The difference as a page, in the house's style."""
    from corpus.audit.page import compose, load_words

    return compose("diff.html", load_words(language), d=found, changes=CHANGES)
