"""What was extracted so far, and the names under which it is kept.

In: a plan, inputs, the records of stage 2. Out: of each input a key, and the slices of packs that hold its documents.
A key is made of the input's bytes, the options of its format's extractor, the code, and what the source says of the
kind of text. Of which format an input is, only its reading tells; so there is a key of its bytes, with what holds for
all formats, under which the record tells the format. What is the same for all inputs of a source is made up once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine.records import code_version, fingerprint
from pipelines.pack import Slice
from pipelines.policy import forbids
from pipelines.stages import results_on_record
from registry.names import extractor

if TYPE_CHECKING:
    from pipelines.inventory import Input
    from pipelines.preflight import Plan
    from registry.recipe import Source

CODE = (
    "pipelines.extract", "pipelines.blocks", "pipelines.policy", "pipelines.stages.extract",
    "pipelines.stages.extracted",
    "lxml==", "trafilatura==", "resiliparse==", "pdfplumber==", "pypdfium2==", "datatrove==", "pyarrow==",
)  # fmt: skip


class Keys:
    """Names what extracting inputs depends on, by one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sources = {source.name: source for source in plan.recipe.sources}
        self._around = cache(self._around_bytes)
        self._options = cache(self._options_of)

    def of_bytes(self, item: Input) -> str:
        """Of all but the options of its format."""
        where = item.uri if item.error else Path(item.uri).suffix
        return fingerprint(item.sha256, where, *self._around(item.source))

    def of_format(self, of_bytes: str, format: str, source: str) -> str:  # noqa: A002
        """Of what the reading as `format` gives; "" where no extractor read it."""
        return fingerprint(of_bytes, self._options(format, source) if format else [{}])

    def of_attempt(self, of_bytes: str, source: str) -> str:
        """Of the reading of an input whose format is not known: the options of all formats count."""
        return fingerprint(of_bytes, [self._options(name, source) for name in sorted(extractor)])

    def source(self, name: str) -> Source:
        """The source of this name."""
        return self._sources[name]

    def _around_bytes(self, source: str) -> list[Any]:
        recipe, given = self._plan.recipe, self._sources[source]
        allowed = [forbids(recipe.policy, given), recipe.policy.reservations]
        return [allowed, given.kind, recipe.extract.limits.model_dump(), code_version(*CODE)]

    def _options_of(self, format: str, source: str) -> list[Any]:  # noqa: A002
        return [format, self._plan.options(format, self._sources[source])]


class Known:
    """The packs on record in `folder`."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._keys = keys
        self._formats: dict[str, str] = {}
        self._slices: dict[str, list[Slice]] = {}
        for result in results_on_record(folder):
            pack = str(folder / result["outputs"][0])
            self._formats.update(result["formats"])
            self._slices.update(
                {key: [Slice(pack, *numbers) for numbers in slices] for key, slices in result["groups"]}
            )

    def find(self, of_bytes: str, source: str) -> tuple[str, list[Slice]] | None:
        """The key and the slices of what an input gave that has this key of its bytes."""
        format = self._formats.get(of_bytes)  # noqa: A001
        if format is None:
            return None
        name = self._keys.of_format(of_bytes, format, source)
        return (name, self._slices[name]) if name in self._slices else None
