"""Prompts with options, as batches: numeric choices, or instructions (one option). JSONL: prompt, options, answer.

`choice` compares the options: cross entropy over the sums of their tokens' log-probabilities, so the model learns which
number is right, not how numbers look. `answer` is the language model's own loss on the tokens of the right option. The
prompt is masked in both. Which examples make step k is a pure function of (seed, k).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from registry.errors import UsageError
from train.stream import IGNORED

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt, what may follow it, and the number of what should."""

    prompt: str
    options: tuple[str, ...]
    answer: int


def read_examples(path: Path) -> list[Example]:
    """The examples of a JSONL file.

    Raises:
        UsageError: the message names file and line.
    """
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
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


class Encoder:
    """Rows of tokens for a prompt and its options, cut from the left to `length`."""

    def __init__(self, tokenizer: Tokenizer, *, begin: int | None, end: int | None, length: int) -> None:
        self._tokenizer, self._begin, self._end, self._length = tokenizer, begin, end, length

    def rows(self, example: Example, *, end: bool) -> list[tuple[list[int], int]]:
        """For each option, the tokens of the whole and how many of the last ones are the option's.

        Prompt and option are encoded apart, as the log-likelihood of an option is defined by its own tokens.
        """
        begin = [] if self._begin is None else [self._begin]
        prompt = [*begin, *self._tokenizer.encode(example.prompt, add_special_tokens=False).ids]
        rows = []
        for option in example.options:
            answer = self._tokenizer.encode(option, add_special_tokens=False).ids
            answer = [*answer, self._end] if end and self._end is not None else answer
            rows.append(([*prompt, *answer][-self._length :], min(len(answer), self._length - 1)))
        return rows


def padded(rows: list[tuple[list[int], int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Input ids, positions and targets [rows, longest]; only the answers' tokens are targets."""
    longest = max(len(ids) for ids, _ in rows)
    input_ids = torch.zeros(len(rows), longest, dtype=torch.int64)
    targets = torch.full_like(input_ids, IGNORED)
    for row, (ids, answer) in enumerate(rows):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        targets[row, len(ids) - answer - 1 : len(ids) - 1] = torch.tensor(ids[len(ids) - answer :])
    return input_ids, torch.arange(longest).expand(len(rows), -1), targets


def scores(logits: Tensor, targets: Tensor) -> Tensor:
    """The log-likelihood of each row's targets."""
    nll = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return -nll.view(targets.shape).sum(dim=1)


class ExampleStream:
    """Batches of examples without end, in an order that is a function of seed and index."""

    def __init__(self, examples: list[Example], encoder: Encoder, *, contrast: bool, seed: int) -> None:
        self._examples, self._seed, self._contrast = examples, seed, contrast
        self._encoder = encoder
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def example(self, index: int) -> Example:
        """Example number `index` of all epochs."""
        epoch, place = divmod(index, len(self._examples))
        if epoch != self._epoch:
            self._order = np.random.Generator(np.random.PCG64([self._seed, epoch])).permutation(len(self._examples))
            self._epoch = epoch
        return self._examples[int(self._order[place])]

    def batch(self, indices: range) -> tuple[list[Example], tuple[Tensor, Tensor, Tensor]]:
        """Examples and their rows: all options of each, or the right one alone."""
        chosen = [self.example(index) for index in indices]
        rows: list[tuple[list[int], int]] = []
        for example in chosen:
            options = self._encoder.rows(example, end=not self._contrast)
            rows += options if self._contrast else [options[example.answer]]
        return chosen, padded(rows)

    def loss(self, logits: Tensor, targets: Tensor, chosen: list[Example]) -> Tensor:
        """Mean loss of the examples, in nats: per example where options compete, per token otherwise."""
        found = scores(logits, targets)
        if not self._contrast:
            return -found.sum() / (targets != IGNORED).sum().clamp(min=1)
        groups = torch.split(found, [len(example.options) for example in chosen])
        each = [group.log_softmax(0)[example.answer] for group, example in zip(groups, chosen, strict=True)]
        return -torch.stack(each).mean()
