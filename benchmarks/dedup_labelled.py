"""Labelled near-duplicates: real Japanese texts, copies of them edited at the level of words, and the exact truth.

In: the sample's texts, and those of the shared data where they are there. Out: documents as lists of MeCab words, and
all pairs with an exact Jaccard similarity of their word 5-grams of at least 0.5, computed from strings and a sparse
product, so that nothing of what is measured takes part in the truth.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "registry" / "domains" / "ja_finance" / "sample"
SHARED = HERE.parents[1] / "shared" / "data"
FIGURE = re.compile(r"(?<![^ ])([\d.,]+) (?=[\d.,]+(?: |$))")  # a figure is one word
RUBY = re.compile(r"《[^》\n]*》|［＃[^］\n]*］|[｜]")
FIGURES = re.compile(r"[\d.,+±‐-―−▲△-]")
LONGEST = 1_500_000  # characters read of any one kind of text


def texts() -> list[str]:
    """Laws, novels and textbooks, up to LONGEST characters of each."""
    folders = [SAMPLE / "laws", SAMPLE / "literature", SAMPLE / "textbooks"]
    if SHARED.is_dir():
        folders += [SHARED / "law" / "2016_text", SHARED / "textbook" / "js-primer", SHARED / "aozora"]
    found = []
    for folder in folders:
        room = LONGEST
        for path in sorted(p for p in folder.rglob("*") if p.suffix in {".txt", ".md"}):
            text = decoded(path.read_bytes())
            if room > 0 and sum("\u3040" < c < "\u30ff" for c in text[:2000]) > 100:
                found.append(text[:room])
                room -= len(text)
    return found


def decoded(content: bytes) -> str:
    """UTF-8, or CP932 as the novels are; without their ruby and notes."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return RUBY.sub("", content.decode("cp932", "ignore"))


def originals(count: int, rng: np.random.Generator) -> list[list[str]]:
    """`count` documents of lognormal length (median 700 words), cut from the texts one after another."""
    from pipelines.words import Analyzer

    analyzer = Analyzer()
    pieces: list[list[str]] = []
    for text in texts():
        words, at = analyzer.analyze(text).surfaces(), 0
        while at < len(words) and len(pieces) < count:
            size = int(np.clip(rng.lognormal(6.3, 0.5), 100, 4000))
            pieces.append(words[at : at + size])
            at += size
    return [piece for piece in pieces if len(piece) >= 60]


def edited(words: list[str], others: list[str], similarity: float, rng: np.random.Generator) -> list[str]:
    """A copy at about this similarity: words replaced here and there, or a block taken out, put in, or both."""
    count = len(words)
    changed = max(1, round(count * (1 - similarity) / (1 + similarity)))
    match int(rng.integers(4)):
        case 0:  # each replaced word spoils five shingles
            copy = list(words)
            for place in rng.choice(count, max(1, changed // 5), replace=False):
                copy[place] = others[int(rng.integers(len(others)))]
            return copy
        case 1:
            at = int(rng.integers(count - min(changed, count - 20)))
            return words[:at] + words[at + 2 * changed :]
        case 2:
            at, start = int(rng.integers(count)), int(rng.integers(len(others)))
            return words[:at] + others[start : start + 2 * changed] + words[at:]
        case _:
            start = int(rng.integers(len(others)))
            return words[changed:] + others[start : start + changed]


def labelled(count: int, seed: int = 11) -> list[list[str]]:
    """Up to `count` originals and one edited copy of each, shuffled."""
    rng = np.random.default_rng(seed)
    first = originals(count, rng)
    copies = []
    for number, words in enumerate(first):
        others = first[(number + len(first) // 2) % len(first)]
        copies.append(edited(words, others, float(rng.uniform(0.55, 1.0)), rng))
    documents = first + copies
    return [documents[i] for i in rng.permutation(len(documents))]


def folded(words: list[str]) -> str:
    """The words as one line in one spelling."""
    spelt = (unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", word).casefold()) for word in words)
    return " ".join(filter(None, ("".join(word.split()) for word in spelt)))


def truth(documents: list[list[str]], least: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """All pairs [m, 2] with a similarity of `least` or more, and the similarities [m].

    Two documents that differ in figures and signs alone are two facts, and no pair.
    """
    numbers: dict[str, int] = {}
    rows = []
    for document in documents:
        words = FIGURE.sub(r"\1", folded(document)).split(" ")
        joined = [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]
        rows.append(np.unique([numbers.setdefault(gram, len(numbers)) for gram in joined]))
    sizes = np.array([row.size for row in rows])
    places = np.concatenate(([0], np.cumsum(sizes)))
    sets = csr_array((np.ones(places[-1], np.int32), np.concatenate(rows), places))
    common = (sets @ sets.T).tocoo()
    a, b = common.coords
    jaccard = common.data / (sizes[a] + sizes[b] - common.data)
    similar = (jaccard >= least) & (a < b)
    pairs, jaccard = np.stack((a[similar], b[similar]), axis=1), jaccard[similar]
    lines = [folded(document).replace(" ", "") for document in documents]
    bare, figures = [FIGURES.sub("", text) for text in lines], [sorted(FIGURES.findall(text)) for text in lines]
    other = np.array([bare[i] != bare[j] or figures[i] == figures[j] for i, j in pairs.tolist()], dtype=np.bool_)
    return pairs[other], jaccard[other]
