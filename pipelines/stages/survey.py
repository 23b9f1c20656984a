"""Before stage 5: a sample of the corpus tells what tokenizes it, and what the tokenizer loses.

In: the refined rows. Out: one record: whether fastokens gives the ids of `tokenizers`, and the characters that do not
come back. The sample is the first kept documents of slices from all over the corpus, so it depends on that alone.
"""

from __future__ import annotations

from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice, read_slices
from pipelines.preflight import plan_once
from pipelines.stages import Progress, Run, slice_spec, sweep
from pipelines.stages.write import tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.stages.refine import Unit

CODE = ("pipelines.tokenize", "pipelines.stages.survey", "tokenizers==", "sentencepiece==")
_SLICES = 64
_DOCUMENTS = 256  # of all slices
_CHARACTERS = 4000  # of a document: fastokens is tried on a million characters at most, in about a second


def survey(run: Run, refined: list[tuple[Unit, Slice]]) -> Json:
    """What the sample tells: `fast` (may fastokens do it), `record` for the manifest, `lines` for a person."""
    folder = run.layout.stage("survey")
    chosen = refined[:: max(1, len(refined) // _SLICES)]
    name = fingerprint(tokenizer(run.plan).key, _fastokens(), code_version(*CODE), [unit.key for unit, _ in chosen])
    spec = {**run.recipe_spec, "slices": [slice_spec(piece) for _, piece in chosen]}
    (told,) = run.perform("survey", f"{__name__}:task", [Task(name, spec, str(folder), 1)], "tasks")
    sweep(folder, [name])
    for line in told["lines"]:
        run.console.print(f"tokenize: {line}", style="yellow", markup=False)
    return told


def task(spec: Json, target: Path, progress: Progress) -> Json:  # noqa: ARG001 - the record is all it publishes
    """Survey one sample."""
    from pipelines.tokenize.survey import survey as look

    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    found = look(tokenizer(plan), list(_texts([Slice(**piece) for piece in spec["slices"]])))
    progress(1)
    return {"fast": found.fast, "record": found.record(), "lines": found.lines()}


def _texts(slices: list[Slice]) -> Iterator[str]:
    each = -(-_DOCUMENTS // max(1, len(slices)))
    for piece in slices:
        rows = (row for batch in read_slices([piece], ["fate", "text"]) for row in batch.to_pylist())
        kept = (row["text"][:_CHARACTERS] for row in rows if row["fate"] == "kept")
        yield from islice(kept, each)


def _fastokens() -> str:
    try:
        return metadata.version("fastokens")
    except metadata.PackageNotFoundError:
        return ""
