"""The six stages in order: inventory, extract, refine, dedup, write, report.

In: a recipe and a folder. Out: a build (registry/layout.py says what is in it), or what was done of it so far and one
clear error. Running it again does what is missing and nothing else; with nothing missing it takes about a second.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.engine import Site, launcher
from pipelines.engine.records import code_version, fingerprint
from pipelines.inventory import Input, take_inventory
from pipelines.preflight import Plan, plan
from pipelines.report import remove_build, remove_intermediates, report
from pipelines.stages import Run, dedup, extract, extracted, refine, survey, write
from registry.errors import BuildFolderError, StageError
from registry.layout import Layout
from registry.manifest import Manifest, read_manifest
from registry.mirror import mirror_of, put
from registry.publish import write_json
from registry.published import bring, catch_up, publish, remove
from registry.recipe import load_engine

if TYPE_CHECKING:
    from rich.console import Console

Mode = Literal["continue", "resume", "fresh"]


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build. `changed` tells whether there was anything to do."""

    layout: Layout
    manifest: Manifest
    changed: bool


def build(
    recipe: Path,
    out: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    workers: int | None = None,
    engine: str = "local",
    engine_file: Path | None = None,
    mode: Mode = "continue",
    console: Console | None = None,
) -> Built:
    """Build the corpus of `recipe` in `out` (default: ``builds/NAME``).

    Args:
        recipe: the recipe file.
        out: the build folder, a path or a URL; made if it is not there.
        changes: ``KEY=VALUE`` on top of the recipe.
        workers: tasks at a time; default: one per core that this process may use, or as many as the cluster runs.
        engine: the name of a launcher of pipelines.engine.
        engine_file: options of the engine; default: ``engine.yaml`` beside the recipe, where there is one.
        mode: "continue" takes up what is there or starts; "resume" insists that something is there; "fresh" starts
            over.
        console: where progress is shown; default: nowhere.

    Raises:
        UsageError: the recipe or the folder is wrong; nothing was done.
        StageError: a stage could not be finished; what was done is kept.
    """
    from rich.console import Console

    made = with_engine(plan(recipe, tuple(changes)), engine_file, tuple(changes))
    layout = Layout.at(out or Path("builds") / made.recipe.name)
    try:
        start = launcher.get(engine)
        site = Site(layout.work.resolve(), workers, made.recipe.engine)
        with _claimed(layout, made, mode), start(site) as running:
            run = Run(made, tuple(changes), layout, running, console or Console(quiet=True))
            return _build(run)
    except OSError as error:
        place = error.filename2 or error.filename  # of a copy, where it was to go
        where = f": {place}" if place else ""
        raise StageError(
            f"{error.strerror or error}{where}\nWhat was done is kept; run the same command again"
        ) from error


def _build(run: Run) -> Built:
    layout = run.layout
    inputs = take_inventory(run.plan, layout.inventory, layout.logs / "parsers.log", layout.fetched)
    put([run.layout.inventory])
    name = _fingerprint(run.plan, inputs)
    manifest = read_manifest(run.layout.manifest)
    if manifest is not None and manifest.fingerprint == name and manifest.describes(run.layout.root):
        bring(run.layout, manifest)
        return Built(run.layout, manifest, changed=False)
    extracted = extract.extract(run, inputs)
    shutil.rmtree(layout.fetched, ignore_errors=True)
    refined = refine.refine(run, extracted)
    deduped = dedup.dedup(run, refined)
    sample = survey.survey(run, refined)
    results = write.write(run, refined, [deduped.duplicates, *deduped.paragraphs], fast=sample["fast"])
    seen = sum(piece.rows for _, _, slices in extracted for piece in slices)
    made = report(run, name, inputs, seen, results, deduped, sample["record"])
    publish(run.layout, made)
    return Built(run.layout, made, changed=True)


def missing(made: Plan, layout: Layout) -> tuple[list[Input], list[Input]]:
    """All inputs of a build, and those whose documents are not on record yet: what `--dry-run` tells."""
    catch_up(layout)
    inputs = take_inventory(made, layout.inventory if layout.work.is_dir() else None)
    return inputs, extract.missing(made, layout, inputs)


def _fingerprint(made: Plan, inputs: list[Input]) -> str:
    files = [[item.source, item.uri, item.sha256, item.error] for item in inputs]
    code = code_version(
        *dict.fromkeys((*extracted.CODE, *refine.CODE, *dedup.CODE, *survey.CODE, *write.CODE, "pipelines.report"))
    )
    options = [made.recipe.made_of(), refine.measuring_key(made), refine.judging_key(made), dedup.options_key(made)]
    return fingerprint(files, options, write.tokenizer(made).key, code)


def clean(layout: Layout) -> None:
    """Delete the intermediates of a finished build; a later change then does all of it again.

    Raises:
        BuildFolderError: another build is writing there.
    """
    with _locked(layout):
        remove_intermediates(layout)


def with_engine(made: Plan, file: Path | None, changes: tuple[str, ...]) -> Plan:
    """The plan with the options of an `engine.yaml`: how a corpus is built is the site's affair, not the recipe's.

    Raises:
        RecipeError: the file is wrong, or is named and is not there.
    """
    path = file or made.folder / "engine.yaml"
    if file is None and not path.is_file():
        return made
    options = load_engine(path, made.recipe, changes)
    return replace(made, recipe=made.recipe.model_copy(update={"engine": options}))


@contextmanager
def _claimed(layout: Layout, made: Plan, mode: Mode) -> Iterator[None]:
    """Make sure that the folder is ours to write, and nobody else's while we do."""
    catch_up(layout)
    _check_folder(layout, made.recipe.name, mode)
    layout.work.mkdir(parents=True, exist_ok=True)
    with _locked(layout):
        if mode == "fresh":
            remove(layout)
            remove_build(layout)
        write_json(layout.owner, {"name": made.recipe.name, "recipe": str(made.path.resolve())})
        put([layout.owner])
        yield


@contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    with layout.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildFolderError(
                f"{layout.shown}: another build is writing here; wait for it or choose --out"
            ) from None
        yield


def _check_folder(layout: Layout, name: str, mode: Mode) -> None:
    root, called = layout.root, layout.shown
    if root.exists() and not root.is_dir():
        raise BuildFolderError(f"{root} is a file; --out names a folder")
    owner = _owner(layout)
    if owner is None:
        if mode == "resume":
            raise BuildFolderError(f"{called}: there is no build to resume; leave out --resume to start one")
        if _holds_anything(root):
            raise BuildFolderError(f"{called} holds files that are not a build; choose another --out")
    elif owner != name:
        raise BuildFolderError(f"{called} holds the build of {owner!r}, not of {name!r}; choose another --out")


def _holds_anything(root: Path) -> bool:
    mirror = mirror_of(root)
    return bool(mirror.sizes(root)) if mirror else root.is_dir() and any(root.iterdir())


def _owner(layout: Layout) -> str | None:
    """The name of the recipe whose build lies here, if one does."""
    for path in (layout.manifest, layout.owner):
        try:
            name = json.loads(path.read_bytes())["name"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return str(name)
    return None
