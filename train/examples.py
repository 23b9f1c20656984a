"""Prompts with options, as batches: numeric choices, or instructions (one option). JSONL: prompt, options, answer.

`choice` compares the options: cross entropy over the sums of their tokens' log-probabilities, so the model learns which
number is right, not how numbers look. `answer` is the language model's own loss on the tokens of the right option. The
prompt is masked in both. Which examples make step k is a pure function of (seed, k).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from registry.errors import UsageError
from train.files import read_lines
from train.model import evaluating, logits, nats
from train.stream import IGNORED
from train.tokens import Tokens


class Example(NamedTuple):
    """A prompt, what may follow it, and the number of what should."""

    prompt: str
    options: tuple[str, ...]
    answer: int


_AT_ONCE = 1 << 13  # tokens: 3 GB of logits where a vocabulary has 100,000
Row = tuple[list[int], int]  # tokens, and how many of the last ones are predicted


def read_examples(path: Path) -> list[Example]:
    """The examples of a JSONL file.

    Raises:
        UsageError: the message names file and line.
    """
    found = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            row = json.loads(line)
            example = Example(str(row["prompt"]), tuple(map(str, row["options"])), int(row["answer"]))
            if not 0 <= example.answer < len(example.options):
                raise ValueError("answer is not the number of an option")  # noqa: TRY301 - told with file and line
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path}:{number}: not prompt, options and answer: {error}") from None
        found.append(example)
    if not found:
        raise UsageError(f"{path} holds no examples")
    return found


def encoded(example: Example, tokens: Tokens, length: int, *, end: bool) -> list[Row]:
    """A row for each option: prompt and option, cut from the left to `length`; the option's tokens are predicted.

    As in lm-evaluation-harness both are encoded as one text, and what is longer than the prompt alone, without the
    spaces at its end, is the option's.
    """
    before, last = tokens.prompt(example.prompt.rstrip()), [tokens.end] if end and tokens.end is not None else []
    if example.prompt:
        rows = [[*tokens.prompt(example.prompt + option), *last] for option in example.options]
    else:
        rows = [[*before, *tokens.ids(option), *last] for option in example.options]
    return [(row[-length:], min(max(1, len(row) - len(before)), len(row) - 1, length - 1)) for row in rows]


def padded(rows: list[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Input ids, positions and targets [rows, longest]; only what is predicted is a target."""
    longest = max(len(ids) for ids, _ in rows)
    input_ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    targets = torch.full_like(input_ids, IGNORED)
    for row, (ids, answer) in enumerate(rows):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        targets[row, len(ids) - answer - 1 : len(ids) - 1] = torch.tensor(ids[len(ids) - answer :])
    return input_ids, torch.arange(longest).expand(len(rows), -1), targets


def scores(found: Tensor, targets: Tensor) -> Tensor:
    """The log-likelihood of each row's targets by the logits that were found."""
    return -nats(found, targets).sum(dim=1)


def likelihoods(model: Any, rows: list[Row]) -> list[float]:
    """The log-likelihood of what is predicted of each row, in nats; rows of like length are read at once."""
    found = [0.0] * len(rows)
    with evaluating(model) as device:
        for batch in _batches([len(ids) for ids, _ in rows]):
            ids, positions, targets = (t.to(device) for t in padded([rows[number] for number in batch]))
            for number, score in zip(batch, scores(logits(model, ids, positions), targets).tolist(), strict=True):
                found[number] = score
    return found


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Numbers of rows, the shortest first, in batches of at most `_AT_ONCE` tokens with their padding."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[number] > _AT_ONCE:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


class ExampleStream:
    """Batches of examples without end, in an order that is a function of seed and index.

    With `contrast` the options compete, otherwise the right one is learnt.
    """

    def __init__(self, examples: list[Example], tokens: Tokens, *, length: int, contrast: bool, seed: int) -> None:
        self._examples, self._tokens, self._length = examples, tokens, length
        self._contrast, self._seed = contrast, seed
        self._order = lru_cache(2)(self._permuted)  # a batch may reach into the next epoch

    def _permuted(self, epoch: int) -> list[Example]:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._examples))
        return [self._examples[place] for place in order.tolist()]

    def batch(self, indices: range) -> tuple[list[Example], tuple[Tensor, Tensor, Tensor]]:
        """Examples and their rows: all options of each, or the right one alone."""
        size = len(self._examples)
        chosen = [self._order(index // size)[index % size] for index in indices]
        options = [encoded(each, self._tokens, self._length, end=not self._contrast) for each in chosen]
        if self._contrast:
            return chosen, padded([row for rows in options for row in rows])
        return chosen, padded([rows[each.answer] for rows, each in zip(options, chosen, strict=True)])

    def loss(self, found: Tensor, targets: Tensor, chosen: list[Example]) -> tuple[Tensor, int]:
        """Sum of the losses in nats, and of how many: of examples where options compete, of tokens otherwise."""
        likely = scores(found, targets)
        if not self._contrast:
            return -likely.sum(), int((targets != IGNORED).sum())
        groups = torch.split(likely, [len(example.options) for example in chosen])
        each = [group.log_softmax(0)[example.answer] for group, example in zip(groups, chosen, strict=True)]
        return -torch.stack(each).sum(), len(chosen)
