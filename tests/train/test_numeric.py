"""Numeric questions: what is asked is in the text, one option is right, the others are the mistakes they claim to be."""

from __future__ import annotations

import random

import pytest

from train.numeric import FIGURE, distractor, questions

TEXT = """当期の売上高は1,234百万円となり、前期比5.2%増加した。営業損失は△56億円であった。
2023年度の配当は35円である。
| 項目 | 金額 |
|---|---|
| 減損損失 | △1,200 |
短文5円。"""


def asked(text=TEXT, seed=0):
    return list(questions(text, document="d", source="s", seed=seed))


def test_every_question_can_be_found_in_its_document():
    found = asked()
    assert [q.kind for q in found] == ["sentence", "sentence", "sentence", "table"]
    for question in found:
        right = question.options[question.answer]
        assert TEXT[question.start : question.start + len(right)] == right
        assert "□" in question.prompt
        assert len(set(question.options)) == len(question.options) == 4
        assert (question.document, question.source) == ("d", "s")


def test_questions_are_a_function_of_text_and_seed():
    assert asked() == asked()
    assert asked() != asked(seed=1)


@pytest.mark.parametrize(
    ("name", "figure", "expected"),
    [
        ("scale", "12百万円", {"12千円", "12億円"}),
        ("scale", "12%", {None}),
        ("sign", "△56億円", {"56億円"}),
        ("sign", "5%", {"△5%"}),
        ("sign", "2023年", {None}),
        ("year", "2023年度", {"2022年度", "2024年度"}),
        ("year", "5円", {None}),
    ],
)
def test_a_distractor_makes_its_own_mistake(name, figure, expected):
    match = FIGURE.search(figure)
    assert {distractor.get(name)(match, random.Random(seed)) for seed in range(30)} == expected


def test_a_wrong_digit_differs_in_one_place_and_keeps_the_commas():
    match = FIGURE.search("1,234百万円")
    for seed in range(30):
        made = distractor.get("digit")(match, random.Random(seed))
        assert sum(a != b for a, b in zip(made, "1,234百万円", strict=True)) == 1
        assert made[0] != "0"
