"""Wanted documents, and the same misread -> the weights of pipelines/quality/misread.yaml, printed.

    python benchmarks/make_misread.py [--data DIR]

Logistic regression on the second of every four files, with tables of pairs from the first and third alone; every kind
of text and each folder of filings weighs the same. Tested on the fourth, with the tables that are shipped: per group,
the odds that 1 in 100 wanted documents of the second exceeds, the shares of wanted and of misread ones of the fourth
above, how many there are; the median, the highest 100th, 200th and the highest of all wanted ones; the lowest, the
lowest 50th and 20th of the misread ones.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from make_pairs import encyclopedia, make_tables, quarters
from wanted import DATA, FILES, extracted, recognition_errors, sentences

from pipelines.normalize import normalize
from pipelines.quality import Text, load_profile, pairs
from pipelines.words import Analyzer

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRACES = ("strange_pairs", "strange_kana", "word_cost", "unknown_ratio", "lone_kanji", "mean_word", "rare_kanji")
MOST = 400  # documents of a group
SHORTEST = {"record": 30}  # characters of a text that is misread; of others 300


def groups(folder: Path) -> dict[tuple[str, str], list[list[str]]]:
    """By kind and folder, the texts of the second and of the fourth of every four files."""
    found: dict[tuple[str, str], list[list[str]]] = {("record", "chabsa"): [sentences(folder, at, 4) for at in (1, 3)]}
    for kind, patterns in FILES.items():
        for pattern in patterns:
            files = sorted(folder.glob(pattern))
            parts = [[text for file in files[at::4] for text in extracted(file, kind)] for at in (1, 3)]
            found[kind, pattern.partition("/")[0]] = parts
    return {group: parts for group, parts in found.items() if all(parts)}


def traces(texts: list[str], analyzer: Analyzer) -> NDArray[np.float64]:
    """(texts, traces) what the rules find, and 1."""
    profile = load_profile("record")
    rows = []
    for text in map(normalize, texts):
        found = profile.measure(Text.of(analyzer.analyze(text)))
        rows.append([*(found[trace] for trace in TRACES), 1.0])
    return np.array(rows)


def fit(rows: NDArray[np.float64], misread: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The coefficients of a logistic regression, by Newton's method."""
    scale = np.maximum(np.abs(rows).max(axis=0), 1e-9)
    scaled = rows / scale
    found = np.zeros(rows.shape[1])
    for _ in range(50):
        odds = 1 / (1 + np.exp(-scaled @ found))
        gradient = scaled.T @ (weights * (odds - misread)) + 1e-5 * found
        curvature = (scaled * (weights * odds * (1 - odds))[:, None]).T @ scaled + 1e-5 * np.eye(len(found))
        found -= np.linalg.solve(curvature, gradient)
    return found / scale


def main() -> None:
    """Measure, fit, test, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    folder = parser.parse_args().data
    draw, analyzer = random.Random(11), Analyzer()
    measured = {}
    shipped, unseen = pairs.tables, pairs.tables_of(*make_tables(quarters(folder, (0, 2)) + encyclopedia(folder)))
    for part in (0, 1):
        pairs.tables = shipped if part else lambda: unseen  # type: ignore[assignment]
        for group, parts in groups(folder).items():
            texts = parts[part]
            some = [text[:6000] for text in draw.sample(texts, min(MOST, len(texts)))]
            long = [text for text in some if len(text) >= SHORTEST.get(group[0], 300)]
            bad = [recognition_errors(text, draw) for text in long]
            measured[group, part] = traces(some, analyzer), traces(bad, analyzer)
    learnt = [some for (_, part), pair in measured.items() if part == 0 for some in pair]
    is_bad = np.concatenate([np.full(len(some), number % 2 == 1) for number, some in enumerate(learnt)])
    weights = np.concatenate([np.full(len(some), 1 / len(some) / len(learnt)) for some in learnt])
    found = fit(np.concatenate(learnt), is_bad, weights)
    print(f"constant: {found[-1]:.2f}\nweights:")
    print(*(f"  {trace}: {weight:.2f}" for trace, weight in zip(TRACES, found, strict=False)), sep="\n")
    for (kind, place), part in measured:
        if part:
            good, bad = ([pair @ found for pair in measured[(kind, place), number]] for number in (0, 1))
            limit = np.quantile(good[0], 0.99)
            shares = f"{np.mean(bad[0] > limit):.3f} {np.mean(bad[1] > limit):.3f}"
            spread = np.round([*np.quantile(bad[0], [0.5, 0.99, 0.995, 1]), *np.quantile(bad[1], [0, 0.02, 0.05])], 2)
            print(f"# {kind:<11} {place:<18} {limit:6.2f} {shares} {len(bad[0])}", *spread)


if __name__ == "__main__":
    main()
