"""`corpus tokenizer`: a tokenizer trained on a build, and how it compares with the one that the build has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corpus.opened import OpenedBuild
    from pipelines.tokenize import LanguageTokenizer

_HELD_BACK = 20  # of so many documents one is not trained on but measured


@click.command("tokenizer")
@click.argument("build")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder of the new tokenizer.")
@click.option("--model", type=click.Choice(["bpe", "unigram"]), default="bpe", show_default=True, help="Its kind.")
@click.option("--vocabulary", type=click.IntRange(min=1), default=32_000, show_default=True, help="Ids at most.")
@click.option("--special", multiple=True, metavar="TOKEN", help="A control token besides <unk>, <s>, </s>, <pad>.")
def command(build: str, out: Path, model: Literal["bpe", "unigram"], vocabulary: int, special: tuple[str, ...]) -> None:
    """Train a tokenizer on the kept texts of a build.

    BPE works on bytes and Unigram falls back to them, so neither loses a character. Of every 20 documents one is held
    back, on which the new tokenizer is compared with the one of the build.
    """
    from corpus.opened import open_build
    from pipelines.tokenize import LanguageTokenizer
    from pipelines.tokenize.domain import save_tokenizer, train_tokenizer
    from registry.errors import UsageError

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; --out names a new folder")
    opened = open_build(build)
    made = train_tokenizer(_texts(opened, held_back=False), model=model, vocabulary=vocabulary, special=special)
    save_tokenizer(made, out)
    new, old = LanguageTokenizer.load(out), LanguageTokenizer.load(opened.layout.tokenizer)
    held = list(_texts(opened, held_back=True))
    click.echo(f"{out}: {model}, {new.vocabulary_size:,} ids")
    for name, tokenizer in (("new", new), ("the build's", old)):
        click.echo(
            f"{name}: {_fertility(tokenizer, held):.3f} tokens per character of {len(held):,} documents held back"
        )


def _texts(opened: OpenedBuild, *, held_back: bool) -> Iterator[str]:
    for number, row in enumerate(opened.documents()):
        if (number % _HELD_BACK == 0) is held_back:
            yield row["text"]


def _fertility(tokenizer: LanguageTokenizer, texts: list[str]) -> float:
    encoded = tokenizer.encode(texts, bos=False, eos=False)
    return encoded.ids.size / max(1, sum(map(len, texts)))
