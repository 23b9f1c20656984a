"""Stage 5: everything -> parquet files, ledger and shards.

In: the refined rows in the order of the inventory, and the files of duplicates and repeated paragraphs. Out, per task:
one part of documents/, ledger/ and rejects/, and one shard per split. Tasks are cut in that fixed order, by where rows
come from and how many they are, so names and bytes depend on the corpus alone. A part is written again where its own
documents or verdicts have changed, or what was found of them; the others stay. A document goes to the validation split
by a hash of its id, whatever else is in the corpus.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.dedup.cut import without_repeated
from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice, read_slices
from pipelines.preflight import plan_once
from pipelines.stages import Progress, Run, lasting_batches, slice_spec, sweep, weight
from pipelines.stages.findings import Findings, digest_of, ids_of
from pipelines.stages.refine import Unit
from pipelines.stages.reports import complete, read_reports
from registry.errors import StageError
from registry.ledger import as_pairs, ledger_schema, text_schema
from registry.mirror import fetch
from registry.publish import digest, replacing

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.preflight import Plan
    from pipelines.tokenize import LanguageTokenizer
    from registry.shards import ShardWriter

CODE = (
    "pipelines.tokenize",
    "pipelines.stages.write",
    "pipelines.stages.findings",
    "pipelines.stages.reports",
    "pipelines.dedup.cut",
    "registry.shard",
    "registry.ledger",
    "sentencepiece==",
    "tokenizers==",
    "pyarrow==",
)
_BATCH = 256  # documents encoded, and rows written, at a time
SPLITS = ("train", "validation")


def write(run: Run, refined: list[tuple[Unit, Slice]], deduped: list[Path], *, fast: bool) -> list[Json]:
    """The results of all tasks, in order; each names its files (relative to the stage's folder) and counts.

    `fast`: fastokens encodes, because it gave the ids of `tokenizers` on a sample.
    """
    folder = run.layout.stage("write")
    options = [run.plan.recipe.tokenize.model_dump(), tokenizer(run.plan).key, fast]
    fetch([*deduped, *dict.fromkeys(Path(piece.path) for _, piece in refined)])
    options.append(code_version(*CODE))
    known, named = read_reports([piece for _, piece in refined])
    findings = [Findings(path) for path in deduped]
    pieces = [
        ((unit.place, unit.key, piece, names), weight(piece))
        for (unit, piece), names in zip(refined, named, strict=True)
    ]
    tasks = []
    for batch in lasting_batches(pieces, run.plan.recipe.engine.task_bytes):
        reports = {name: known[name] for (_, _, _, names), _ in batch for name in names if name in known}
        ids = ids_of(piece for (_, _, piece, _), _ in batch)
        found = digest_of(one.of(ids) for one in findings)
        name = fingerprint(options, [key for (_, key, _, _), _ in batch], reports, found)
        slices = [slice_spec(piece) for (_, _, piece, _), _ in batch]
        inputs = {"slices": slices, "deduped": [str(path) for path in deduped], "reports": reports}
        spec = {**run.recipe_spec, **inputs, "fast": fast}
        tasks.append(Task(name, spec, str(folder), sum(piece["rows"] for piece in slices)))
    results = run.perform("write", f"{__name__}:task", tasks, "documents")
    sweep(folder, [task.id for task in tasks])
    return [_numbered(result, number) for number, result in enumerate(results)]


def _numbered(result: Json, number: int) -> Json:
    """A result whose files have the names that they are published under."""
    named = {name: f"{name}/{number:05d}{Path(file['path']).suffix}" for name, file in result["files"].items()}
    return {**result, **{key: {named[name]: told for name, told in result[key].items()} for key in ("files", "shards")}}


def tokenizer(plan: Plan, *, fast: bool = False) -> LanguageTokenizer:
    """The recipe's tokenizer, loaded once per process; with `fast`, fastokens encodes."""
    from pipelines.tokenize import load_once

    path = plan.place(plan.recipe.tokenize.tokenizer)
    return _load_fast(path) if fast else load_once(path)


@cache
def _load_fast(path: Path) -> LanguageTokenizer:
    from pipelines.tokenize import load_once
    from pipelines.tokenize.fast import load_fast

    made = load_once(path)
    encoder = load_fast(made.encoder)
    if encoder is None:
        raise StageError("fastokens was there when this build began, and is no longer; run the same command again")
    return made.using(encoder)


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Write one part of everything."""
    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    with ExitStack() as stack:
        part = _Part(plan, stack, target, tokenizer(plan, fast=spec["fast"]))
        slices = [Slice(**piece) for piece in spec["slices"]]
        duplicates, repeated = _findings(slices, *spec["deduped"])
        for rows in _rows(slices):
            for row in rows:
                row["metadata"] = complete(row["metadata"], spec["reports"])
            part.add([_settle(row, duplicates, repeated) for row in rows])
            progress(len(rows))
    return part.result()


def _rows(slices: list[Slice]) -> Iterator[list[Json]]:
    held: list[Json] = []
    for batch in read_slices(slices):
        held += batch.drop_columns(["content", "form", "figures", "paragraphs", "signature", "shingles"]).to_pylist()
        while len(held) >= _BATCH:
            yield held[:_BATCH]
            held = held[_BATCH:]
    if held:
        yield held


def _findings(slices: list[Slice], duplicates: str, *repeated: str) -> tuple[dict[str, Json], dict[str, list[Json]]]:
    """Of the documents of this task: what each duplicates, and its repeated paragraphs in the order of its text."""
    ids = ids_of(slices)
    twins = {row["id"]: row for row in Findings(Path(duplicates)).of(ids).to_pylist()}
    found: dict[str, list[Json]] = {}
    for path in repeated:
        for row in Findings(Path(path)).of(ids).to_pylist():
            found.setdefault(row["id"], []).append(row)
    return twins, {name: sorted(rows, key=lambda row: int(row["start"])) for name, rows in found.items()}


def _settle(row: Json, duplicates: dict[str, Json], repeated: dict[str, list[Json]]) -> Json:
    """A refined row with its last word: whether it is a duplicate, and of what, and which paragraphs it keeps."""
    row.update(duplicate_of="", similarity=None, linked_to="", linked_similarity=None, tokens=0)
    twin = duplicates.get(row["id"])
    if row["fate"] != "kept":
        return row
    if twin is not None:
        return {**row, **twin, "fate": "duplicate", "stage": "dedup"}
    return without_repeated(row, repeated.get(row["id"], []))


class _Part:
    """The files of one task while they are written; those that stay empty are not made."""

    def __init__(self, plan: Plan, stack: ExitStack, target: Path, lm: LanguageTokenizer) -> None:
        self.plan = plan
        self.stack = stack
        self.target = target
        self.tokenizer = lm
        self.paths: dict[str, Path] = {}
        self.writers: dict[str, Any] = {}
        self.fates: Counter[tuple[str, str]] = Counter()
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.shards: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}

    def add(self, rows: list[Json]) -> None:
        """Tokenize what is kept, then write every row where it belongs."""
        kept = [row for row in rows if row["fate"] == "kept"]
        options = self.plan.recipe.tokenize
        encoded = self.tokenizer.encode([row["text"] for row in kept], bos=options.bos, eos=options.eos)
        for row, begin, end in zip(kept, encoded.offsets[:-1].tolist(), encoded.offsets[1:].tolist(), strict=True):
            row["tokens"] = end - begin
            self._add_tokens(row, encoded.ids[begin:end])
        self._table("ledger", rows, ledger_schema())
        self._table("documents", kept, text_schema())
        self._table("rejects", [row for row in rows if row["fate"] in {"rejected", "duplicate"}], text_schema())
        for row in rows:
            self.fates[row["source"], row["fate"]] += 1

    def _add_tokens(self, row: Json, ids: Any) -> None:
        from pipelines.tokenize import is_validation

        split = SPLITS[is_validation(row["id"], self.plan.recipe.tokenize.validation)]
        self._shard(split).write(row["id"], row["source"], ids)
        self.tokens[row["source"], split] += len(ids)
        self.shards[split].update(rows=1, tokens=len(ids))

    def _shard(self, split: str) -> ShardWriter:
        from registry.shards import ShardWriter

        if split not in self.writers:
            path = self._path(f"shards/{split}", "arrow")
            metadata = {"tokenizer": self.tokenizer.digest}
            self.writers[split] = self.stack.enter_context(
                ShardWriter(path, dtype=self.tokenizer.dtype, metadata=metadata)
            )
        writer: ShardWriter = self.writers[split]
        return writer

    def _table(self, folder: str, rows: list[Json], schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not rows:
            return
        if folder not in self.writers:
            temporary = self.stack.enter_context(replacing(self._path(folder, "parquet")))
            self.writers[folder] = self.stack.enter_context(pq.ParquetWriter(temporary, schema, compression="zstd"))
        names = schema.names
        plain_rows = [{name: row[name] for name in names} for row in rows]
        if folder != "ledger":
            maps = ("measurements", "metadata")
            plain_rows = [row | {name: as_pairs(row[name]) for name in maps} for row in plain_rows]
        self.writers[folder].write_table(pa.Table.from_pylist(plain_rows, schema))

    def _path(self, folder: str, suffix: str) -> Path:
        """`<task>.<folder with dots>.<suffix>`; published as `<folder>/<number of the task>.<suffix>`."""
        path = self.target.with_name(f"{self.target.name}.{folder.replace('/', '.')}.{suffix}")
        self.paths[folder] = path
        return path

    def result(self) -> Json:
        """Names, digests and counts, once all files are closed."""
        return {
            "outputs": [path.name for path in self.paths.values()],
            "files": {
                name: {"path": path.name, "bytes": path.stat().st_size, "sha256": digest(path)}
                for name, path in sorted(self.paths.items())
            },
            "shards": {f"shards/{split}": dict(count) for split, count in self.shards.items() if count},
            "fates": [[source, fate, count] for (source, fate), count in sorted(self.fates.items())],
            "tokens": [[source, split, count] for (source, split), count in sorted(self.tokens.items())],
        }
