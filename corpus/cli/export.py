"""`corpus export`: a build to the layout that another training stack reads."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console


@click.command("export")
@click.argument("build")
@click.option("--to", "form", metavar="FORMAT", help="hf, megatron, nanotron, mds, litdata, tokens, llmc, parquet, "
              "jsonl or webdataset.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder of the export.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the format; may be repeated.")
@click.option("--check", "only_check", is_flag=True, help="Write nothing; read what is in --out and check it.")
def command(build: str, form: str | None, out: Path, settings: tuple[str, ...], only_check: bool) -> None:
    """Write a build in the layout that another training stack reads.

    Running it again goes on where it stopped, or checks every file of an export that is whole.
    """
    from rich.console import Console

    from corpus.export import FORMATS
    from corpus.export.run import check, export
    from corpus.opened import open_build
    from registry.errors import UsageError

    opened = open_build(build)
    if only_check:
        record = check(out)
        if record["build"]["fingerprint"] != opened.manifest.fingerprint:
            raise UsageError(f"{out} is whole, but an export of another build than {build}")
    elif form is None:
        raise UsageError("--to names the format: " + ", ".join(sorted(FORMATS)))
    else:
        console = Console(stderr=True)
        with _shown(console, form) as progress:
            record = export(opened, form, out, _options(settings), progress)
    size = sum(file["bytes"] for file in record["files"].values())
    for name, counts in record["splits"].items():
        click.echo(f"{name}: {counts['documents']:,} documents, {counts['tokens']:,} tokens")
    click.echo(f"{out}: {len(record['files'])} files, {size / 1e6:,.1f} MB, whole")


def _options(settings: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    from registry.errors import UsageError

    options = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals:
            raise UsageError(f"--set {setting}: write KEY=VALUE, such as length=2048")
    return options


@contextmanager
def _shown(console: Console, form: str) -> Iterator[Callable[[str, int], None]]:
    """A bar of bytes on a terminal; nothing on a pipe, where the closing lines say all."""
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task(form, total=None)
        yield lambda name, size: bar.update(row, advance=size, description=f"{form}: {name}")
