"""`corpus explain`: the journey of one document, on standard output."""

from __future__ import annotations

import click

_MOST = 20


@click.command("explain")
@click.argument("build")
@click.argument("document", metavar="[ID]", default="")
@click.option("--uri", default="", help="The documents of one input, by its path within the source.")
@click.option(
    "--text", default="", help="The documents that contain this text, or most of it; white space does not count."
)
def command(build: str, document: str, uri: str, text: str) -> None:
    """Tell what happened to one document, and why.

    BUILD is the build folder; ID is the document's id, or its first digits.
    """
    from corpus.explain import find, journey, story
    from corpus.opened import open_build
    from registry.arrow import forgo_pandas
    from registry.errors import UsageError

    forgo_pandas()
    if sum(map(bool, (document, uri, text))) != 1:
        raise click.UsageError("name the document in one way: ID, --uri or --text")
    opened = open_build(build)
    rows = find(opened, name=document, uri=uri, text=text)
    if not rows:
        raise UsageError(f"{build}: no document has {document or uri or text!r}; ids and uris stand in the ledger")
    for number, row in enumerate(rows[:_MOST]):
        click.echo("\n" if number else "", nl=False)
        for line in story(journey(opened, row)):
            click.echo(line)
    if len(rows) > _MOST:
        click.echo(f"\nand {len(rows) - _MOST} more")
