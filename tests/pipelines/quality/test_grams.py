"""Repetition of n-grams and strange pairs, against the plain way to count them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.quality import Script, Text, alphabet, pairs
from pipelines.quality.grams import count_different, number, repetition
from pipelines.quality.texts import Texts
from pipelines.words import Analyzer
from registry.names import rule


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@given(st.lists(st.integers(0, 5), max_size=60))
def test_all_lengths_are_counted_as_a_counter_counts_them(words: list[int]):
    table, numbers = repetition(np.array(words, np.uint64), 10)
    assert numbers.tolist() == [list(dict.fromkeys(words)).index(word) for word in words]
    for n in range(1, 11):
        grams = Counter(tuple(words[place : place + n]) for place in range(len(words) - n + 1))
        total = grams.total()
        assert table[n, 0] == pytest.approx((total - len(grams)) / total if total else 0)
        most = max(grams.values(), default=0)
        assert table[n, 1] == most or (most == 1 and table[n, 1] == 0)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_equal_keys_have_equal_numbers(keys: list[int]):
    found, numbers, counts = number(np.array(keys, np.uint64))
    assert (
        found
        == len(set(keys))
        == count_different(np.array([key or 1 for key in keys], np.uint64)) + (0 in keys and 1 in keys)
    )
    assert [keys.index(key) == place for place, key in enumerate(keys)].count(True) == found
    assert all(counts[numbers[place]] == keys.count(key) for place, key in enumerate(keys))


def test_misread_text_has_strange_pairs_and_language_has_not():
    def measured(text: str) -> float:
        return rule.get("strange_pairs")(Text.of(Analyzer().analyze(text)))

    text = "当社グループは、環境問題への取組みを経営の重要な課題と考えている。" * 3
    misread = "当杜グルーブは、環塊問題へ丿取俎みを経営ハ重耍な諜題卜孝えてぃゐ。" * 3
    assert measured(text) < 0.05 < 0.3 < measured(misread)


@given(st.text(st.sampled_from("のをガー金融〇ab1１・、。「」| ©～\n𠮟ｶ")))
def test_pairs_are_counted_as_one_by_one(analyzer: Analyzer, text: str):
    bitmap, _, _ = pairs.tables()
    kana = np.unpackbits(np.fromfile(Path(pairs.__file__).with_name("kana.bin"), np.uint8), bitorder="little")
    words = analyzer.analyze(text)
    known = {
        place
        for start, end, unknown in zip(words.start.tolist(), words.end.tolist(), words.unknown, strict=True)
        for place in range(start, end - 1)
        if not unknown
    }
    scripts = alphabet.scripts()[np.minimum(words.codes, alphabet.SIZE - 1)].tolist()
    counts = [0, 0, 0, 0]
    for place, two in enumerate(pairwise(text)):
        kinds = scripts[place : place + 2]
        if not {2, 3, 4} & set(kinds) or Script.BLANK in kinds or set("|©®™") & set(two):
            continue
        codes = [np.uint32(ord(character)) for character in two]
        folded = [pairs.folded(code, kind) for code, kind in zip(codes, kinds, strict=True)]
        bit = int(pairs.pair_place(*folded))
        row, column = (pairs.kana_class(code, kind) for code, kind in zip(codes, kinds, strict=True))
        counts[0] += 1
        counts[1] += place not in known and not bitmap[bit >> 3] >> (bit & 7) & 1
        if row >= 0 and column >= 0 and not row == column == 180:
            counts[2] += 1
            counts[3] += not kana[row * pairs.KANA + column]
    assert Texts([words]).pairs[0].tolist() == counts
