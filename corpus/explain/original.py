"""The text of a document before it was cleaned, and what each step of cleaning made of it.

In: rows of the ledger. Out: the text as the extractor gave it, from the build's own intermediates, or read again from
the raw file where these are gone; and the text after each step, by running the recipe's steps again. Where neither is
left, or the code has changed since, the answer says so. Personal data are blanked: what was masked is nowhere shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from corpus.audit.changes import Change, changes
from registry.errors import CorpusError
from registry.mirror import fetch
from registry.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corpus.opened import OpenedBuild
    from pipelines.pack import Slice
    from pipelines.preflight import Plan
    from pipelines.stages.extracted import Keys, Known
    from registry.ledger import Cut

Row = dict[str, Any]
BLANK = "█"


@dataclass(frozen=True, slots=True)
class Original:
    """A document before cleaning. `place` says where it was found: "intermediates" or "raw file"."""

    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of cleaning: the text after it, and the changes that led there, with personal data blanked in both.

    Of masking the changes are not told here: the spans stand in the ledger, and the values nowhere.
    """

    name: str
    after: str
    changes: list[Change]

    @property
    def before(self) -> str:
        """The text before it, blanked."""
        return "".join(text for sign, text in self.changes if sign != "+")


class Originals:
    """Finds originals; what it reads once, it keeps."""

    def __init__(self, opened: OpenedBuild) -> None:
        self._opened = opened

    @cached_property
    def _plan(self) -> Plan:
        """The recipe as it was; the names in it are not looked up again, which takes 0.4 s."""
        from pipelines.preflight import Plan

        try:
            owner = json.loads(self._opened.layout.owner.read_bytes())
        except (OSError, ValueError):
            owner = {}
        return Plan(Path(owner.get("recipe", "recipe.yaml")), Recipe.model_validate(self._opened.manifest.recipe), {})

    @cached_property
    def _known(self) -> tuple[Keys, Known]:
        from pipelines.stages.extracted import Keys, Known

        keys = Keys(self._plan)
        return keys, Known(self._opened.layout.stage("extract"), keys)

    def find(self, row: Row) -> Original | None:
        """The text of a document as its extractor gave it, or None where nothing of it is left."""
        from pipelines.inventory import Input

        item = Input(row["source"], row["uri"], "", 0, row["sha256"])
        keys, known = self._known
        _, slices = known.find(keys.of_bytes(item), item.source) or ("", [])
        fetch(Path(piece.path) for piece in slices)
        for piece in slices:
            text = _part_in(piece, row["part"])
            if text is not None:
                return Original(text, "intermediates")
        return self._read_again(row)

    def _read_again(self, row: Row) -> Original | None:
        with TemporaryDirectory() as folder:
            path = self._raw_file(row, Path(folder))
            return self._extracted(row, path) if path is not None else None

    def _extracted(self, row: Row, path: Path) -> Original | None:
        from pipelines.extract import Part, Raw
        from pipelines.extract.sandbox import Sandbox
        from pipelines.extract.sniff import sniff

        source = next(s for s in self._plan.recipe.sources if s.name == row["source"])
        limits = self._plan.recipe.extract.limits
        log = self._opened.layout.logs / "explain.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            sniffed = sniff(path)
            raw = Raw(path, row["uri"], source.kind, sniffed.media_type)
            with Sandbox(log, seconds=limits.seconds, memory=limits.bytes) as sandbox:
                for found in sandbox.extract(raw, sniffed.format, self._plan.options(sniffed.format, source)):
                    if isinstance(found, Part) and found.part == row["part"]:
                        return Original(found.text.encode("utf-8", "replace").decode("utf-8"), "raw file")
        except (CorpusError, OSError):
            return None
        return None

    def _raw_file(self, row: Row, folder: Path) -> Path | None:
        """The input's file, if it is still there with the bytes that were read; of an archive, unpacked to `folder`."""
        import hashlib

        from pipelines.extract.archive import Unpacker
        from pipelines.inventory import matches

        if not self._plan.path.is_file():
            return None
        source = next((s for s in self._plan.recipe.sources if s.name == row["source"]), None)
        uri, _, member = row["uri"].partition("!/")
        places = matches(self._plan.folder, source) if source else iter(())
        path = next((place.where for place in places if place.uri == uri), None)
        if not isinstance(path, Path) or not path.is_file():  # a file at a URL is not fetched for this
            return None
        try:
            path = Unpacker(folder).fetch(path, member) if member else path
        except (CorpusError, OSError):
            return None
        with path.open("rb") as file:
            return path if hashlib.file_digest(file, "sha256").hexdigest() == row["sha256"] else None

    def steps(self, row: Row, original: str) -> list[Step]:
        """What cleaning did to a document, step by step, by doing it again."""
        from pipelines.normalize import normalize
        from pipelines.privacy import mask

        refine = self._plan.recipe.refine
        normal = normalize(original, **refine.normalize)
        masked = mask(normal, mode=refine.privacy, officers=refine.officers)
        steps = [Step("normalize", normal, _blanked(changes(original, normal), normal, masked.cuts))]
        steps.append(Step("privacy", masked.text, []))
        return [*steps, *self._blocks(row, masked.text)] if refine.blocks else steps

    def _blocks(self, row: Row, text: str) -> Iterator[Step]:
        """What the recipe's blocks did, until one refused the document."""
        from registry.document import Metadata, make_document

        metadata = cast("Metadata", {name: row[name] for name in Metadata.__annotations__})
        document = make_document(text, metadata)
        for block in self._plan.blocks():
            before = document.text
            refused = block.apply(document)
            yield Step(f"block {type(block).__name__}", document.text, changes(before, document.text))
            if refused is not None:
                return


def _part_in(piece: Slice, part: str) -> str | None:
    import pyarrow.compute as pc

    from pipelines.pack import read_slices

    for batch in read_slices([piece], ("part", "text")):
        place = pc.index(batch.column("part"), part).as_py()
        if place >= 0:
            text: str = batch.column("text")[place].as_py()
            return text
    return None


def _blanked(found: list[Change], normal: str, cuts: list[Cut]) -> list[Change]:
    """The changes that lead to `normal`, with the masked spans blanked, and all that became part of one of them."""
    if not cuts:
        return found
    secret = bytearray(len(normal) + 1)
    for cut in cuts:
        secret[cut.start : cut.end] = b"\1" * (cut.end - cut.start)
    told: list[Change] = []
    at = 0  # in `normal`
    for number, (sign, text) in enumerate(found):
        if sign == "-":
            after = found[number + 1][1] if number + 1 < len(found) and found[number + 1][0] == "+" else ""
            touched = any(secret[max(at - 1, 0) : at + len(after) + 1])
            told.append((sign, BLANK * len(text) if touched else text))
            continue
        hidden = secret[at : at + len(text)]
        told.append((sign, "".join(BLANK if hide else char for char, hide in zip(text, hidden, strict=True))))
        at += len(text)
    return told
