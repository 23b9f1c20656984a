"""Normalisation: what it changes, what it leaves, and that twice is once."""

from __future__ import annotations

import re
import time
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.normalize import normalize

if TYPE_CHECKING:
    from pathlib import Path

TRICKY = list(
    "かガﾊﾞｶﾞ゛゜\u3099\u309aeé\u0301\u0323⼀⺠〻金融一二１２12.,，．、。 　\t\n|`~-#*\0\x0b\u200b\ufeff\ud800㎡①△▲"
) + [
    "```\n",
    "    ",
    "\r\n",
    "| 1 | 2 |\n",
    "# ",
]
OPTIONS = [
    {"symbols": symbols, "width": width, "latin_spaces": latin, "kutoten": kutoten, "join_lines": join}
    for symbols, width, latin, kutoten, join in product(
        ("keep", "expand"), ("keep", "half"), ("keep", "close"), ("keep", "majority"), (False, True)
    )
]
texts = st.lists(st.sampled_from(TRICKY) | st.characters(), max_size=60).map("".join)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("⾦融庁の⺠間⻑期", "金融庁の民間長期"),
        ("ﾊﾟｿｺﾝとｶﾞｽ｡", "パソコンとガス。"),
        ("か\u3099き\u309bは\u309a", "がぎぱ"),
        ("ﬁnance 神", "finance 神"),
        ("︵注︶", "（注）"),
        ("金\u200b融\ufeff庁\xad", "金融庁"),
        ("金 融 庁 は", "金融庁は"),
        ("売上 高 は 3 億円", "売上高は 3 億円"),
        ("a\r\nb\rc\u2028d\x0be", "a\nb\nc\nd\ne"),
        ("行末  \n\n\n\n次", "行末\n\n次"),
        ("a\ud800b\0c", "a\ufffdbc"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_one_spelling_for_what_looks_the_same(given_text: str, expected: str):
    assert normalize(given_text) == expected


@pytest.mark.parametrize(
    "text",
    ["①㈱㎡㌔ ㍻ 10² 約½ ℃ ％", "△1,234 ▲５６７ (890)", "１２３，４５６．７", "Ω Å μm", "一 二 三", "𠮟る、髙島屋、﨑"],
)
def test_numbers_signs_and_units_stay(text: str):
    assert normalize(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "| 科 目 | 金 額 |\n|---|---|\n| 売 上 高 | △1,234 |",
        "```\nif 金 融:\n    印 刷()\n```",
        "本文。\n\n    変数 = 値 の 和",
        "# 第1 見出し\n\n- 一つ目\n  - 二つ目\n1. 三つ目",
    ],
)
def test_tables_code_headings_and_lists_keep_their_form(text: str):
    assert normalize(text) == text


def test_options_change_what_they_say():
    assert normalize("①㈱㎡", symbols="expand") == "1(株)m2"
    assert normalize("ＡＢＣ１２", width="half") == "ABC12"
    assert normalize("金 融", spaces="keep") == "金 融"
    assert normalize("約 3 億円と ABC 社", latin_spaces="close") == "約3億円とABC社"
    assert (
        normalize("この値は１．５，次は３，０００である．よい，", kutoten="majority")
        == "この値は１．５、次は３，０００である。よい、"
    )
    assert normalize("主に、こう書く。たまに，だ。", kutoten="majority") == "主に、こう書く。たまに，だ。"
    wrapped = "当連結会計年度における我が国経済は、緩やかな回復が続い\nています。\n次の文。"
    assert (
        normalize(wrapped, join_lines=True)
        == "当連結会計年度における我が国経済は、緩やかな回復が続いています。\n次の文。"
    )


@given(texts, st.sampled_from(OPTIONS))
@settings(max_examples=400, deadline=None)
def test_twice_is_once(text: str, options: dict):
    once = normalize(text, **options)
    assert normalize(once, **options) == once


@given(texts)
@settings(max_examples=300, deadline=None)
def test_no_digit_and_no_sign_is_lost_or_changed(text: str):
    kept = re.compile(r"[0-9０-９△▲㎡①,，.．%％]")
    assert kept.findall(normalize(text)) == kept.findall(text)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_what_comes_out_can_be_encoded(text: str):
    assert "\0" not in normalize(text).encode("utf-8").decode("utf-8")


@pytest.mark.parametrize(
    "text",
    ["a" + "\u0301" * 10_000, " " * 200_000 + "x", "か゛" * 50_000, "金 " * 100_000, "```\n" * 50_000, "，" * 200_000],
)
def test_hostile_text_takes_linear_time(text: str):
    begin = time.process_time()
    normalize(text, kutoten="majority", join_lines=True)
    assert time.process_time() - begin < 3


def test_real_statutes_keep_every_number(shared_data: Path):
    for file in sorted(shared_data.glob("law/2013_text/*.txt"))[:10]:
        text = file.read_text(encoding="utf-8")
        once = normalize(text)
        assert re.findall(r"[0-9０-９]+", once) == re.findall(r"[0-9０-９]+", text)
        assert normalize(once) == once
