"""Bits per byte: how well a model predicts a text, comparable between tokenizers. By source.

A document is preceded by the token that begins texts, so every one of its tokens is predicted once; a long one is cut
into windows of `length`, each of which sees the last token of the one before. The token that ends a document is not
text, and left out. Bytes are those of the decoded text in UTF-8.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from registry.shards import Shards
from train.examples import Row, likelihoods
from train.score import Score
from train.tokens import Tokens


def documents(shards: Shards, most: int) -> Iterator[tuple[str, list[int]]]:
    """Source and tokens of the first `most` documents of each source."""
    seen: dict[str, int] = {}
    for row in shards:
        seen[row.source] = seen.get(row.source, 0) + 1
        if seen[row.source] <= most:
            yield row.source, row.input_ids.tolist()


def bits_per_byte(
    model: Any, texts: Iterable[tuple[str, list[int]]], tokens: Tokens, *, length: int
) -> dict[str, Score]:
    """Bits of each document and its bytes, by source."""
    bits: dict[str, list[float]] = {}
    sizes: dict[str, list[float]] = {}
    rows: list[Row] = []
    owners: list[tuple[str, int]] = []  # of each row, where its bits are added
    for source, document in texts:
        text = document[:-1] if document[-1:] == [tokens.end] else document
        if text:
            mine = bits.setdefault(source, [])
            whole = text if tokens.begin in (None, text[0]) else [tokens.begin, *text]
            for start in range(0, len(whole) - 1, length - 1):
                window = whole[start : start + length]
                rows.append((window, len(window) - 1))
                owners.append((source, len(mine)))
            mine.append(0.0)
            decoded = tokens.tokenizer.decode(text, skip_special_tokens=False)
            sizes.setdefault(source, []).append(max(1, len(decoded.encode())))
    for (source, number), likelihood in zip(owners, likelihoods(model, rows), strict=True):
        bits[source][number] -= likelihood / math.log(2)
    return {source: Score(bits[source], sizes[source]) for source in sorted(bits)}
