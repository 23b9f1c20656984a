"""The public API in Python: build a corpus, open one that was built.

built = corpus.build("recipe.yaml", out="builds/mine", changes=["dedup.near.threshold=0.7"])
for row in built.ledger(fate="rejected"):
    print(row["uri"], row["rule"], row["value"], row["threshold"])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from registry.domain import find_recipe
from registry.errors import BuildFolderError
from registry.layout import Layout
from registry.ledger import rows
from registry.manifest import Manifest, read_manifest
from registry.published import bring, catch_up

if TYPE_CHECKING:
    from registry.shards import Shards


@dataclass(frozen=True, slots=True)
class OpenedBuild:
    """A finished build: its manifest, and its rows as dictionaries."""

    layout: Layout
    manifest: Manifest

    def ledger(self, **equal: str) -> Iterator[dict[str, Any]]:
        """One row per document ever seen; `equal` selects, such as ``fate="kept"`` or ``source="filings"``."""
        return rows(self.layout.ledger, **equal)

    def documents(self, **equal: str) -> Iterator[dict[str, Any]]:
        """The kept documents with their text."""
        return rows(self.layout.documents, **equal)

    def rejects(self, **equal: str) -> Iterator[dict[str, Any]]:
        """The documents that were not kept, with their text."""
        return rows(self.layout.rejects, **equal)

    def shards(self, split: Literal["train", "validation"] = "train") -> Shards:
        """The token rows of one split."""
        from registry.shards import Shards

        return Shards(self.layout.shards / split)


def build(
    recipe: str | Path,
    out: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    workers: int | None = None,
    engine: str = "local",
    fresh: bool = False,
) -> OpenedBuild:
    """Build a corpus, or do what is missing of it, and open it.

    Args:
        recipe: a recipe file, a folder with a recipe.yaml, or the name of a domain that comes with the package.
        out: the build folder, a path or a URL; default: ``builds/NAME``.
        changes: ``KEY=VALUE`` on top of the recipe.
        workers: tasks at a time; default: one per core, or as many as a cluster runs.
        engine: what runs the tasks: "local", "ray" or "slurm".
        fresh: start over.

    Raises:
        registry.errors.CorpusError: in one sentence, what is wrong, where, and what to do.
    """
    from corpus.audit import write
    from pipelines.build import build as run

    mode: Literal["fresh", "continue"] = "fresh" if fresh else "continue"
    built = run(find_recipe(str(recipe)), out, changes=changes, workers=workers, engine=engine, mode=mode)
    opened = OpenedBuild(built.layout, built.manifest)
    write(opened)
    return opened


def open_build(folder: str | Path) -> OpenedBuild:
    """Open the build in `folder`, a path or a URL; of one on object storage a copy is kept, and brought up to date.

    Raises:
        BuildFolderError: there is none, or it is not finished.
        RecordError: its manifest is damaged or of another version.
    """
    layout = Layout.at(folder)
    catch_up(layout)
    manifest = read_manifest(layout.manifest)
    if manifest is None:
        state = "an unfinished build: run `corpus build` again" if layout.owner.is_file() else "no build"
        raise BuildFolderError(f"{folder} holds {state}")
    bring(layout, manifest)
    return OpenedBuild(layout, manifest)
