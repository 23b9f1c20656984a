"""`corpus new`: the folder of a new domain that builds at once."""

from __future__ import annotations

import re
from pathlib import Path

import click


@click.command("new")
@click.argument("domain")
@click.option(
    "--files", type=click.Path(path_type=Path, exists=True), help="A folder of your own files.  [default: DOMAIN/files]"
)
@click.option("--kind", default="textbook", show_default=True, help="Kind of text in it: the profile that judges it.")
@click.option("--licence", default="unknown", show_default=True, help="Its licence or terms.")
def command(domain: str, files: Path | None, kind: str, licence: str) -> None:
    """Make the folder of a new domain that builds at once.

    DOMAIN is the folder to make; its last part names the corpus. Without --files, put your files into DOMAIN/files.
    """
    from corpus.scaffold import scaffold
    from registry.errors import UsageError

    folder = Path(domain)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", folder.name):
        raise UsageError(f"{folder.name!r} cannot name a corpus: letters, digits, . _ - only")
    if folder.exists():
        raise UsageError(f"{folder} is there already; choose another name")
    made = scaffold(folder, files=files, kind=kind, licence=licence)
    for path in made:
        click.echo(path)
    if files is None:
        click.echo(f"Put your files into {folder / 'files'}, then:")
    click.echo(f"corpus build {folder}")
