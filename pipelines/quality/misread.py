"""The rule on misread characters: what each trace of them says, taken together.

In: the measurements of other rules, and weights for them, which are data (misread.yaml, fitted by
benchmarks/make_misread.py). Out: the logarithm of the odds that a seventh of the characters were misread by a scanner.
No trace is enough alone: names and headings run together have strange neighbours, old spelling has rare kanji and long
paths through the dictionary, lists of directors have both. Of filings from sources that the pairs were not made from
(benchmarks/unseen.py), 6 of 1,522 lie above the limit and 822 of 822 misread ones do; of single sentences, 7 of 1,000
and 87 of 100. Ten wrong characters say no more: trigrams, pairs at a distance, likelihoods of pairs, and counts
weighed as a beta-binomial has it caught at most 3 of 100 more at the same rate of false alarms.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from pipelines.quality.texts import Column, Texts, of_many
from registry.data import read_data
from registry.names import rule


@rule
@of_many
def misread(docs: Texts) -> Column:
    """Log-odds that the text was misread: below -5 in clean prose, above 3 where every seventh character is wrong."""
    constant, weights = _weights()
    odds = sum((weight * trace(docs) for trace, weight in weights), np.zeros(len(docs)))
    return constant + odds


@cache
def _weights() -> tuple[float, list[tuple[Callable[[Texts], Column], float]]]:
    data = read_data(Path(__file__).with_suffix(".yaml"))
    traces = [(rule.get(name).of_many, float(weight)) for name, weight in data["weights"].items()]  # type: ignore[attr-defined]
    return float(data["constant"]), traces
