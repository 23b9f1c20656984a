"""Multiple choice by log-likelihood, and what a model goes on to write.

A choice is right where the right option has the highest sum of log-probabilities; the other way, `right_norm`, divides
it by the option's length in characters, as lm-evaluation-harness does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import GenerationConfig

from registry.errors import UsageError
from train.examples import Example, encoded, likelihoods
from train.model import evaluating
from train.score import BOOTSTRAP, Score
from train.tokens import Tokens


class Answered(NamedTuple):
    """How a model chose: the number of each item's choice, and whether it was right."""

    choices: list[int]
    right: Score
    right_norm: Score


def answer(model: Any, examples: Sequence[Example], tokens: Tokens, *, length: int) -> Answered:
    """Choose by log-likelihood."""
    rows = [row for example in examples for row in encoded(example, tokens, length, end=False)]
    found = iter(likelihoods(model, rows))
    own = [np.array([next(found) for _ in example.options]) for example in examples]
    sizes = [[max(1, len(option)) for option in example.options] for example in examples]
    choices = [int(each.argmax()) for each in own]
    right = Score([float(c == e.answer) for c, e in zip(choices, examples, strict=True)])
    normed = [float((o / s).argmax() == e.answer) for o, s, e in zip(own, sizes, examples, strict=True)]
    return Answered(choices, right, Score(normed))


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
    """The model's most likely continuation, and whether it came to an end; the model's own settings are replaced.

    Raises:
        UsageError: there is nothing to go on from.
    """
    ids = tokens.prompt(prompt)
    if not ids:
        raise UsageError(f"the prompt {prompt!r} has no tokens, and {tokens.folder} no token that begins texts")
    model.generation_config = GenerationConfig(
        max_new_tokens=most, do_sample=False, eos_token_id=tokens.end, pad_token_id=tokens.end
    )
    with evaluating(model) as device:
        row = torch.tensor([ids], device=device)
        fresh = model.generate(row, attention_mask=torch.ones_like(row))[0, len(ids) :].tolist()
    ended = fresh[-1] == tokens.end
    return tokens.tokenizer.decode(fresh[:-1] if ended else fresh), ended
