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

import yaml

from pipelines.quality.text import Text
from registry.names import rule


@rule
def misread(doc: Text) -> float:
    """Log-odds that the text was misread: below -5 in clean prose, above 3 where every seventh character is wrong."""
    constant, weights = _weights()
    return constant + sum(weight * trace(doc) for trace, weight in weights)


@cache
def _weights() -> tuple[float, list[tuple[Callable[[Text], float], float]]]:
    data = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return float(data["constant"]), [(rule.get(name), float(weight)) for name, weight in data["weights"].items()]
