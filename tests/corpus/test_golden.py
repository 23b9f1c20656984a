"""The small build, row by row, against what it was when somebody last looked at it.

A change that is meant: `UPDATE_GOLDEN=1 make test`, then read the diff of tests/golden/small/ledger.jsonl.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from commandline import SMALL

import corpus

GOLDEN = SMALL.with_name("ledger.jsonl")
TOLD = ("source", "uri", "part", "title", "date", "fate", "rule", "duplicate_of", "error", "chars", "words", "tokens")


def lines(built: Path) -> list[str]:
    opened = corpus.open_build(built)
    texts = {row["id"]: row["text"] for rows in (opened.documents(), opened.rejects()) for row in rows}
    told = []
    for row in opened.ledger():
        text = texts.get(row["id"], "")
        begin = text if row["source"] == "news" else text[:60]
        told.append({"id": row["id"], **{name: row[name] for name in TOLD}, "text": begin})
    return [json.dumps(row, ensure_ascii=False) for row in told]


def test_every_document_is_what_it_was(built: Path) -> None:
    found = lines(built)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text("\n".join(found) + "\n", encoding="utf-8")
    assert found == GOLDEN.read_text(encoding="utf-8").splitlines()
