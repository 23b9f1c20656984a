"""`corpus build`: a recipe to a corpus, with progress on standard error and a closing table on standard output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from corpus.opened import OpenedBuild
    from pipelines.forecast import Forecast
    from pipelines.preflight import Plan
    from registry.layout import Layout

_PARTIAL = 3
_TOLD = 20  # kinds of failures that are told: what failed alike in a file, or whole files of a source


@click.command("build")
@click.argument("recipe", metavar="RECIPE|DOMAIN")
@click.option("--out", help="The build folder, a path or a URL.  [default: builds/NAME]")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Tasks at a time.  [default: one per core, or all that a cluster has]"
)
@click.option("--engine", default="local", show_default=True, metavar="local|ray|slurm", help="What runs the tasks.")
@click.option("--ray-address", envvar="RAY_ADDRESS", metavar="HOST:PORT", help="A Ray cluster.  [default: a local one]")
@click.option(
    "--engine-file",
    type=click.Path(path_type=Path),
    help="Options of the engine.  [default: engine.yaml beside the recipe]",
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe; may be repeated."
)
@click.option("--resume", is_flag=True, help="Go on with a build that is there; an error if none is.")
@click.option("--fresh", is_flag=True, help="Forget what is there and start over.")
@click.option(
    "--clean", is_flag=True, help="Delete the intermediates in .work/ when the build is whole; a change then costs all."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Tell what would be done, and what it would take, from a measured sample; do nothing.",
)
def command(
    recipe: str,
    out: str | None,
    workers: int | None,
    engine: str,
    ray_address: str | None,
    engine_file: Path | None,
    changes: tuple[str, ...],
    resume: bool,
    fresh: bool,
    clean: bool,
    dry_run: bool,
) -> int:
    """Build a corpus: documents, ledger and tokenized shards.

    RECIPE is a recipe file or a folder with a recipe.yaml; DOMAIN is the name of a domain that `corpus ls` lists.
    Running it again does what is missing and nothing else.
    """
    from rich.console import Console

    from pipelines import build as building
    from pipelines.preflight import plan
    from registry.arrow import forgo_pandas
    from registry.domain import find_recipe
    from registry.layout import Layout

    forgo_pandas()
    if resume and fresh:
        raise click.UsageError("--resume goes on with a build and --fresh starts over: choose one")
    path = find_recipe(recipe)
    if dry_run:
        made = plan(path, changes)
        _show_plan(made, changes, Layout.at(out or Path("builds") / made.recipe.name), workers)
        return 0
    if engine == "ray" and ray_address:
        changes += (f"engine.ray.address={json.dumps(ray_address)}",)
    mode: Literal["resume", "fresh", "continue"] = "resume" if resume else "fresh" if fresh else "continue"
    progress = Console(stderr=True)
    from corpus.audit import write
    from corpus.opened import OpenedBuild

    done = building.build(
        path,
        out,
        changes=changes,
        workers=workers,
        engine=engine,
        engine_file=engine_file,
        mode=mode,
        console=progress,
    )
    opened = OpenedBuild(done.layout, done.manifest)
    write(opened)
    if clean:
        building.clean(done.layout)  # last: the audit looks at what was extracted
    _enter_catalog(opened, progress)
    _show(opened, changed=done.changed)
    return _PARTIAL if done.manifest.fates.get("failed") else 0


def _show_plan(made: Plan, changes: tuple[str, ...], layout: Layout, workers: int | None) -> None:
    from pipelines.build import missing
    from pipelines.engine.local import cores
    from pipelines.forecast import forecast

    inputs, fresh = missing(made, layout)
    click.echo(f"{made.recipe.name} -> {layout.shown}")
    for source in made.recipe.sources:
        own = [item for item in inputs if item.source == source.name]
        new = [item for item in fresh if item.source == source.name]
        click.echo(
            f"  {source.name} ({source.kind}): {len(own):,} inputs, {_size(sum(i.bytes for i in own))}; "
            f"{len(new):,} to extract, {_size(sum(i.bytes for i in new))}"
        )
    if fresh:
        _show_forecast(forecast(made, changes, fresh), workers or cores())
    click.echo("nothing was done (--dry-run)")


def _show_forecast(found: Forecast, workers: int) -> None:
    """What is to come, for what is to extract; from the sample alone where that is all."""
    from pipelines.engine.progress import duration
    from pipelines.forecast import STAGES

    sample, whole = found.sample, found.whole
    click.echo(
        f"  measured on {found.inputs:,} inputs, {_size(sample.bytes)}, in {sum(sample.seconds.values()):.1f} s:"
    )
    for stage in STAGES:
        click.echo(f"    {stage:<8} {found.tasks(stage):>8,} tasks  {duration(whole.seconds[stage] / workers):>8}")
    click.echo(f"    all in about {duration(found.seconds(workers))} with {workers} workers, on cores of their own")
    click.echo(f"    disk: about {_size(whole.work)} in .work/, {_size(whole.published)} published")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _enter_catalog(opened: OpenedBuild, progress: Console) -> None:
    import sqlite3

    from registry.catalog import catalog_path, record

    try:
        record(opened.layout.shown, opened.manifest, catalog_path())
    except (OSError, sqlite3.Error) as error:
        progress.print(f"the catalog could not be written ({error}); the build is whole", style="yellow", markup=False)


def _show(opened: OpenedBuild, *, changed: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from registry.ledger import FATES

    manifest = opened.manifest
    columns = ("source", "kind", "inputs", "kept", "rejected", "duplicate", "failed", "tokens")
    table = Table(title=f"{manifest.name}: documents by fate", title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="left" if column in {"source", "kind"} else "right")
    for name in (source["name"] for source in manifest.recipe["sources"]):  # in the recipe's order
        count = manifest.sources[name]
        table.add_row(name, count.kind, f"{count.inputs:,}", *_fates(count.fates), f"{sum(count.tokens.values()):,}")
    total = sum(count.inputs for count in manifest.sources.values())
    table.add_section()
    table.add_row("all", "", f"{total:,}", *_fates(manifest.fates), f"{sum(manifest.tokens.values()):,}")
    out = Console()
    out = out if out.is_terminal else Console(width=110)  # a pipe has no width of its own
    out.print(table)
    told = " + ".join(f"{manifest.fates.get(fate, 0):,} {fate}" for fate in FATES)
    out.print(f"{sum(manifest.fates.values()):,} documents seen = {told}", highlight=False)
    _show_failures(list(opened.ledger(fate="failed")), out)
    state = "built" if changed else "is up to date; nothing was done"
    out.print(f"The report: {opened.layout.report}", highlight=False, soft_wrap=True)
    out.print(f"{opened.layout.shown} {state}. What happened to a document: corpus explain {opened.layout.shown} ID",
              highlight=False, soft_wrap=True)  # fmt: skip


def _fates(fates: dict[str, int]) -> Sequence[str]:
    from registry.ledger import FATES

    return [f"{fates.get(fate, 0):,}" for fate in FATES]


def _show_failures(failed: list[dict[str, str]], out: Console) -> None:
    if not failed:
        return
    out.print(f"{len(failed):,} could not be read; everything else is whole:", highlight=False)
    told = _alike(failed)[:_TOLD]
    for rows in told:
        out.print(f"  {_failure(*rows)}", markup=False, highlight=False, soft_wrap=True)
    if rest := len(failed) - sum(map(len, told)):
        out.print(f"  and {rest:,} more: fate = failed in the ledger", highlight=False)


def _alike(failed: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Failures by kind: records of one file with one reason, whole files of one source with one error."""
    kinds: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in failed:
        reason = row["error"].partition(":")[0]
        kind = (row["source"], row["uri"], reason) if row["part"] else (row["source"], "", row["error"])
        kinds.setdefault(kind, []).append(row)
    return list(kinds.values())


def _failure(first: dict[str, str], *others: dict[str, str]) -> str:
    part = f" [{first['part']}]" if first["part"] else ""
    such = "of this file" if first["part"] else "files" if len(others) > 1 else "file"
    more = f" (and {len(others):,} more {such})" if others else ""
    return f"{first['source']}/{first['uri']}{part}: {first['error']}{more}"
