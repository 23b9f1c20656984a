"""`corpus evaluate`: models to numbers with their errors."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("evaluate")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."
)
def command(config: Path, changes: tuple[str, ...]) -> None:
    """Measure models: bits per byte, multiple choice, generations.

    CONFIG names models, builds and tasks. Models after the first are compared to it, by a paired bootstrap.
    """
    from corpus.cli.extras import needs
    from registry.configuration import load
    from train.config import Evaluate

    read = load(config, Evaluate, changes)
    with needs("train"):
        from train.evaluate import evaluate, table
    click.echo(table(evaluate(read, config.parent, Path(read.out))))
