"""Bits per byte: how well a model predicts a text, comparable between tokenizers. By source.

A document is preceded by the token that begins texts, so every one of its tokens is predicted once; a long one is cut
into windows of `length`, each of which sees the last token of the one before. The token that ends a document is not
text, and left out. Bytes are those of the decoded text in UTF-8.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from registry.shards import Shards
from train.examples import Row, likelihoods
from train.tokens import Tokens


class Bits:
    """Bits and bytes of each document of a source, so that models can be compared in pairs."""

    def __init__(self) -> None:
        self.bits: list[float] = []
        self.bytes: list[int] = []

    @property
    def per_byte(self) -> float:
        """Bits per byte of all of them."""
        return sum(self.bits) / max(1, sum(self.bytes))

    @property
    def error(self) -> float:
        """Standard error of `per_byte`, by the spread of the documents (ratio estimator); NaN for a single one."""
        residuals, n = np.array(self.bits) - self.per_byte * np.array(self.bytes), len(self.bits)
        return float(np.linalg.norm(residuals) * math.sqrt(n / (n - 1)) / sum(self.bytes)) if n > 1 else math.nan


def documents(shards: Shards, most: int) -> Iterator[tuple[str, list[int]]]:
    """Source and tokens of the first `most` documents of each source."""
    seen: dict[str, int] = {}
    for row in shards:
        seen[row.source] = seen.get(row.source, 0) + 1
        if seen[row.source] <= most:
            yield row.source, row.input_ids.tolist()


def bits_per_byte(
    model: Any, texts: Iterable[tuple[str, list[int]]], tokens: Tokens, *, length: int
) -> dict[str, Bits]:
    """`Bits` by source."""
    found: dict[str, Bits] = {}
    rows: list[Row] = []
    owners: list[tuple[Bits, int]] = []  # of each row, where its bits are added
    for source, document in texts:
        text = document[:-1] if document[-1:] == [tokens.end] else document
        if text:
            bits = found.setdefault(source, Bits())
            whole = text if tokens.begin is None else [tokens.begin, *text]
            for start in range(0, len(whole) - 1, length - 1):
                window = whole[start : start + length]
                rows.append((window, len(window) - 1))
                owners.append((bits, len(bits.bits)))
            bits.bits.append(0.0)
            bits.bytes.append(len(tokens.tokenizer.decode(text, skip_special_tokens=False).encode()))
    for (bits, number), nats in zip(owners, likelihoods(model, rows, at_once=8), strict=True):
        bits.bits[number] -= nats / math.log(2)
    return dict(sorted(found.items()))
