"""Stage 6: what was written becomes the build, and the manifest says so last.

In: the results of the write tasks. Out: documents/, ledger/, rejects/, shards/ and tokenizer/ in their final places,
and manifest.json. The identity `inputs = kept + rejected + duplicates + failed` is checked before anything is put in
place.
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine import Json
from pipelines.inventory import Input
from pipelines.stages import Run
from pipelines.stages.dedup import Deduped
from pipelines.stages.write import SPLITS, tokenizer
from registry.layout import AUDITED, PUBLISHED, Layout
from registry.ledger import check_identity
from registry.manifest import FileRecord, Manifest, SourceCount
from registry.mirror import drop, fetch, files_below
from registry.publish import digest, place
from registry.shards import index_shards
from registry.tokenizer import copy_tokenizer

if TYPE_CHECKING:
    from pipelines.preflight import Plan
    from pipelines.quality.profiles import Profile

_LIBRARIES = (
    "datatrove", "fugashi", "lxml", "numba", "numpy", "pdfplumber", "pyarrow", "pypdfium2", "resiliparse", "scipy",
    "sentencepiece", "tokenizers", "trafilatura", "unidic-lite",
)  # fmt: skip


def report(
    run: Run, fingerprint: str, inputs: list[Input], seen: int, results: list[Json], deduped: Deduped, sample: Json
) -> Manifest:
    """Publish a finished build.

    `seen` is how many documents and failures the extract stage counted; `sample` is what the tokenizer lost of some.
    """
    fates: Counter[str] = Counter()
    for result in results:
        for _, fate, count in result["fates"]:
            fates[fate] += count
    check_identity(seen, fates)
    fresh = run.layout.work / "publish"
    shutil.rmtree(fresh, ignore_errors=True)
    for name in (*PUBLISHED, *(f"shards/{split}" for split in SPLITS)):
        (fresh / name).mkdir(parents=True, exist_ok=True)  # a folder is there even where nothing is in it
    fetch(run.layout.stage("write") / file["path"] for result in results for file in result["files"].values())
    fetch(run.layout.stage("dedup") / file["path"] for file in deduped.indexes)
    for result in results:
        for name, file in result["files"].items():
            place(run.layout.stage("write") / file["path"], fresh / name)
    for number, file in enumerate(deduped.indexes):
        place(run.layout.stage("dedup") / file["path"], fresh / _signatures(number))
    copy_tokenizer(run.plan.place(run.plan.recipe.tokenize.tokenizer), fresh / "tokenizer")
    files = _files(results, deduped) | _index(fresh, results)
    lm = tokenizer(run.plan)
    about = {
        "sha256": lm.digest,
        "vocabulary": lm.vocabulary_size,
        "dtype": str(lm.dtype),
        "bos": lm.bos,
        "eos": lm.eos,
    }
    manifest = _manifest(run.plan, fingerprint, inputs, results, files, {**about, "sample": sample}, deduped.told)
    _remove(run.layout.manifest)  # from here to the end of this function there is no build
    for name in AUDITED:
        _remove(run.layout.root / name)
    for name in PUBLISHED:
        _remove(run.layout.root / name)
        (fresh / name).rename(run.layout.root / name)
    shutil.rmtree(fresh, ignore_errors=True)
    manifest.write(run.layout.manifest)
    return manifest


def _manifest(
    plan: Plan,
    fingerprint: str,
    inputs: list[Input],
    results: list[Json],
    files: dict[str, FileRecord],
    lm: Json,
    told: Json,
) -> Manifest:
    return Manifest(
        name=plan.recipe.name,
        version=metadata.version("corpus-foundry"),
        fingerprint=fingerprint,
        recipe=plan.recipe.made_of(),
        profiles={kind: _limits(profile) for kind, profile in plan.profiles.items()},
        libraries={name: metadata.version(name) for name in _LIBRARIES},
        tokenizer=lm,
        sources={source.name: _count(source, inputs, results) for source in plan.recipe.sources},
        files=files,
        dedup=told,
    )


def _limits(profile: Profile) -> list[dict[str, Any]]:
    """The thresholds of a profile in the order in which they judge."""
    bounds = ("at_least", "at_most")
    return [
        {"rule": limit.rule, "because": limit.because, "options": dict(limit.options)}
        | {key: getattr(limit, key) for key in bounds if math.isfinite(getattr(limit, key))}
        for limit in profile.limits
    ]


def _count(source: Any, inputs: list[Input], results: list[Json]) -> SourceCount:
    own = [item for item in inputs if item.source == source.name]
    fates: Counter[str] = Counter()
    tokens: Counter[str] = Counter(dict.fromkeys(SPLITS, 0))
    for result in results:
        fates.update({fate: count for name, fate, count in result["fates"] if name == source.name})
        tokens.update({split: count for name, split, count in result["tokens"] if name == source.name})
    return SourceCount(
        kind=source.kind,
        licence=source.licence,
        inputs=len(own),
        bytes=sum(item.bytes for item in own),
        fates=dict(sorted(fates.items())),
        tokens=dict(sorted(tokens.items())),
    )


def _signatures(number: int) -> str:
    return f"signatures/{number:05d}.arrow"


def _files(results: list[Json], deduped: Deduped) -> dict[str, FileRecord]:
    indexes = {
        _signatures(number): FileRecord(bytes=file["bytes"], sha256=file["sha256"])
        for number, file in enumerate(deduped.indexes)
    }
    return indexes | {
        name: FileRecord(bytes=file["bytes"], sha256=file["sha256"], **result["shards"].get(name, {}))
        for result in results
        for name, file in sorted(result["files"].items())
    }


def _index(root: Path, results: list[Json]) -> dict[str, FileRecord]:
    """Write the index of the shards of each split, and say so."""
    digests = {name: file["sha256"] for result in results for name, file in result["files"].items()}
    records = {}
    for split in SPLITS:
        own = {name.rpartition("/")[2]: digests[name] for name in digests if name.startswith(f"shards/{split}/")}
        path = index_shards(root / "shards" / split, own)
        records[str(path.relative_to(root))] = FileRecord(bytes=path.stat().st_size, sha256=digest(path))
    return records


def remove_build(layout: Layout) -> None:
    """Delete what a build made, and nothing else; the lock that its caller holds stays."""
    made = [layout.manifest, *(layout.root / name for name in (*AUDITED, *PUBLISHED))]
    for path in [*made, *(path for path in layout.work.glob("*") if path != layout.lock)]:
        _remove(path)


def remove_intermediates(layout: Layout) -> None:
    """Delete what a finished build needs no more; what it is built from and what its inputs were stays on record."""
    kept = {layout.owner, layout.inventory, layout.lock}
    drop(path for path in files_below(layout.work) if path not in kept)
    for path in layout.work.iterdir():
        if path not in kept:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
