"""Every built-in rule on texts whose value can be told by hand, and on texts that hold nothing."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.quality import Text
from pipelines.words import Analyzer
from registry.names import rule

BUILT_IN = sorted(name for name in rule if rule.get(name).__module__.startswith("pipelines.quality."))
SENTENCE = "当社グループは、環境問題への取組みを経営の重要な課題と考えている。"


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


@pytest.fixture
def measure(analyzer: Analyzer):
    return lambda name, text, **options: rule.get(name)(Text.of(analyzer.analyze(text)), **options)


def test_the_rules_are_all_here():
    assert len(BUILT_IN) == 51


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_rule_has_a_finite_value_for_every_text(name: str, measure):
    for text in [
        "",
        "\n\n",
        "|",
        "| 1 | 2 |\n|---|---|",
        "```\ncode\n```",
        "あ",
        "\ud800\0",
        "a" * 3000,
        "。。。",
        "︎",
        "𠮟る🈂️" * 40,
    ]:
        assert math.isfinite(measure(name, text))


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_text_breaks_a_rule(text: str):
    analyzer = Analyzer()
    for name in BUILT_IN:
        assert math.isfinite(rule.get(name)(Text.of(analyzer.analyze(text))))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("characters", "あ い\n ア", 3),
        ("hiragana_ratio", "あいアA", 0.5),
        ("katakana_ratio", "あいアー", 0.5),
        ("kanji_ratio", "金融ab", 0.5),
        ("kanji_ratio", "々𠮟ab", 0.5),
        ("number_ratio", "１2①a", 0.75),
        ("symbol_ratio", "△、ab", 0.5),
        ("foreign_ratio", "한국ab", 0.5),
        ("japanese_ratio", "金融 12 ab", 0.5),
        ("japanese_ratio", "12", 0),
        ("sentence_count", "一つ。二つ！三つ", 2),
        ("sentence_share", "一つ。二つ", 0.6),
        ("mean_sentence", "ああ。あ。", 2.5),
        ("longest_sentence", "ああ。「あ。」\nいいいいい", 5),
        ("mean_line", "ああ\n| 表 | 表 |\nああああ", 3),
        ("short_lines", "ああ\n" + SENTENCE, 0.5),
        ("list_lines", "- 一つ\n・二つ\n三つ\n1. 四つ", 0.75),
        ("ellipsis_lines", "詳しくは…\n終わり。", 0.5),
        ("broken_off", SENTENCE + "\n当社は、", 1),
        ("broken_off", SENTENCE, 0),
        ("repeated_lines", SENTENCE + "\n" + SENTENCE, 0.5),
        ("repeated_lines", "| 同じ行の表です | 1 |\n" * 5, 0),
        ("repeated_sentences", SENTENCE * 4, 0.75),
        ("longest_run", "あああ金金1111----", 3),
        ("longest_run", "", 0),
        ("unreadable", "金\ufffd融\ue000", 0.5),
        ("navigation", "ホーム | 会社概要 | 金融\n- [ログイン]\n" + SENTENCE, 2 / 3),
        ("advertising", "送料無料" + "あ" * 96, 10),
        ("unwanted", "無修正" + "あ" * 97, 10),
        ("mean_word", "金融庁" * 5, 1.5),
    ],
)
def test_a_value_told_by_hand(name: str, text: str, value: float, measure):
    assert measure(name, text) == pytest.approx(value)


def test_phrases_count_at_word_boundaries_only(measure):
    assert measure("advertising", "激安心な商品" * 10) == 0 < measure("advertising", "激安の商品" * 10)
    assert (
        measure(
            "unwanted", "デリバティブ取引とスーパーデリバリー、保ちつつ、ドナティエロ、性的指向、サブスクリプション"
        )
        == 0
    )


@pytest.mark.parametrize(
    ("written", "read"), [("utf-8", "cp932"), ("utf-8", "latin-1"), ("cp932", "cp1252"), ("euc_jp", "cp932")]
)
def test_text_read_in_a_wrong_encoding_shows(written: str, read: str, measure):
    from pipelines.normalize import normalize

    damaged = normalize((SENTENCE * 5).encode(written).decode(read, "replace"))
    assert measure("mojibake", damaged) + measure("unreadable", damaged) > 0.05
    assert measure("mojibake", SENTENCE * 5) + measure("unreadable", SENTENCE * 5) == 0


def test_shuffled_characters_are_no_language(measure):
    text = "".join(np.random.default_rng(1).permutation(list(SENTENCE * 20)))
    assert measure("lone_kanji", text) > 0.6 > 0.45 > measure("lone_kanji", SENTENCE * 20)
    assert measure("mean_word", text) < 1.25 < measure("mean_word", SENTENCE * 20)


def test_repetition_is_told_from_prose_and_from_tables(measure, shared_data):
    prose = sorted(shared_data.glob("law/2013_text/*.txt"))[3].read_text(encoding="utf-8")[:5000]
    for name in ("repeated_5grams", "repeated_characters"):
        assert measure(name, SENTENCE * 30) > 0.9 > 0.7 > measure(name, prose)
        assert measure(name, "| 売上高 | 1,234 | 百万円 |\n" * 50) == 0
    assert measure("distinct_words", SENTENCE * 100) < 0.05 < measure("distinct_words", prose)
    assert measure("compression_ratio", SENTENCE * 100) < 0.05 < measure("compression_ratio", prose)


def test_repeated_n_grams_are_counted_as_a_set_counts_them(measure):
    text = "金融商品取引法の金融商品取引業者は金融商品取引所に金融商品取引を委託する金融商品取引法の金融商品取引業者である。"
    grams = [text[place : place + 5] for place in range(len(text) - 4)]
    assert measure("repeated_characters", text, n=5) == pytest.approx(1 - len(set(grams)) / len(grams))


@given(
    st.lists(st.sampled_from(["配当", "は", "株主", "に", "支払う", "。", "\n"]), max_size=20),
    st.sets(st.text(max_size=3), max_size=9),
)
@settings(deadline=None)
def test_the_share_of_terms_is_that_of_the_strings(analyzer: Analyzer, parts: list[str], others: set[str]):
    text = "".join(parts)
    doc, terms = Text.of(analyzer.analyze(text)), frozenset({"株主", "配当", "株"} | others)
    assert doc.share(terms) == sum(word in terms for word in doc.words) / max(len(doc.words), 1)


def test_word_hashes_are_equal_where_the_words_are(analyzer: Analyzer):
    text = SENTENCE * 3 + "\n別の文である。"
    doc = Text.of(analyzer.analyze(text))
    by_word: dict[str, set[int]] = {}
    for word, number in zip(doc.words, doc.alone.prose_words.tolist(), strict=True):
        by_word.setdefault(word, set()).add(number)
    assert all(len(numbers) == 1 for numbers in by_word.values())
    assert len({number for numbers in by_word.values() for number in numbers}) == len(by_word)


def test_a_reading_has_lines_sentences_words_and_unknown_words(analyzer: Analyzer):
    text = " 一つ。二つ！\n\n| 表 | EBITDA 12 |\n変な語ゔぐぬ"
    doc = Text.of(analyzer.analyze(text))
    assert doc.lines == ["一つ。二つ！", "| 表 | EBITDA 12 |", "変な語ゔぐぬ"]
    assert doc.sentences == ["一つ。", "二つ！", "変な語ゔぐぬ"]
    assert "".join(doc.words) == "".join(text.split())
    assert doc.unknown == 1


def test_one_rare_name_does_not_damn_a_short_line(measure):
    assert measure("unknown_ratio", "ゔぐぬ社の株式") == pytest.approx(1 / 50)


PARTS = [*"金1９٣.)．・-●…。る\n| ", "続きを読む", "もっと見る", "...", "・・・", "\n12.", "\n1234."]


@given(st.lists(st.sampled_from(PARTS), max_size=30).map("".join))
def test_lines_are_listed_and_trail_off_as_patterns_say(analyzer: Analyzer, text: str):
    doc = Text.of(analyzer.analyze(text))
    listed = re.compile(r"[-*+・●○■□◆◇▶►※]|\d{1,3}[.)．）]")
    ends = ("…", "...", "・・・", "。。。", "続きを読む", "もっと見る")
    counts = doc.alone.line_counts
    assert counts.characters.tolist() == [sum(map(len, doc.prose))]
    assert counts.listed.tolist() == [sum(listed.match(line) is not None for line in doc.prose)]
    assert counts.trailing_off.tolist() == [sum(line.endswith(ends) for line in doc.prose)]
