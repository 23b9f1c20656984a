"""Stage 2: inputs -> packs of documents.

A group of rows is what one input's bytes gave, under a key (`pipelines.stages.extracted`). The same file under another
name, or in a later build, is not read again; nor is a page when an option of the PDF extractor changes. An input that
no record speaks of is read, whatever its format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipelines.copies import taken
from pipelines.engine import Json, Task
from pipelines.engine.records import fingerprint
from pipelines.extract import Failure, Part, Raw
from pipelines.extract.archive import Unpacker
from pipelines.extract.sandbox import Sandbox
from pipelines.extract.sniff import sniff
from pipelines.inventory import Input
from pipelines.pack import PackWriter, Slice, plain, write_pack
from pipelines.policy import REFUSED, forbids, reserved
from pipelines.preflight import plan_once
from pipelines.stages import Progress, Run, batches, sweep
from pipelines.stages.extracted import Keys, Known
from registry.errors import InputError, StageError
from registry.storage import is_url

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.preflight import Plan
    from registry.layout import Layout
    from registry.recipe import Source

_SLICE_ROWS = 2000  # a slice is what one refine task takes at least
_SLICE_CHARACTERS = 4 << 20


def schema() -> pa.Schema:
    """Rows of a pack: documents, and places that could not be read (`reason` is not empty)."""
    import pyarrow as pa

    texts = ["part", "text", "title", "date", "media_type", "reason", "detail"]
    maps = [
        pa.field("metadata", pa.map_(pa.string(), pa.string())),
        pa.field("measurements", pa.map_(pa.string(), pa.float64())),
    ]
    return pa.schema([pa.field(name, pa.large_string() if name == "text" else pa.string()) for name in texts] + maps)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An input and the key of its bytes, which is made up once."""

    item: Input
    of_bytes: str


def extract(run: Run, inputs: list[Input]) -> list[tuple[Input, str, list[Slice]]]:
    """Every input with the key and the slices of its documents, in the order of the inventory."""
    folder, keys = run.layout.stage("extract"), Keys(run.plan)
    wanted = [Wanted(item, keys.of_bytes(item)) for item in inputs]
    known = Known(folder, keys)
    found = [known.find(one.of_bytes, one.item.source) for one in wanted]
    first: dict[str, Wanted] = {}  # the same bytes under several names are read once
    for one, there in zip(wanted, found, strict=True):
        if there is None:
            first.setdefault(keys.of_attempt(one.of_bytes, one.item.source), one)
    if first:
        pairs = [((one, attempt), one.item.bytes) for attempt, one in first.items()]
        cut = batches(pairs, run.plan.recipe.engine.task_bytes)
        run.perform("extract", f"{__name__}:task", (_task(run, batch, folder) for batch in cut), "bytes")
        known = Known(folder, keys)
        found = [known.find(one.of_bytes, one.item.source) for one in wanted]
    certain = [(one.item, *_certain(there, one.item)) for one, there in zip(wanted, found, strict=True)]
    sweep(folder, (piece.path for _, _, slices in certain for piece in slices))
    return certain


def _certain(found: tuple[str, list[Slice]] | None, item: Input) -> tuple[str, list[Slice]]:
    if found is None:
        raise StageError(f"{item.source}/{item.uri}: what was extracted of it has vanished; run the same command again")
    return found


def missing(plan: Plan, layout: Layout, inputs: list[Input]) -> list[Input]:
    """The inputs whose documents are not on record yet."""
    keys = Keys(plan)
    known = Known(layout.stage("extract"), keys)
    return [item for item in inputs if known.find(keys.of_bytes(item), item.source) is None]


def _task(run: Run, batch: list[tuple[Any, int]], folder: Path) -> Task:
    spec = {**run.recipe_spec, **reading([one for (one, _), _ in batch], run.layout)}
    name = fingerprint([attempt for (_, attempt), _ in batch])
    return Task(name, spec, str(folder), max(1, sum(size for _, size in batch)))


def reading(wanted: list[Wanted], layout: Layout) -> Json:
    """What a task has to know of the inputs that it reads."""
    items = [
        {
            "key": one.of_bytes,
            "path": one.item.place,
            "uri": one.item.uri,
            "source": one.item.source,
            "sha256": one.item.sha256,
            "bytes": one.item.bytes,
            "member": one.item.member,
            "error": one.item.error,
        }
        for one in wanted
    ]
    return {"inputs": items, "log": str(layout.logs / "parsers.log"), "fetched": str(layout.fetched)}


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Extract the inputs of one task into one pack."""
    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    limits, keys = plan.recipe.extract.limits, Keys(plan)
    output = target.with_suffix(".arrow")
    formats: list[list[str]] = []
    groups: list[Json | list[Any]] = []
    with (
        TemporaryDirectory() as scratch,
        closing(_Nearby(Path(scratch), Path(spec["fetched"]))) as nearby,
        Sandbox(Path(spec["log"]), seconds=limits.seconds, memory=limits.bytes) as sandbox,
        write_pack(output, schema()) as pack,
    ):
        for item in spec["inputs"]:
            format, rows = _read(plan, keys.source(item["source"]), sandbox, item, nearby)  # noqa: A001
            formats.append([item["key"], format])
            groups.append([keys.of_format(item["key"], format, item["source"]), _add(rows, pack)])
            progress(item["bytes"])
    return {"outputs": [output.name], "formats": formats, "groups": groups}


class _Nearby:
    """The bytes of inputs as files on this machine: where they lie, fetched from a storage, or out of an archive."""

    def __init__(self, scratch: Path, kept: Path) -> None:
        self._scratch = scratch
        self._kept = kept
        self._unpacker = Unpacker(scratch)
        self._last: tuple[str, Path] = ("", scratch)
        self._copy = ExitStack()

    def close(self) -> None:
        """Delete the copy that was fetched last."""
        self._copy.close()
        self._last = "", self._scratch

    def find(self, item: Json) -> Path:
        """Where the bytes of an input lie.

        Raises:
            InputError: the reason that the inventory found, or what is wrong with the file or the archive now.
        """
        reason, _, detail = item["error"].partition(": ")
        if detail:
            raise InputError(reason, detail)
        path = self._fetched(item["path"])
        return self._unpacker.fetch(path, item["member"]) if item["member"] else path

    def _fetched(self, place: str) -> Path:
        if not is_url(place):
            return Path(place)
        if self._last[0] != place:
            self.close()
            try:
                self._last = place, self._copy.enter_context(taken(place, self._kept, self._scratch))
            except FileNotFoundError:
                raise InputError("changed", "the file went away while the build ran; build again") from None
        return self._last[1]


def _add(rows: Iterator[dict[str, Any]], pack: PackWriter) -> list[list[int]]:
    """Add all rows of one input; returns its slices as (first, rows, characters)."""
    slices = [[pack.count, 0, 0]]
    for row in rows:
        if slices[-1][1] >= _SLICE_ROWS or slices[-1][2] >= _SLICE_CHARACTERS:
            slices.append([pack.count, 0, 0])
        pack.add(row)
        slices[-1][1] += 1
        slices[-1][2] += len(row["text"])
    return slices


def _read(
    plan: Plan, source: Source, sandbox: Sandbox, item: Json, nearby: _Nearby
) -> tuple[str, Iterator[dict[str, Any]]]:
    """The format of one input, "" where it was not read, and its rows: at least one, whatever happens."""
    policy = plan.recipe.policy
    if rule := forbids(policy, source):
        return "", iter([_row(Failure(REFUSED, rule), "")])
    try:
        path = nearby.find(item)
        sniffed = _sniff_unchanged(path, item["sha256"])
        if rule := reserved(policy, path, sniffed.media_type):
            return sniffed.format, iter([_row(Failure(REFUSED, rule), sniffed.media_type)])
    except InputError as error:
        return "", iter([_row(Failure(error.reason, error.detail), "")])
    except OSError as error:
        return "", iter([_row(Failure("unreadable", error.strerror or type(error).__name__), "")])
    raw = Raw(path, item["uri"], source.kind, sniffed.media_type)
    found = sandbox.extract(raw, sniffed.format, plan.options(sniffed.format, source))
    return sniffed.format, (_row(one, sniffed.media_type) for one in _whole(found))


def _whole(found: Iterator[Part | Failure]) -> Iterator[Part | Failure]:
    """What an extractor gives, no part twice, and at its end what went wrong, or that there was nothing."""
    parts: set[str] = set()
    try:
        for one in found:
            if one.part in parts:
                one = Failure("repeated_part", f"a second {one.part!r}", f"{one.part}#{len(parts)}")  # noqa: PLW2901
            parts.add(one.part)
            yield one
        if not parts:
            yield Failure("empty", "no document in it")
    except InputError as error:
        yield Failure(error.reason, error.detail, f"after {len(parts)}" if parts else "")
    except OSError as error:
        yield Failure("unreadable", error.strerror or type(error).__name__)


def _sniff_unchanged(path: Path, sha256: str) -> Any:
    with path.open("rb") as file:
        now = hashlib.file_digest(file, "sha256").hexdigest()
    if now != sha256:
        raise InputError("changed", "the file changed while the build ran; build again")
    return sniff(path)


def _row(found: Part | Failure, media_type: str) -> dict[str, Any]:
    row: dict[str, Any] = {"part": found.part, "media_type": media_type}
    if isinstance(found, Failure):
        empty: dict[str, Any] = {"text": "", "title": "", "date": "", "metadata": [], "measurements": []}
        return {**row, **empty, "reason": found.reason, "detail": found.detail}
    text = found.text.encode("utf-8", "replace").decode("utf-8")  # Arrow has no lone surrogates
    maps = {"metadata": plain(found.metadata), "measurements": plain(found.measurements)}
    return {**row, **maps, "text": text, "title": found.title, "date": found.date, "reason": "", "detail": ""}
