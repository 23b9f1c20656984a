"""`corpus evaluate`: models to numbers with their errors."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("evaluate")
@click.argument("config")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."
)
def command(config: str, changes: tuple[str, ...]) -> None:
    """Measure models: bits per byte, multiple choice, generations.

    CONFIG is a file, or a domain with an evaluate.yaml; it names models, builds and tasks, with paths from the working
    directory. Models after the first are compared to it, by a paired bootstrap.
    """
    from corpus.cli.extras import needs
    from registry.configuration import load
    from registry.domain import find_file
    from train.config import Evaluate

    read = load(find_file(config, "evaluate.yaml"), Evaluate, changes)
    with needs("train"):
        from train.evaluate import evaluate, table
    click.echo(table(evaluate(read, Path(), Path(read.out))))
