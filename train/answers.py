"""Multiple choice by log-likelihood, and comparisons of models with their noise; what a model goes on to write.

A choice is right where the right option has the highest sum of log-probabilities; `accuracy_norm` divides by the
option's length in characters, as lm-evaluation-harness does. Every number comes with n and its standard error, every
comparison of two models with a paired bootstrap over the same items: published differences on Japanese finance
benchmarks are mostly within 2 standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from train.examples import Example, encoded, likelihoods
from train.model import evaluating, logits
from train.tokens import Tokens

BOOTSTRAP = 2000


def told(mean: float, error: float, n: int) -> dict[str, float | int | None]:
    """A number with its noise in JSON, which knows no NaN."""
    return {"mean": mean if math.isfinite(mean) else None, "error": error if math.isfinite(error) else None, "n": n}


class Score(NamedTuple):
    """A mean over items, with what it takes to judge it."""

    items: list[float]

    @property
    def mean(self) -> float:
        """Of the items."""
        return float(np.mean(self.items)) if self.items else math.nan

    @property
    def error(self) -> float:
        """Its standard error."""
        n = len(self.items)
        return float(np.std(self.items, ddof=1) / math.sqrt(n)) if n > 1 else math.nan

    def told(self) -> dict[str, float | int | None]:
        """In JSON."""
        return told(self.mean, self.error, len(self.items))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.error:.3f} (n={len(self.items)})"


class Answered(NamedTuple):
    """How a model chose: the number of each item's choice, and whether it was right."""

    choices: list[int]
    right: Score
    right_norm: Score


def answer(model: Any, examples: Sequence[Example], tokens: Tokens, *, length: int) -> Answered:
    """Choose by log-likelihood."""
    rows = [row for example in examples for row in encoded(example, tokens, length, end=False)]
    found = iter(likelihoods(model, rows, at_once=32))
    own = [np.array([next(found) for _ in example.options]) for example in examples]
    sizes = [[max(1, len(option)) for option in example.options] for example in examples]
    choices = [int(each.argmax()) for each in own]
    right = Score([float(c == e.answer) for c, e in zip(choices, examples, strict=True)])
    normed = [float((o / s).argmax() == e.answer) for o, s, e in zip(own, sizes, examples, strict=True)]
    return Answered(choices, right, Score(normed))


class Difference(NamedTuple):
    """Of two models on the same items: mean and 95 % interval of the bootstrap."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def paired(first: Sequence[float], second: Sequence[float], *, seed: int = 0) -> Difference:
    """How much better the second is: a paired bootstrap over items.

    Raises:
        ValueError: they are not of the same items.
    """
    if len(first) != len(second) or len(first) == 0:
        raise ValueError(f"{len(first)} and {len(second)} items cannot be paired")
    differences, draw = np.array(second) - np.array(first), np.random.default_rng(seed)
    means = [draw.choice(differences, differences.size).mean() for _ in range(BOOTSTRAP)]
    return Difference(float(differences.mean()), *map(float, np.quantile(means, [0.025, 0.975])))


def adjusted_f1(gold: Sequence[str], predicted: Sequence[str], *, classes: Sequence[str]) -> float:
    """Macro F1 over `classes` times classes / (classes - 1): chabsa's, whose neutral class is never offered.

    With three classes of which one is never predicted, a constant answer on the full set gives 0.36. Averages over all
    three classes even where a subset has no neutral item, so it cannot exceed 1.
    """
    truth, guess = (np.array(labels)[:, None] == list(classes) for labels in (gold, predicted))
    each = 2 * (truth & guess).sum(axis=0) / np.maximum(1, truth.sum(axis=0) + guess.sum(axis=0))
    return float(each.sum() / (len(classes) - 1))


def bootstrap_error(gold: Sequence[str], predicted: Sequence[str], *, classes: Sequence[str]) -> float:
    """Standard error of `adjusted_f1`, which is no mean of items: over resampled items."""
    pairs, draw = np.stack([gold, predicted]), np.random.default_rng(0)
    some = (pairs[:, draw.integers(0, len(gold), len(gold))] for _ in range(BOOTSTRAP // 10))
    return float(np.std([adjusted_f1(g, p, classes=classes) for g, p in some], ddof=1))


def generate(model: Any, tokens: Tokens, prompt: str, *, most: int) -> tuple[str, bool]:
    """The model's most likely continuation, and whether it came to an end; no cache, for short answers."""
    ids = tokens.prompt(prompt)
    fresh: list[int] = []
    with evaluating(model) as device:
        while len(fresh) < most and tokens.end not in fresh[-1:]:
            row = torch.tensor([ids + fresh], device=device)
            fresh.append(int(logits(model, row, torch.arange(row.shape[1], device=device)[None])[0, -1].argmax()))
    ended = fresh[-1] == tokens.end
    return tokens.tokenizer.decode(fresh[:-1] if ended else fresh), ended
