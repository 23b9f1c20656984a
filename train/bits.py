"""Bits per byte: how well a model predicts a text, comparable between tokenizers. By source.

A document is preceded by the token that begins texts, so every one of its tokens is predicted once; a long one is cut
into windows of `length`, each of which sees the last token of the one before. The token that ends a document is not
text, and left out. Bytes are those of the decoded text in UTF-8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from train.examples import likelihoods

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch.nn import Module

    from registry.shards import Shards
    from train.examples import Row
    from train.tokens import Tokens


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
    model: Module, texts: Iterable[tuple[str, list[int]]], tokens: Tokens, *, length: int
) -> dict[str, Bits]:
    """`Bits` by source."""
    found: dict[str, Bits] = {}
    rows: list[Row] = []
    places: list[tuple[Bits, int]] = []  # of each row, where its bits are added
    for source, document in texts:
        text = document[:-1] if document and document[-1] == tokens.end else document
        if text:
            bits = found.setdefault(source, Bits())
            windows = list(_windows(text, tokens.begin, length))
            places += [(bits, len(bits.bits))] * len(windows)
            rows += windows
            bits.bits.append(0.0)
            bits.bytes.append(len(tokens.tokenizer.decode(text, skip_special_tokens=False).encode()))
    for (bits, number), nats in zip(places, likelihoods(model, rows, at_once=8), strict=True):
        bits.bits[number] -= nats / math.log(2)
    return dict(sorted(found.items()))


def _windows(text: list[int], begin: int | None, length: int) -> Iterator[Row]:
    """Rows of at most `length` tokens and how many of their last ones are predicted."""
    whole = text if begin is None else [begin, *text]
    for start in range(0, len(whole) - 1, length - 1):
        window = whole[start : start + length]
        yield window, len(window) - 1
