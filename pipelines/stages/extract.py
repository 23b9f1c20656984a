"""Stage 2: inputs -> packs of documents.

A group of rows is what one input's bytes gave, under a key made of these bytes, the options of its format's extractor,
the code, and what the source says of the kind of text. The same file under another name, or in a later build, is not
read again; nor is a page when an option of the PDF extractor changes. Which format an input is of is known once it has
been read: a record tells it, and an input that no record speaks of is read anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipelines.copies import taken
from pipelines.engine import Json, Task
from pipelines.engine.records import code_version, fingerprint
from pipelines.extract import Failure, Part, Raw
from pipelines.extract.archive import Unpacker
from pipelines.extract.sandbox import Sandbox
from pipelines.extract.sniff import sniff
from pipelines.inventory import Input
from pipelines.pack import PackWriter, Slice, plain, write_pack
from pipelines.policy import REFUSED, forbids, reserved
from pipelines.preflight import plan_once
from pipelines.stages import Progress, Run, batches, results_on_record, sweep
from registry.errors import InputError, StageError
from registry.names import extractor
from registry.storage import is_url

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.preflight import Plan
    from registry.layout import Layout
    from registry.recipe import Source

CODE = (
    "pipelines.extract", "pipelines.blocks", "pipelines.policy", "pipelines.stages.extract",
    "lxml==", "trafilatura==", "resiliparse==", "pdfplumber==", "pypdfium2==", "datatrove==", "pyarrow==",
)  # fmt: skip
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


def bytes_key(plan: Plan, item: Input) -> str:
    """Names what extracting `item` depends on, but for the options of its format."""
    source = _source(plan, item.source)
    where = item.uri if item.error else Path(item.uri).suffix
    limits = plan.recipe.extract.limits.model_dump()
    policy = plan.recipe.policy
    allowed = [forbids(policy, source), policy.reservations]
    return fingerprint(item.sha256, where, allowed, source.kind, limits, code_version(*CODE))


def key(plan: Plan, item: Input, format: str) -> str:  # noqa: A002
    """Names what extracting `item`, which is of `format`, gives; "" where no extractor read it."""
    return _key(plan, bytes_key(plan, item), format, item.source)


def _key(plan: Plan, of_bytes: str, format: str, source: str) -> str:  # noqa: A002
    return fingerprint(of_bytes, format, plan.options(format, _source(plan, source)) if format else {})


def attempt_key(plan: Plan, item: Input) -> str:
    """Names the reading of an input whose format is not known: the options of all formats count."""
    options = [plan.options(name, _source(plan, item.source)) for name in sorted(extractor)]
    return fingerprint(bytes_key(plan, item), options)


def _source(plan: Plan, name: str) -> Source:
    return next(source for source in plan.recipe.sources if source.name == name)


class Known:
    """What was extracted so far: the packs on record in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._formats: dict[str, str] = {}
        self._slices: dict[str, list[Slice]] = {}
        for result in results_on_record(folder):
            pack = str(folder / result["outputs"][0])
            self._formats.update(result["formats"])
            self._slices.update(
                {key: [Slice(pack, *numbers) for numbers in slices] for key, slices in result["groups"]}
            )

    def find(self, plan: Plan, item: Input) -> tuple[str, list[Slice]] | None:
        """The key and the slices of what `item` gave with the options of `plan`."""
        format = self._formats.get(bytes_key(plan, item))  # noqa: A001
        if format is None:
            return None
        name = key(plan, item, format)
        return (name, self._slices[name]) if name in self._slices else None


def extract(run: Run, inputs: list[Input]) -> list[tuple[Input, str, list[Slice]]]:
    """Every input with the key and the slices of its documents, in the order of the inventory."""
    folder, plan = run.layout.stage("extract"), run.plan
    known = Known(folder)
    unread = [(item, attempt_key(plan, item)) for item in inputs if known.find(plan, item) is None]
    first = {k: item for item, k in reversed(unread)}  # the same bytes under several names are read once
    missing = [((item, k), item.bytes) for item, k in unread if first[k] is item]
    if missing:
        run.perform(
            "extract",
            f"{__name__}:task",
            (_task(run, batch, folder) for batch in batches(missing, run.plan.recipe.engine.task_bytes)),
            "bytes",
        )
        known = Known(folder)
    found = [(item, *_certain(known.find(plan, item), item)) for item in inputs]
    sweep(folder, (piece.path for _, _, slices in found for piece in slices))
    return found


def _certain(found: tuple[str, list[Slice]] | None, item: Input) -> tuple[str, list[Slice]]:
    if found is None:
        raise StageError(f"{item.source}/{item.uri}: what was extracted of it has vanished; run the same command again")
    return found


def missing(plan: Plan, layout: Layout, inputs: list[Input]) -> list[Input]:
    """The inputs whose documents are not on record yet."""
    known = Known(layout.stage("extract"))
    return [item for item in inputs if known.find(plan, item) is None]


def _task(run: Run, batch: list[tuple[Any, int]], folder: Path) -> Task:
    spec = {**run.recipe_spec, **reading(run.plan, [item for (item, _), _ in batch], run.layout)}
    name = fingerprint([k for (_, k), _ in batch])
    return Task(name, spec, str(folder), max(1, sum(size for _, size in batch)))


def reading(plan: Plan, inputs: list[Input], layout: Layout) -> Json:
    """What a task has to know of the inputs that it reads."""
    items = [
        {
            "key": bytes_key(plan, item),
            "path": item.place,
            "uri": item.uri,
            "source": item.source,
            "sha256": item.sha256,
            "bytes": item.bytes,
            "member": item.member,
            "error": item.error,
        }
        for item in inputs
    ]
    return {"inputs": items, "log": str(layout.logs / "parsers.log"), "fetched": str(layout.fetched)}


def task(spec: Json, target: Path, progress: Progress) -> Json:
    """Extract the inputs of one task into one pack."""
    plan = plan_once(spec["recipe"], tuple(spec["changes"]))
    limits = plan.recipe.extract.limits
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
            format, rows = _read(plan, sandbox, item, nearby)  # noqa: A001
            formats.append([item["key"], format])
            groups.append([_key(plan, item["key"], format, item["source"]), _add(rows, pack)])
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


def _read(plan: Plan, sandbox: Sandbox, item: Json, nearby: _Nearby) -> tuple[str, Iterator[dict[str, Any]]]:
    """The format of one input, "" where it was not read, and its rows: at least one, whatever happens."""
    policy, source = plan.recipe.policy, _source(plan, item["source"])
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
