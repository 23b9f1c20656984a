"""`corpus train`: shards and a model to a trained one."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command("train")
@click.argument("config")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the configuration; may be repeated."
)
def command(config: str, changes: tuple[str, ...]) -> int:
    """Train a causal language model on shards.

    CONFIG is a file, or a domain with a train.yaml; it names model, data and options, with paths from the working
    directory. The same command goes on where a run was; under torchrun it uses all processes. A signal saves and stops.
    """
    from corpus.cli.extras import needs
    from registry.configuration import load
    from registry.domain import find_file
    from train.config import Train

    read = load(find_file(config, "train.yaml"), Train, changes)
    with needs("train"):
        from train.pretrain import train
    told = train(read, Path(), Path(read.out))
    if os.environ.get("RANK", "0") == "0":  # of several processes the first speaks
        click.echo(f"{read.out}: {told}")
    code = 0 if told.startswith("finished") else 130
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Threads of gloo may still want the interpreter when it is gone, which aborts a process that is done.
        sys.stdout.flush()
        os._exit(code)
    return code
