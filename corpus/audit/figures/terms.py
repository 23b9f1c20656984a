"""Which words of the corpus does the tokenizer break into many pieces? They are what a larger vocabulary would buy.

In: texts of kept documents and the build's tokenizer. Out: the nouns that cost the most tokens beyond one each: how
often they stand in the sample, in how many pieces, and what one token each would save. From at most 400,000 characters,
in 0.6 s: the order of the first thirty settles long before.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from corpus.audit.figures.counts import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.tokenize import LanguageTokenizer

_MOST_CHARACTERS = 400_000
_SHOWN = 30
_TERM = re.compile(r"[ぁ-んァ-ヶー一-龠々]{2,}")


def terms(texts: Sequence[str], tokenizer: Path) -> dict[str, Any]:
    """The costliest nouns, and how many characters they were counted in."""
    from pipelines.tokenize import load_once
    from pipelines.words import Analyzer, Pos

    analyzer = Analyzer(None)
    counts: Counter[str] = Counter()
    read = 0
    for text in texts:
        piece = text[: max(_MOST_CHARACTERS - read, 0)]
        read += len(piece)
        words = analyzer.analyze(piece)
        nouns = (words.pos == Pos.NOUN) | (words.pos == Pos.NAME)
        spans = zip(words.start[nouns].tolist(), words.end[nouns].tolist(), strict=True)
        counts.update(word for start, end in spans if _TERM.fullmatch(word := piece[start:end]))
    names = sorted(name for name, count in counts.items() if count > 1)
    pieces = _pieces(load_once(tokenizer), names)
    costly = sorted(names, key=lambda name: (-counts[name] * (pieces[name] - 1), name))[:_SHOWN]
    whole = sum(counts[name] for name in names if pieces[name] == 1)
    return {
        "characters": read,
        "nouns": sum(counts[name] for name in names),
        "in_one_piece": ratio(whole, sum(counts[name] for name in names)),
        "costliest": [
            {"term": name, "count": counts[name], "pieces": pieces[name], "saved": counts[name] * (pieces[name] - 1)}
            for name in costly
            if pieces[name] > 1
        ],
    }


def _pieces(tokenizer: LanguageTokenizer, names: list[str]) -> dict[str, int]:
    """Tokens of each word after a comma, since some tokenizers begin a text with a token of its own."""
    encoded = tokenizer.encode(["、", *(f"、{name}" for name in names)], bos=False, eos=False)
    sizes = (encoded.offsets[1:] - encoded.offsets[:-1]).tolist()
    return {name: max(size - sizes[0], 1) for name, size in zip(names, sizes[1:], strict=True)}
