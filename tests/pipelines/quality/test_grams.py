"""Repetition of n-grams and strange pairs, against the plain way to count them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.quality import Text
from pipelines.quality.grams import number, repetition
from pipelines.words import Analyzer
from registry.names import rule


@given(st.lists(st.integers(0, 5), max_size=60))
def test_all_lengths_are_counted_as_a_counter_counts_them(words: list[int]):
    table = repetition(np.array(words, np.uint64), 10)
    for n in range(1, 11):
        grams = Counter(tuple(words[place : place + n]) for place in range(len(words) - n + 1))
        total = grams.total()
        assert table[n, 0] == pytest.approx((total - len(grams)) / total if total else 0)
        most = max(grams.values(), default=0)
        assert table[n, 1] == most or (most == 1 and table[n, 1] == 0)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_equal_keys_have_equal_numbers(keys: list[int]):
    found, numbers, counts = number(np.array(keys, np.uint64))
    assert found == len(set(keys))
    assert [keys.index(key) == place for place, key in enumerate(keys)].count(True) == found
    assert all(counts[numbers[place]] == keys.count(key) for place, key in enumerate(keys))


def test_misread_text_has_strange_pairs_and_language_has_not():
    def measured(text: str) -> float:
        return rule.get("strange_pairs")(Text(text, Analyzer().analyze(text)))

    text = "当社グループは、環境問題への取組みを経営の重要な課題と考えている。" * 3
    misread = "当杜グルーブは、環塊問題へ丿取俎みを経営ハ重耍な諜題卜孝えてぃゐ。" * 3
    assert measured(text) < 0.05 < 0.3 < measured(misread)
