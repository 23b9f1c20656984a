"""`corpus merge`: several checkpoints or adapters to one."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("merge")
@click.argument("config")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."
)
@click.option("--report", is_flag=True, help="Print norms and cosines of the task vectors by block, and merge nothing.")
@click.option("--sweep", is_flag=True, help="Search the weights that `sweep` names, and keep the best merge.")
def command(config: str, changes: tuple[str, ...], report: bool, sweep: bool) -> None:
    """Merge models or LoRA adapters into one.

    CONFIG is a file, or a domain with a merge.yaml; it names inputs, weights, method and the folder to make, with paths
    from the working directory. The result is a Hugging Face checkpoint, or an adapter in PEFT's format, with a
    merge.json of all digests.
    """
    from registry.configuration import load
    from registry.domain import find_file
    from train.merge.config import Merge

    read = load(find_file(config, "merge.yaml"), Merge, changes)
    out = Path(read.out)
    if report:
        from train.merge.report import table

        click.echo(table(read, Path()))
    elif sweep:
        from train.merge.sweep import search

        for trial in search(read, Path(), out):
            click.echo(trial)
        click.echo(f"{out} holds the best one")
    else:
        from train.merge.run import merge

        click.echo(f"{merge(read, Path(), out)} made by {read.method if read.models else 'lora'}")
