"""`corpus audit`: the report of a build, its numbers, and the gates that they have to pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from corpus.audit import Language


@click.command("audit")
@click.argument("build")
@click.option("--gate", "gates", type=click.Path(path_type=Path), help="Thresholds that the numbers have to keep to.")
@click.option(
    "--lang",
    "language",
    type=click.Choice(["en", "ja"]),
    help="Language of the page.  [default: the one it has, or en]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
@click.option("--fresh", is_flag=True, help="Check every file of the build and write the report anew.")
def command(build: str, gates: Path | None, language: Language | None, as_json: bool, fresh: bool) -> int:
    """Write the report of a build, and hold its numbers against gates.

    BUILD is the build folder; report.html, audit.json and card/ are written into it. Exit code 1: a gate fell short.
    """
    from corpus.audit import write
    from corpus.audit.gates import fallen_short, load_gates
    from corpus.opened import open_build
    from registry.arrow import forgo_pandas

    forgo_pandas()
    limits = load_gates(gates) if gates else {}
    opened = open_build(build)
    figures = write(opened, language, fresh=fresh)
    short = fallen_short(limits, figures)
    if as_json:
        _print_json(figures)
    else:
        click.echo(f"{opened.layout.report}: {figures['record']['files']['report.html']['bytes'] / 1e6:.2f} MB")
        click.echo(f"{opened.layout.audit}, {opened.layout.card}/README.md, {opened.layout.card}/croissant.json")
    for line in short:
        click.echo(f"fell short: {line}", err=True)
    if gates and not short:
        click.echo(f"all {len(limits)} gates of {gates} are kept", err=True)
    return 1 if short else 0


def _print_json(figures: dict[str, Any]) -> None:
    import json

    click.echo(json.dumps(figures, ensure_ascii=False, indent=1))
