"""`corpus vocab`: the terms of a build's domain, on standard output or as files for a tokenizer and for MeCab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.vocabulary import Term

_COLUMNS = ("text", "count", "documents", "keyness", "tokens", "words", "unknown")


@click.command("vocab")
@click.argument("build")
@click.option("--most", type=click.IntRange(min=1), default=2000, show_default=True, help="How many terms.")
@click.option("--out", type=click.Path(path_type=Path), help="Write terms.tsv, .txt, .csv and .dic to this folder.")
def command(build: str, most: int, out: Path | None) -> None:
    """List the terms of a build's domain: frequency, keyness, tokens per term.

    Terms are frequent in BUILD against general Japanese. terms.txt is a list for a tokenizer's vocabulary, terms.dic
    a MeCab user dictionary of the terms that MeCab cuts or does not know, ready for a recipe's refine.user_dictionary,
    and terms.csv its source.
    """
    from corpus.opened import open_build
    from pipelines.tokenize import LanguageTokenizer
    from pipelines.vocabulary import compile_dictionary, count_terms, dictionary_lines, domain_terms
    from pipelines.words import Analyzer
    from registry.publish import write_text

    opened = open_build(build)
    tokenizer = LanguageTokenizer.load(opened.layout.tokenizer)
    counted = count_terms((row["text"] for row in opened.documents()), Analyzer())

    def tokens(some: Sequence[str]) -> list[int]:
        offsets = tokenizer.encode(some, bos=False, eos=False).offsets
        return (offsets[1:] - offsets[:-1]).tolist()  # type: ignore[no-any-return]

    terms = domain_terms(counted, tokens)[:most]
    table = "\n".join(["\t".join(_COLUMNS), *map(_row, terms)]) + "\n"
    if out is None:
        click.echo(table, nl=False)
    else:
        write_text(out / "terms.tsv", table)
        write_text(out / "terms.txt", "".join(f"{term.text}\n" for term in terms))
        write_text(out / "terms.csv", "".join(f"{line}\n" for line in dictionary_lines(terms)))
        compile_dictionary(out / "terms.csv", out / "terms.dic")
    fertility = sum(term.tokens * term.count for term in terms) / max(sum(term.count for term in terms), 1)
    unknown = sum(term.unknown for term in terms)
    click.echo(
        f"{len(terms):,} terms, {fertility:.2f} tokens per occurrence, {unknown:,} with words unknown to MeCab",
        err=True,
    )


def _row(term: Term) -> str:
    return "\t".join(str(getattr(term, column)) for column in _COLUMNS)
