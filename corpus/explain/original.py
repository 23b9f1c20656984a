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
from typing import TYPE_CHECKING, Any

from corpus.audit.changes import changes
from registry.errors import CorpusError
from registry.recipe import Recipe

if TYPE_CHECKING:
    from corpus.opened import OpenedBuild
    from pipelines.pack import Slice
    from pipelines.preflight import Plan
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
    """One step of cleaning: its name, and the text before and after it, with personal data blanked in both."""

    name: str
    before: str
    after: str


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
    def _groups(self) -> dict[str, list[Slice]]:
        from pipelines.stages import groups_on_record

        return groups_on_record(self._opened.layout.stage("extract"))

    def find(self, row: Row) -> Original | None:
        """The text of a document as its extractor gave it, or None where nothing of it is left."""
        from pipelines.inventory import Input
        from pipelines.stages.extract import key

        item = Input(row["source"], row["uri"], Path(), 0, row["sha256"])
        for piece in self._groups.get(key(self._plan, item), []):
            text = _part_in(piece, row["part"])
            if text is not None:
                return Original(text, "intermediates")
        return self._read_again(row)

    def _read_again(self, row: Row) -> Original | None:
        from pipelines.extract import Part, Raw
        from pipelines.extract.sandbox import Sandbox
        from pipelines.extract.sniff import sniff

        path = self._raw_file(row)
        if path is None:
            return None
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

    def _raw_file(self, row: Row) -> Path | None:
        """The input's file, if it is still there with the bytes that were read."""
        import hashlib

        from pipelines.inventory import matches

        if not self._plan.path.is_file():
            return None
        source = next((s for s in self._plan.recipe.sources if s.name == row["source"]), None)
        path = dict(matches(self._plan.folder, source)).get(row["uri"]) if source else None
        if path is None or not path.is_file():
            return None
        with path.open("rb") as file:
            return path if hashlib.file_digest(file, "sha256").hexdigest() == row["sha256"] else None

    def steps(self, row: Row, original: str) -> list[Step]:
        """What cleaning did to a document, step by step, by doing it again."""
        from pipelines.normalize import normalize
        from pipelines.privacy import mask
        from registry.document import Metadata, make_document

        refine = self._plan.recipe.refine
        normal = normalize(original, **refine.normalize)
        masked = mask(normal, mode=refine.privacy)
        shown = blanked(normal, masked.cuts)
        steps = [Step("normalize", _blanked_before(original, normal, masked.cuts), shown)]
        steps.append(Step("privacy", shown, masked.text))
        blocks = self._plan._blocks() if refine.blocks else []  # noqa: SLF001 - the same steps as the build's
        if blocks:
            metadata = Metadata(**{name: row[name] for name in Metadata.__annotations__})
            document = make_document(masked.text, metadata)
            for block in blocks:
                before = document.text
                stopped = block.apply(document)
                steps.append(Step(f"block {type(block).__name__}", before, document.text))
                if stopped:
                    break
        return steps


def _part_in(piece: Slice, part: str) -> str | None:
    import pyarrow.compute as pc

    from pipelines.pack import read_slices

    for batch in read_slices([piece], ("part", "text")):
        place = pc.index(batch.column("part"), part).as_py()
        if place >= 0:
            text: str = batch.column("text")[place].as_py()
            return text
    return None


def blanked(text: str, cuts: list[Cut]) -> str:
    """`text` with the masked spans blanked, character for character."""
    pieces, at = [], 0
    for cut in sorted(cuts, key=lambda cut: cut.start):
        pieces += [text[at : cut.start], BLANK * (cut.end - cut.start)]
        at = cut.end
    return "".join([*pieces, text[at:]])


def _blanked_before(original: str, normal: str, cuts: list[Cut]) -> str:
    """`original` with everything blanked that became part of a masked span of `normal`."""
    if not cuts:
        return original
    secret = bytearray(len(normal) + 1)
    for cut in cuts:
        secret[cut.start : cut.end] = b"\1" * (cut.end - cut.start)
    pieces: list[str] = []
    at = 0  # in normal
    found = changes(original, normal)
    for number, (sign, text) in enumerate(found):
        if sign == "=":
            pieces.append("".join(BLANK if secret[at + i] else char for i, char in enumerate(text)))
        elif sign == "-":
            after = found[number + 1][1] if number + 1 < len(found) and found[number + 1][0] == "+" else ""
            touched = any(secret[max(at - 1, 0) : at + len(after) + 1])
            pieces.append(BLANK * len(text) if touched else text)
        at += len(text) if sign != "-" else 0
    return "".join(pieces)
