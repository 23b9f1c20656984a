"""Texts -> the terms of their domain: frequent here against general Japanese, and what they cost in tokens.

In: texts, a tokenizer, and counts from general texts (general.tsv, from public-domain novels and encyclopedia
paragraphs; made by benchmarks/make_general.py). Out: `Term`s, most typical first. A term is a run of nouns, names and
affixes as long as it goes: 貸倒引当金 is one, not 貸倒, 引当 and 金. What stands beside it, as 年 in 昭和25年政令,
is data (vocabulary.yaml). Keyness is Dunning's log-likelihood (1993, "Accurate methods for the statistics of surprise
and coincidence"): from 10.83 on, chance gives it once in 1,000.
"""

from __future__ import annotations

import math
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.quality import alphabet
from pipelines.words import Pos
from registry.data import read_data
from registry.errors import UsageError

if TYPE_CHECKING:
    from pipelines.words import Analyzer, Words

LONGEST = 8  # words; longer runs are lists, not terms
_PARTS = (Pos.NOUN, Pos.NAME, Pos.AFFIX)
_FEWEST = 3  # occurrences
_COST = 3000  # in a dictionary: of a common noun of four characters in unidic-lite
_CHANCE = 10.83  # keyness of p = 0.001


@dataclass(frozen=True, slots=True)
class Term:
    """One term."""

    text: str
    count: int
    documents: int
    keyness: float
    tokens: int  # of the tokenizer
    unknown: bool  # the dictionary of MeCab lacks a word of it
    words: int  # that MeCab cuts it into


@dataclass(frozen=True, slots=True)
class Counted:
    """Terms of some texts: how often each occurs, in how many texts, and in how many words MeCab cut it."""

    counts: Counter[str]
    documents: Counter[str]
    words: dict[str, int]
    unknown: set[str]


def count_terms(texts: Iterable[str], analyzer: Analyzer) -> Counted:
    """Count the terms of `texts`."""
    counted = Counted(Counter(), Counter(), {}, set())
    for text in texts:
        found = Counter[str]()
        for term, words, unknown in _terms(analyzer.analyze(text)):
            found[term] += 1
            counted.words[term] = words
            if unknown:
                counted.unknown.add(term)
        counted.counts.update(found)
        counted.documents.update(found.keys())
    return counted


def domain_terms(counted: Counted, tokens: Callable[[Sequence[str]], Sequence[int]]) -> list[Term]:
    """The terms that are typical of the texts, the most typical first. `tokens` says how many each term has."""
    general, general_total = general_counts()
    total = counted.counts.total()
    keyness = {
        term: _keyness(count, total, general.get(term, 0), general_total)
        for term, count in counted.counts.items()
        if count >= _FEWEST
    }
    typical = sorted((term for term, value in keyness.items() if value >= _CHANCE), key=lambda t: (-keyness[t], t))
    return [
        Term(term, counted.counts[term], counted.documents[term], round(keyness[term], 1), length,
             term in counted.unknown, counted.words[term])
        for term, length in zip(typical, tokens(typical), strict=True)
    ]  # fmt: skip


def dictionary_lines(terms: Iterable[Term]) -> Iterator[str]:
    """Lines of a MeCab user dictionary for unidic-lite, of the terms that it cuts or does not know.

    `compile_dictionary` makes of them what a recipe names as `refine.user_dictionary`.
    """
    for term in terms:
        if (term.words > 1 or term.unknown) and not set(term.text) & set(',"'):
            reading = ",".join([term.text] * 6)
            yield f"{term.text},5146,5146,{_COST},名詞,普通名詞,一般,*,*,*,{reading},和,*,*,*,*"


def compile_dictionary(source: Path, target: Path) -> None:
    """The lines at `source` as a compiled dictionary at `target`.

    Raises:
        UsageError: MeCab's compiler, which runs in a process of its own because it writes to it and ends it, refuses.
    """
    import unidic_lite

    arguments = shlex.join(
        ["compiler", "-d", unidic_lite.DICDIR, "-u", str(target), "-f", "utf8", "-t", "utf8", str(source)]
    )
    program = "import fugashi, sys; fugashi.build_dictionary(sys.argv[1])"
    done = subprocess.run([sys.executable, "-I", "-c", program, arguments], capture_output=True, check=False)
    if done.returncode or not target.is_file():
        raise UsageError(f"{source} cannot be compiled: {done.stderr.decode(errors='replace').strip()[-300:]}")


@cache
def general_counts() -> tuple[dict[str, int], int]:
    """How often each term occurs in general texts, and how many terms they have."""
    lines = Path(__file__).with_name("general.tsv").read_text(encoding="utf-8").splitlines()
    counts = dict(line.split("\t") for line in lines if not line.startswith("#"))
    total = int(counts.pop("*"))
    return {term: int(count) for term, count in counts.items()}, total


@cache
def _beside(kind: str) -> frozenset[str]:
    """Words of vocabulary.yaml that stand beside a term: "loose" or "counters"."""
    return frozenset(read_data(Path(__file__).with_suffix(".yaml"))[kind])


def _terms(words: Words) -> Iterator[tuple[str, int, bool]]:
    """Every run of nouns: its text, how many words it has, and whether one is unknown."""
    if not len(words):
        return
    codes = np.frombuffer(words.text.encode("utf-32-le", "surrogatepass"), np.uint32)
    script = alphabet.scripts()[np.minimum(codes, alphabet.SIZE - 1)][words.start]
    part = np.isin(words.pos, _PARTS) & (script >= alphabet.Script.HIRAGANA) & (script <= alphabet.Script.KANJI)
    joined = part[1:] & part[:-1] & (words.start[1:] == words.end[:-1])
    begins = np.flatnonzero(part & ~np.concatenate([[False], joined]))
    ends = np.flatnonzero(part & ~np.concatenate([joined, [False]]))
    counted = (words.pos[begins - 1] == Pos.NUMBER) & (words.end[begins - 1] == words.start[begins])
    surfaces, loose, counters = words.surfaces(), _beside("loose"), _beside("counters")
    for first, last, after in zip(begins.tolist(), ends.tolist(), counted.tolist(), strict=True):
        while first <= last and (surfaces[first] in loose or (after and surfaces[first] in counters)):
            first += 1  # noqa: PLW2901
        while first <= last and surfaces[last] in loose:
            last -= 1  # noqa: PLW2901
        if first > last:
            continue
        text = words.text[words.start[first] : words.end[last]]
        if len(text) >= 2 and last - first < LONGEST:
            yield text, last - first + 1, bool(words.unknown[first : last + 1].any())


def _keyness(count: int, total: int, general: int, general_total: int) -> float:
    """Dunning's log-likelihood of a term that is more frequent here; 0 of one that is not."""
    if count * general_total <= general * total:
        return 0.0
    share = (count + general) / (total + general_total)
    value = count * math.log(count / (total * share))
    if general:
        value += general * math.log(general / (general_total * share))
    return 2 * value
