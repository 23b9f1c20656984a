"""Multiple choice by log-likelihood, and comparisons of models with their noise; what a model goes on to write.

A choice is right where the right option has the highest sum of log-probabilities; `accuracy_norm` divides by the
option's length in characters, as lm-evaluation-harness does. Every number comes with n and its standard error, every
comparison of two models with a paired bootstrap over the same items: published differences on Japanese finance
benchmarks are mostly within 2 standard errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from train.examples import encoded, likelihoods
from train.model import evaluating, logits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch.nn import Module

    from train.examples import Example
    from train.tokens import Tokens

BOOTSTRAP = 2000


def told(mean: float, error: float, n: int) -> dict[str, float | int | None]:
    """A number with its noise in JSON, which knows no NaN."""
    return {"mean": mean if math.isfinite(mean) else None, "error": error if math.isfinite(error) else None, "n": n}


@dataclass(frozen=True, slots=True)
class Score:
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


@dataclass(frozen=True, slots=True)
class Answered:
    """How a model chose: the number of each item's choice, and whether it was right."""

    choices: list[int]
    right: Score
    right_norm: Score


def answer(model: Module, examples: Sequence[Example], tokens: Tokens, *, length: int) -> Answered:
    """Choose by log-likelihood."""
    rows = [row for example in examples for row in encoded(example, tokens, length, end=False)]
    found = iter(likelihoods(model, rows, at_once=32))
    choices, right, norm = [], [], []
    for example in examples:
        own = np.array([next(found) for _ in example.options])
        choices.append(int(own.argmax()))
        right.append(float(own.argmax() == example.answer))
        norm.append(float((own / [max(1, len(o)) for o in example.options]).argmax() == example.answer))
    return Answered(choices, Score(right), Score(norm))


@dataclass(frozen=True, slots=True)
class Difference:
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
    differences = np.array(second) - np.array(first)
    draw = np.random.default_rng(seed)
    means = np.array([draw.choice(differences, differences.size).mean() for _ in range(BOOTSTRAP)])
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(differences.mean()), float(low), float(high))


def adjusted_f1(gold: Sequence[str], predicted: Sequence[str], *, classes: Sequence[str]) -> float:
    """Macro F1 over `classes` times classes / (classes - 1): chabsa's, whose neutral class is never offered.

    With three classes of which one is never predicted, a constant answer on the full set gives 0.36. Averages over all
    three classes even where a subset has no neutral item, so it cannot exceed 1.
    """
    truth, guess = np.array(gold), np.array(predicted)
    values = []
    for name in classes:
        hits = np.sum((truth == name) & (guess == name))
        values.append(2 * hits / max(1, np.sum(truth == name) + np.sum(guess == name)))
    return float(np.mean(values) * len(classes) / (len(classes) - 1))


def bootstrap_error(gold: Sequence[str], predicted: Sequence[str], *, classes: Sequence[str]) -> float:
    """Standard error of `adjusted_f1`, which is no mean of items: over resampled items."""
    pairs, draw = np.stack([gold, predicted]), np.random.default_rng(0)
    some = (pairs[:, draw.integers(0, len(gold), len(gold))] for _ in range(BOOTSTRAP // 10))
    return float(np.std([adjusted_f1(g, p, classes=classes) for g, p in some], ddof=1))


def generate(model: Module, tokens: Tokens, prompt: str, *, most: int) -> tuple[str, bool]:
    """The model's most likely continuation, and whether it came to an end; no cache, for short answers."""
    ids = tokens.prompt(prompt)
    fresh: list[int] = []
    with evaluating(model) as device:
        while len(fresh) < most and (not fresh or fresh[-1] != tokens.end):
            row = torch.tensor([ids + fresh], device=device)
            positions = torch.arange(row.shape[1], device=device)[None]
            fresh.append(int(logits(model, row, positions)[0, -1].argmax()))
    ended = fresh[-1] == tokens.end
    return tokens.tokenizer.decode(fresh[:-1] if ended else fresh), ended
