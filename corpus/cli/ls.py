"""`corpus ls`: what can be built, and what was."""

from __future__ import annotations

import click


@click.command("ls")
def command() -> None:
    """List the domains that can be built and the corpora that were."""
    from registry.catalog import catalog_path, entries
    from registry.domain import shipped

    click.echo("domains")
    for name in shipped():
        click.echo(f"  {name}")
    click.echo("corpora")
    for entry in entries(catalog_path()):
        size = f"{entry.documents:,} documents, {entry.tokens:,} tokens"
        state = "" if entry.present else "  (no longer there)"
        click.echo(f"  {entry.name}  {size}, built {entry.built} UTC  {entry.path}{state}")
