"""`corpus extend`: new words for a model and its tokenizer."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("extend")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("words", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder of the new model.")
def command(model: Path, words: Path, out: Path) -> None:
    """Add words to the vocabulary of a model.

    WORDS has one word per line, as terms.txt of `corpus vocab --out`. Each becomes one token, whose embedding is the
    mean of those of its old pieces. Then build with `--set tokenize.tokenizer=$PWD/OUT`, and train it.
    """
    from corpus.cli.extras import needs

    with needs("train"):
        from train.vocabulary import extend, read_words
    added, left = extend(model, read_words(words), out)
    click.echo(f"{out}: {added:,} words became tokens; {left:,} were tokens before")
