"""All that an audit finds: its numbers, and the few documents that the page shows beside them.

In: an opened build. Out: `Findings`. Nothing is found in a build whose record is not whole (checks.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from corpus.audit import checks, samples
from corpus.audit.changes import Change, changes, excerpt
from corpus.audit.figures import (
    bill,
    contamination,
    counts,
    duplicates,
    extraction,
    privacy,
    rules,
    script,
    selftest,
    terms,
    tokens,
)
from corpus.audit.ledger import Ledger, read_ledger
from corpus.audit.texts import texts
from corpus.explain.original import Originals

if TYPE_CHECKING:
    from corpus.opened import OpenedBuild

FORMAT = 1
_PLANTED = 24  # texts that near-duplicates are made from
_EXCERPT = 1200  # characters of a document in the browser of samples
_NEIGHBOUR = 110
_CLUSTER = 700


@dataclass(frozen=True, slots=True)
class Findings:
    """`figures` is audit.json; the rest is for the page alone."""

    figures: dict[str, Any]
    documents: list[dict[str, Any]]  # the browser's: a row of the ledger each, with `changes` and `state`
    neighbours: dict[tuple[str, str, str], tuple[list[dict[str, Any]], list[dict[str, Any]]]]
    clusters: list[dict[str, Any]]


def find(opened: OpenedBuild) -> Findings:
    """Audit a build.

    Raises:
        RecordError: the build's files are damaged, of another version, or contradict each other.
    """
    checks.check_files(opened)
    ledger = read_ledger(opened.layout.ledger)
    checks.check_ledger(opened, ledger)
    near = rules.neighbours(ledger, opened.manifest.profiles)
    found = duplicates.duplicates(ledger)
    picked = samples.shown(ledger)
    shown, read = ledger.ids(picked), ledger.ids(samples.read(ledger))
    beside = [name for pair in near.values() for rows in pair for name in ledger.ids(rows)]
    clustered = [cluster[name] for cluster in found["largest"] for name in ("survivor", "least_alike")]
    known = texts(opened, {*shown, *read, *beside, *clustered})
    return Findings(
        figures={**_counted(opened, ledger), "duplicates": found, **_sampled(opened, [known[i]["text"] for i in read])},
        documents=_documents(opened, picked, ledger, known),
        neighbours=_neighbours(ledger, near, known),
        clusters=[_cluster(cluster, known) for cluster in found["largest"]],
    )


def _counted(opened: OpenedBuild, ledger: Ledger) -> dict[str, Any]:
    manifest = opened.manifest
    return {
        "format": FORMAT,
        "build": {
            "name": manifest.name,
            "version": manifest.version,
            "fingerprint": manifest.fingerprint,
            "tokenizer": manifest.tokenizer,
        },
        "funnel": counts.funnel(ledger, manifest),
        "sources": counts.by_source(ledger, manifest),
        "kinds": counts.by_column(ledger, "kind"),
        "licences": counts.by_column(ledger, "licence"),
        "media_types": counts.by_column(ledger, "media_type"),
        "years": counts.by_year(ledger),
        "decided": counts.decided(ledger),
        "rules": rules.rules(ledger, manifest.profiles),
        "extraction": extraction.extraction(ledger),
        "scripts": script.scripts(ledger),
        "lengths": tokens.lengths(ledger),
        "packing": tokens.packing(ledger),
        "privacy": privacy.privacy(ledger),
        "contamination": contamination.contamination(ledger, manifest.recipe),
        "bill": bill.bill(opened.layout.ledger),
    }


def _sampled(opened: OpenedBuild, read: list[str]) -> dict[str, Any]:
    long = sorted(read, key=lambda text: (-min(len(text), 3000), text))[:_PLANTED]
    return {
        "self_test": selftest.self_test(
            long, opened.manifest.recipe["dedup"]["near"], opened.manifest.dedup.get("self_test")
        ),
        "terms": terms.terms(read, opened.layout.tokenizer),
    }


def _documents(opened: OpenedBuild, rows: Any, ledger: Ledger, known: dict[str, Any]) -> list[dict[str, Any]]:
    originals = Originals(opened)
    columns = ["id", "source", "kind", "fate", "stage", "rule", "error", "duplicate_of", "similarity", "tokens"]
    told = ledger.table.select(columns).take(rows).to_pylist()
    full = _full_rows(opened, [row["id"] for row in told])
    return [_document(full[row["id"]], known.get(row["id"]), originals) for row in told]


def _full_rows(opened: OpenedBuild, ids: list[str]) -> dict[str, dict[str, Any]]:
    from corpus.audit.texts import rows_of

    paths = sorted(opened.layout.ledger.glob("*.parquet"))
    return {row["id"]: row for path in paths for row in rows_of(path, ids)}


def _document(row: dict[str, Any], known: dict[str, Any] | None, originals: Originals) -> dict[str, Any]:
    if known is None:
        return {**row, "state": "none", "changes": []}
    original = originals.find(row)
    if original is None:
        return {**row, "state": "gone", "changes": excerpt([("=", known["text"])], _EXCERPT)}
    first = originals.steps(row, original.text)[0].before
    return {**row, "state": "compared", "changes": excerpt(changes(first, known["text"]), _EXCERPT)}


def _neighbours(ledger: Ledger, near: dict[Any, Any], known: dict[str, Any]) -> dict[Any, Any]:
    found = {}
    for (kind, rule, bound), sides in near.items():
        found[kind, rule, bound] = tuple(
            [
                {"value": float(ledger.measured[rule][row]), **_brief(known[name])}
                for row, name in zip(rows.tolist(), ledger.ids(rows), strict=True)
                if name in known
            ]
            for rows in sides
        )
    return found


def _brief(document: dict[str, Any]) -> dict[str, Any]:
    text = " ".join(document["text"][: 2 * _NEIGHBOUR].split())[:_NEIGHBOUR]
    return {"id": document["id"], "place": place(document), "title": document["title"], "text": text}


def place(document: dict[str, Any]) -> str:
    """Where a document came from: source, path within it, and part."""
    part = f" [{document['part']}]" if document["part"] else ""
    return f"{document['source']}/{document['uri']}{part}"


def _cluster(cluster: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    one, other = known[cluster["survivor"]], known[cluster["least_alike"]]
    found: list[Change] = excerpt(changes(one["text"], other["text"]), _CLUSTER)
    return {**cluster, "kept": place(one), "other": place(other), "changes": found}
