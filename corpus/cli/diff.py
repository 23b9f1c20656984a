"""`corpus diff`: what changed from one build to another, on standard output and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from corpus.diff import Difference

_MOST = 40  # changed settings that are told; the page has all


@click.command("diff")
@click.argument("before", metavar="BUILD_A")
@click.argument("after", metavar="BUILD_B")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Also write it as a page, to this file.")
@click.option("--lang", "language", type=click.Choice(["en", "ja"]), default="en", show_default=True,
              help="Language of the page.")  # fmt: skip
def command(before: str, after: str, page: Path | None, language: str) -> None:
    """Tell what changed from one build to another.

    Documents that came, went, changed their fate or their text, by source and by what decided; the keys of recipe,
    profiles and versions in which the builds differ; tokens.
    """
    from rich.console import Console

    from corpus.diff import compare
    from corpus.diff import page as rendered
    from corpus.opened import open_build
    from registry.publish import write_text

    found = compare(open_build(before), open_build(after))
    out = Console()
    _show(found, out if out.is_terminal else Console(width=120))
    if page is not None:
        write_text(page, rendered(found, language))


def _show(found: Difference, out: Console) -> None:
    from rich.markup import escape

    counts = found.counts
    out.print(
        f"{counts['came']:,} came, {counts['went']:,} went, {counts['moved']:,} changed their fate, "
        f"{counts['text']:,} their text, {counts['same']:,} are the same",
        highlight=False,
    )
    for key, one, other in found.settings[:_MOST]:
        out.print(f"  {escape(key)}: {escape(one) or '-'} -> {escape(other) or '-'}", highlight=False, soft_wrap=True)
    if len(found.settings) > _MOST:
        out.print(f"  and {len(found.settings) - _MOST} more keys")
    _show_sources(found, out)
    for (one, other), count in found.moves.items():
        out.print(f"{count:>8,}  {escape(one) or '-'} -> {escape(other) or '-'}", highlight=False)
    _show_examples(found, out)


def _show_sources(found: Difference, out: Console) -> None:
    from rich.table import Table

    table = Table()
    columns = ("source", "came", "went", "moved", "text", "same", "kept", "tokens")
    for column in columns:
        table.add_column(column, justify="left" if column == "source" else "right")
    for name, counts in found.sources.items():
        kept = f"{counts['kept_before']:,} -> {counts['kept_after']:,}"
        tokens = f"{counts['tokens_before']:,} -> {counts['tokens_after']:,}"
        table.add_row(name, *(f"{counts[key]:,}" for key in columns[1:6]), kept, tokens)
    out.print(table)


def _show_examples(found: Difference, out: Console) -> None:
    from corpus.audit.visible import visible

    for change, examples in found.examples.items():
        for example in examples[:3]:
            told = f"{example.before or '-'} -> {example.after or '-'}"
            out.print(f"  {change}: {visible(example.place)} ({told})", markup=False, highlight=False, soft_wrap=True)
