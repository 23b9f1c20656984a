"""An id, a uri or a pasted sentence -> the rows of the ledger that it names.

In: an opened build and one of the three. Out: rows. A sentence is looked for by its n-grams of eight characters, white
space left out and in the spelling that cleaning gives, so that a line break, a full-width letter or a masked name in it
does not hide it. Texts are scanned, not indexed: 38 MB of them take 0.4 s, and an index would be as large as they.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.audit.texts import ids_of, rows_of
from registry.errors import RecordError

if TYPE_CHECKING:
    import pyarrow as pa

    from corpus.opened import OpenedBuild

Row = dict[str, Any]

_GRAM = 8  # characters
_PROBES = 4  # n-grams that are looked for in every text; the others decide among those that have one
_ENOUGH = 0.6  # share of the n-grams that a document must have
_AT_ONCE = 4096


def find(opened: OpenedBuild, *, name: str = "", uri: str = "", text: str = "") -> list[Row]:
    """Ledger rows of the document with this id (or the first digits of one), of this uri, or that contain this text.

    With a text, the document that has most of it comes first. None for a text without a character to look for.
    """
    if text:
        ranked = _containing(opened, text)
        rows = {row["id"]: row for row in _rows(opened, set(ranked))}
        return [rows[found] for found in ranked if found in rows]
    ids = {found for path in _ledger(opened) for found in _named(path, name, uri)}
    return list(_rows(opened, ids))


def _ledger(opened: OpenedBuild) -> list[Path]:
    paths = sorted(opened.layout.ledger.glob("*.parquet"))
    if not paths:
        raise RecordError(f"{opened.layout.ledger} holds no ledger; build again")
    return paths


def _rows(opened: OpenedBuild, ids: set[str]) -> Iterator[Row]:
    for path in _ledger(opened):
        yield from rows_of(path, ids)


def _named(path: Path, name: str, uri: str) -> list[str]:
    """Ids in one file of the ledger."""
    import pyarrow.compute as pc

    known = ids_of(path)
    if uri:
        table = _read(path, ["source", "uri"])
        whole = pc.binary_join_element_wise(table.column("source"), table.column("uri"), "/")
        hit = pc.or_(pc.equal(table.column("uri"), uri), pc.equal(whole, uri))
    else:
        hit = pc.starts_with(known, name)
    ids: list[str] = known.filter(hit).to_pylist()
    return ids


def _read(path: Path, columns: list[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read(columns)  # pq.read_table imports pandas where it is installed, in 0.5 s
    except (pa.ArrowInvalid, OSError) as error:
        raise RecordError(f"{path} is damaged ({str(error).splitlines()[0]}); build again") from None


def _containing(opened: OpenedBuild, text: str) -> list[str]:
    """Ids of the documents that have most of the text, the best first."""
    from pipelines.normalize import normalize

    wanted = "".join(normalize(text, **opened.manifest.recipe["refine"]["normalize"]).split())
    if not wanted:
        return []
    grams = [wanted[i : i + _GRAM] for i in range(0, max(len(wanted) - _GRAM, 0) + 1, _GRAM // 2)]
    probes = grams[:: max(1, len(grams) // _PROBES)][:_PROBES]
    scores: dict[str, float] = {}
    for name, body in _candidates(opened, probes):
        close = "".join(body.split())
        score = 2.0 if wanted in close else sum(gram in close for gram in grams) / len(grams)
        if score >= _ENOUGH:
            scores[name] = score
    return sorted(scores, key=lambda found: (-scores[found], found))


def _candidates(opened: OpenedBuild, probes: list[str]) -> Iterator[tuple[str, str]]:
    """Documents that have one of the probes, however they are broken into lines."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    literal = "|".join(map(re.escape, probes))
    broken = "|".join(r"\s*".join(map(re.escape, probe)) for probe in probes[:1])
    for folder in (opened.layout.documents, opened.layout.rejects):
        for path in sorted(folder.glob("*.parquet")):
            try:
                for batch in pq.ParquetFile(path).iter_batches(_AT_ONCE, columns=["id", "text"]):
                    hit = pc.match_substring_regex(batch.column("text"), f"{literal}|{broken}")
                    found = batch.filter(hit)
                    yield from zip(found.column("id").to_pylist(), found.column("text").to_pylist(), strict=True)
            except (pa.ArrowInvalid, OSError) as error:
                raise RecordError(f"{path} is damaged ({str(error).splitlines()[0]}); build again") from None
