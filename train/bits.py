"""Bits per byte: how well a model predicts a text, comparable between tokenizers. By source.

A document is preceded by the token that begins texts, so every one of its tokens is predicted once; a long one is cut
into windows of `length`, each of which sees the last token of the one before. The token that ends a document is not
text, and left out. Bytes are those of the decoded text in UTF-8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from train.examples import padded, scores
from train.model import evaluating, logits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch.nn import Module

    from registry.shards import Shards
    from train.tokens import Tokens

Row = tuple[list[int], int]


@dataclass(slots=True)
class Bits:
    """Sums over the documents of a source: one number per document, so that models can be compared in pairs."""

    bits: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)

    @property
    def per_byte(self) -> float:
        """Bits per byte of all of them."""
        return sum(self.bits) / max(1, sum(self.bytes))

    @property
    def error(self) -> float:
        """Standard error of `per_byte`, by the spread of the documents (ratio estimator)."""
        n, rate = len(self.bits), self.per_byte
        if n < 2:
            return math.nan
        residuals = np.array(self.bits) - rate * np.array(self.bytes)
        return float(math.sqrt(n / (n - 1) * float(np.sum(residuals**2))) / max(1, sum(self.bytes)))


def documents(shards: Shards, most: int) -> Iterator[tuple[str, list[int]]]:
    """Source and tokens of the first `most` documents of each source."""
    seen: dict[str, int] = {}
    for row in shards:
        seen[row.source] = seen.get(row.source, 0) + 1
        if seen[row.source] <= most:
            yield row.source, row.input_ids.tolist()


def bits_per_byte(
    model: Module, texts: Iterable[tuple[str, list[int]]], tokens: Tokens, *, length: int, rows: int = 8
) -> dict[str, Bits]:
    """`Bits` by source."""
    found: dict[str, Bits] = {}
    with evaluating(model) as device:
        windows = _all_windows(texts, tokens, length, found)
        while some := list(islice(windows, rows)):
            ids, positions, targets = (t.to(device) for t in padded([row for _, row in some]))
            nats = scores(logits(model, ids, positions), targets).tolist()
            for ((entry, number), _), value in zip(some, nats, strict=True):
                entry.bits[number] -= value / math.log(2)
    return dict(sorted(found.items()))


def _all_windows(
    texts: Iterable[tuple[str, list[int]]], tokens: Tokens, length: int, found: dict[str, Bits]
) -> Iterator[tuple[tuple[Bits, int], Row]]:
    """The windows of all documents, each with where its bits are added; `found` grows by the documents."""
    for source, document in texts:
        text = document[:-1] if document and document[-1] == tokens.end else document
        if not text:
            continue
        entry = found.setdefault(source, Bits())
        entry.bits.append(0.0)
        entry.bytes.append(len(tokens.tokenizer.decode(text, skip_special_tokens=False).encode()))
        for row in _windows(text, tokens.begin, length):
            yield (entry, len(entry.bits) - 1), row


def _windows(text: list[int], begin: int | None, length: int) -> Iterator[Row]:
    """Rows of at most `length` tokens and how many of their last ones are predicted."""
    whole = text if begin is None else [begin, *text]
    for start in range(0, len(whole) - 1, length - 1):
        window = whole[start : start + length]
        yield window, len(window) - 1
