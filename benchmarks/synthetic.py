"""A build that nobody built: ledger, documents, rejects, shards and manifest of any number of rows, drawn from a seed.

In: a folder and how many documents. Out: a build that passes every check of the audit. 100,000 rows take 6 s.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.layout import Layout
from registry.ledger import FATES, ledger_schema, text_schema
from registry.manifest import FileRecord, Manifest, SourceCount
from registry.recipe import Recipe
from registry.shards import ShardWriter

TOKENIZER = Path(__file__).parents[1] / "registry" / "domains" / "ja_finance" / "tokenizer"
SOURCES = {"filings": "filing", "laws": "law", "books": "textbook", "novels": "literature", "news": "news"}
LICENCES = ("PDL-1.0", "public-domain", "CC-BY-4.0", "public-domain", "licensed")
RULES = [f"rule_{number:02d}" for number in range(38)]
OTHERS = [
    "characters",
    "numbers_kept",
    "signs_kept",
    "privacy_phone",
    "privacy_email",
    "quality",
    "hiragana_ratio",
    "kanji_ratio",
]
PART = 20_000  # rows in a file
GROUP = 256  # rows in a group, as the write stage makes them
WORDS = (
    "財務諸表",
    "企業",
    "当期",
    "売上高",
    "営業利益",
    "増加",
    "減少",
    "百万円",
    "投資家",
    "開示",
    "監査",
    "株主",
    "配当",
    "見通し",
)


def synthesize(root: Path, rows: int, seed: int = 1) -> None:
    """Write a build of `rows` documents to `root`."""
    draw = np.random.default_rng(seed)
    fates = draw.choice(4, rows, p=[0.7, 0.15, 0.12, 0.03])
    fates[0] = 0
    ids = [hashlib.md5(f"{seed}/{i}".encode()).hexdigest() for i in range(rows)]
    source = draw.integers(0, len(SOURCES), rows)
    tokens = np.where(fates == 0, np.exp(draw.normal(6, 1.2, rows)).astype(np.int64) + 1, 0)
    files: dict[str, FileRecord] = {}
    for number, first in enumerate(range(0, rows, PART)):
        here = np.arange(first, min(first + PART, rows))
        _write_part(root, f"{number:05d}", _columns(draw, here, ids, fates, source, tokens), fates[here], files)
    sources = _sources(fates, source, tokens)
    recipe = {
        "name": "synthetic",
        "sources": [
            {"name": name, "path": "files", "kind": kind, "licence": licence}
            for (name, kind), licence in zip(SOURCES.items(), LICENCES, strict=True)
        ],
        "tokenize": {"tokenizer": "tokenizer"},
    }
    limits = [{"rule": rule, "at_least": 0.1, "because": "drawn", "options": {}} for rule in RULES[:18]]
    (root / "tokenizer").mkdir(parents=True)
    for path in TOKENIZER.glob("*.json"):
        (root / "tokenizer" / path.name).write_bytes(path.read_bytes())
    Manifest(
        name="synthetic", version="0", fingerprint=f"{rows}-{seed}", recipe=Recipe.model_validate(recipe).model_dump(),
        profiles=dict.fromkeys(SOURCES.values(), limits), libraries={},
        tokenizer={"sha256": "", "vocabulary": 1 << 15, "dtype": "uint16"}, sources=sources, files=files,
    ).write(Layout(root).manifest)  # fmt: skip


def _columns(draw: Any, here: Any, ids: list[str], fates: Any, source: Any, tokens: Any) -> dict[str, pa.Array]:
    count, names, kinds = len(here), list(SOURCES), list(SOURCES.values())
    fate, own = fates[here], source[here]
    rejected, duplicate, failed = fate == 1, fate == 2, fate == 3
    values = draw.beta(5, 2, (count, len(RULES)))
    rule = draw.integers(0, 18, count)
    values[np.arange(count)[rejected], rule[rejected]] = 0.05
    texts = ["。".join(WORDS[(i * 7 + k * (i % 5 + 1)) % len(WORDS)] for k in range(12)) + f"。文書{i}" for i in here]
    near = draw.random(count) < 0.6
    told = {
        "id": [ids[i] for i in here],
        "source": [names[s] for s in own],
        "uri": [f"files/{i}.txt" for i in here],
        "part": [""] * count,
        "kind": [kinds[s] for s in own],
        "media_type": ["text/plain"] * count,
        "sha256": [ids[i] * 2 for i in here],
        "title": [f"文書 {i}" for i in here],
        "date": [f"{2015 + i % 10}-04-01" if i % 3 else "" for i in here],
        "licence": [LICENCES[s] for s in own],
        "fate": [FATES[f] for f in fate],
        "stage": np.select([rejected, duplicate, failed], ["refine", "dedup", "extract"], ""),
        "rule": [
            RULES[r] if f == 1 else ("near" if n else "exact") if f == 2 else ""
            for r, f, n in zip(rule, fate, near, strict=True)
        ],
        "value": pa.array(np.where(rejected, 0.05, np.nan), from_pandas=True),
        "threshold": pa.array(np.where(rejected, 0.1, np.nan), from_pandas=True),
        "duplicate_of": [ids[0] if d else "" for d in duplicate],
        "similarity": pa.array(
            np.where(duplicate, np.where(near, 0.8 + 0.2 * draw.random(count), 1.0), np.nan), from_pandas=True
        ),
        "linked_to": [ids[0] if d else "" for d in duplicate],
        "linked_similarity": pa.array(np.where(duplicate, 1.0, np.nan), from_pandas=True),
        "error": ["broken: drawn" if f else "" for f in failed],
        "chars": np.array([len(text) for text in texts]) * ~failed,
        "words": np.full(count, 24) * ~failed,
        "tokens": tokens[here],
        "measurements": _map(values, draw.random((count, len(OTHERS))), ~failed),
        "text": texts,
    }
    told["cuts"] = pa.array([[]] * count, ledger_schema().field("cuts").type)
    told["metadata"] = pa.array([[]] * count, text_schema().field("metadata").type)
    return {name: value if isinstance(value, pa.Array) else pa.array(value) for name, value in told.items()}


def _map(values: Any, others: Any, present: Any) -> pa.Array:
    names = [*RULES, *OTHERS]
    matrix = np.concatenate([values, np.round(others)], axis=1)[present]
    offsets = np.concatenate([[0], np.cumsum(np.where(present, len(names), 0))]).astype(np.int32)
    keys = pa.DictionaryArray.from_arrays(np.tile(np.arange(len(names), dtype=np.int32), len(matrix)), names)
    return pa.MapArray.from_arrays(offsets, keys.dictionary_decode(), pa.array(matrix.ravel()))


def _write_part(root: Path, number: str, columns: dict[str, pa.Array], fate: Any, files: dict[str, FileRecord]) -> None:
    for folder, chosen, schema in (
        ("ledger", np.full(len(fate), True), ledger_schema()),
        ("documents", fate == 0, text_schema()),
        ("rejects", (fate == 1) | (fate == 2), text_schema()),
    ):
        table = pa.table([_as(columns[name], schema.field(name).type) for name in schema.names], schema=schema)
        path = root / folder / f"{number}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.filter(pa.array(chosen)), path, row_group_size=GROUP, compression="zstd")
        files[f"{folder}/{number}.parquet"] = _record(path)
    path = root / "shards" / "train" / f"{number}.arrow"
    kept = np.flatnonzero(fate == 0)
    with ShardWriter(path, dtype="uint16") as writer:
        for row in kept:
            writer.write(
                columns["id"][row].as_py(),
                columns["source"][row].as_py(),
                np.zeros(columns["tokens"][row].as_py(), np.uint16),
            )
    files[f"shards/train/{number}.arrow"] = _record(path)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column as the schema has it: a map is a list of key and value in documents/ and rejects/."""
    if isinstance(column, pa.MapArray) and pa.types.is_list(kind):
        pairs = pa.StructArray.from_arrays([column.keys, column.items], fields=list(kind.value_type))
        return pa.ListArray.from_arrays(column.offsets, pairs, type=kind)
    return column.cast(kind)


def _record(path: Path) -> FileRecord:
    content = path.read_bytes()
    return FileRecord(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _sources(fates: Any, source: Any, tokens: Any) -> dict[str, SourceCount]:
    found = {}
    for number, (name, kind) in enumerate(SOURCES.items()):
        own = source == number
        counts = np.bincount(fates[own], minlength=4)
        found[name] = SourceCount(
            kind=kind, licence=LICENCES[number], inputs=int(own.sum()), bytes=1000 * int(own.sum()),
            fates={fate: int(count) for fate, count in zip(FATES, counts, strict=True)},
            tokens={"train": int(tokens[own].sum()), "validation": 0},
        )  # fmt: skip
    return found
