"""`corpus questions`: what a build says in figures, as questions with options."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command("questions")
@click.argument("build", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The JSONL file to write.")
@click.option(
    "--split", type=click.Choice(["train", "validation"]), default="train", show_default=True, help="Of the documents."
)
@click.option("--options", type=click.IntRange(min=2), default=4, show_default=True, help="Options of a question.")
@click.option("--most", type=click.IntRange(min=1), help="Questions at most, drawn from all.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of wrong options, order and choice.")
def command(
    build: Path, out: Path, split: Literal["train", "validation"], options: int, most: int | None, seed: int
) -> None:
    """Make numeric-choice questions from a build's documents.

    A figure is cut out of a sentence or table row, and stands among wrong ones: another digit, scale, sign or year, or
    another figure of the document. Each question names its document. The file is one for `data.examples` of a training,
    and, from --split validation, for `tasks` of an evaluation.
    """
    from corpus.opened import open_build
    from registry.errors import UsageError
    from registry.publish import write_text
    from train.numeric import from_documents

    opened = open_build(build)
    wanted = {row.id for row in opened.shards(split)}
    texts = ((row["id"], row["source"], row["text"]) for row in opened.documents() if row["id"] in wanted)
    made = from_documents(texts, seed=seed, options=options, most=most)
    if not made:
        raise UsageError(f"the {len(wanted):,} documents of {build}, {split}, hold no sentence with a figure")
    write_text(out, "".join(f"{question.as_json()}\n" for question in made))
    tables = sum(question.kind == "table" for question in made)
    click.echo(f"{out}: {len(made) - tables:,} questions from sentences, {tables:,} from tables")
