"""Personal data: what is masked, what only looks like it, and that no figure of a report is ever touched."""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.normalize import normalize
from pipelines.privacy import _kinds, mask
from pipelines.suspects import suspects
from registry.ledger import Cut

if TYPE_CHECKING:
    from pathlib import Path

WIDE = str.maketrans("0123456789-@.()", "０１２３４５６７８９－＠．（）")


def my_number(digits: str) -> str:
    """11 digits and their check digit, as the ordinance words it: P_n from the right, Q_n = n+1 up to 6, then n-5."""
    total = sum(int(digits[-n]) * (n + 1 if n <= 6 else n - 5) for n in range(1, 12))
    return digits + str(0 if total % 11 <= 1 else 11 - total % 11)


def card(digits: str) -> str:
    """The Luhn digit found by trying all ten."""
    for check in "0123456789":
        total = 0
        for place, digit in enumerate(reversed(digits + check)):
            value = int(digit) * (1 + place % 2)
            total += value - 9 if value > 9 else value
        if total % 10 == 0:
            return digits + check
    raise AssertionError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("連絡はtaro.yamada@example.co.jpまで。", "連絡は〈メールアドレス〉まで。"),
        ("メール：ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍです", "メール：〈メールアドレス〉です"),
        ("電話03-1234-5678、FAX ０３－１２３４－５６７９", "電話〈電話番号〉、FAX 〈電話番号〉"),
        ("携帯は090-1234-5678です", "携帯は〈電話番号〉です"),
        ("（０３）３４５６－７８９０", "〈電話番号〉"),
        ("03（1234）5678（代表）", "〈電話番号〉（代表）"),
        ("TEL:0312345678", "TEL:〈電話番号〉"),
        ("0120-123-456へどうぞ", "〈電話番号〉へどうぞ"),
        ("+81-3-1234-5678", "〈電話番号〉"),
        ("個人番号：123456789018", "個人番号：〈個人番号〉"),
        ("マイナンバーは1234 5678 9018です", "マイナンバーは〈個人番号〉です"),
        ("| 個人番号 | 123456789018 |", "| 個人番号 | 〈個人番号〉 |"),
        ("カード番号 4111-1111-1111-1111", "カード番号 〈カード番号〉"),
        ("VISA 4111111111111111で支払", "VISA 〈カード番号〉で支払"),
        ("〒100-0001 東京都千代田区千代田1-1 皇居ビル3F TEL 03-1111-2222", "〈住所〉 TEL 〈電話番号〉"),
        ("100-0001 東京都千代田区千代田1番1号にお送りください", "〈住所〉にお送りください"),
        ("住所：大阪府大阪市北区梅田１丁目", "〈住所〉"),
        ("みずほ銀行 渋谷支店 普通 1234567", "みずほ銀行 渋谷支店 普通 〈口座番号〉"),
        ("口座番号：1234567", "口座番号：〈口座番号〉"),
        ("記号 12345 番号 12345678", "記号 12345 番号 〈口座番号〉"),
        ("IPアドレス 203.0.113.5 から", "IPアドレス 〈IPアドレス〉 から"),
        ("host 2001:db8::1 down", "host 〈IPアドレス〉 down"),
        ("担当：経理部 山田 太郎 TEL 03-1111-2222", "担当：経理部 〈氏名〉 TEL 〈電話番号〉"),
        ("担当者：山田太郎（03-1111-2222）", "担当者：〈氏名〉（〈電話番号〉）"),
    ],
)
def test_personal_data_becomes_a_typed_placeholder(text: str, expected: str):
    assert mask(text).text == expected
    assert mask(expected).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "| 普通預金 | 1234567 | 当座預金 | 7654321 |",
        "普通預金 1,234,567円、口座管理料 123円",
        "| 総資産 | 123456789018 | 4111111111111111 |",
        "前期末 JPY 円 202739000000",
        "引当金－10－10503543503543関係会社",
        "123456789018円",
        "2024-03-31 から 2025-03-31",
        "03-31、0.12-0.34、10-20-30",
        "注記 1.2.3.4 と 192.168.0.1 のサーバ、127.0.0.1",
        "時刻 12:30:45 アドレス",
        "本店の所在の場所 東京都港区赤坂1-2-3",
        "法人番号 7000012050002",
        "代表取締役社長 山田 太郎",
        "担当：企画部 未定",
        "@property と user@ と @example",
        "before: 0123456789",
        "第90-1234号、ISBN 978-4-06-123456-8",
    ],
)
def test_what_only_looks_like_it_stays(text: str):
    masked = mask(text)
    assert (masked.text, masked.cuts) == (text, [])


@given(st.integers(0, 10**11 - 1), st.booleans(), st.sampled_from(["", " ", "-"]))
@settings(max_examples=200, deadline=None)
def test_an_individual_number_is_known_by_its_check_digit(number: int, wide: bool, gap: str):
    digits = f"{number:011d}"
    right = my_number(digits)
    wrong = digits + str((int(right[-1]) + 1) % 10)
    for value, hit in ((right, len(set(digits)) > 1), (wrong, False)):
        written = gap.join((value[:4], value[4:8], value[8:]))
        text = f"マイナンバーは{written.translate(WIDE) if wide else written}です"
        assert (mask(text).counts["my_number"] == 1) is hit


@given(st.integers(0, 10**11 - 1), st.sampled_from(["4", "51", "35", "2221"]), st.sampled_from(["", " ", "-"]))
@settings(max_examples=200, deadline=None)
def test_a_card_is_known_by_its_check_digit(number: int, prefix: str, gap: str):
    right = card((prefix + f"{number:014d}")[:15])
    wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
    for value, hit in ((right, 1), (wrong, 0)):
        written = gap.join(value[place : place + 4] for place in range(0, 16, 4))
        assert mask(f"クレジットカード{written}を使う").counts["credit_card"] == hit


def test_a_corporate_number_is_counted_and_kept():
    masked = mask("法人番号 7000012050002、誤り 8000012050002")
    assert (masked.text, masked.counts["corporate_number"]) == ("法人番号 7000012050002、誤り 8000012050002", 1)


def test_cuts_are_spans_of_the_text_that_was_given():
    text = "前 03-1234-5678 と a@b.jp 後"
    masked = mask(text)
    assert masked.cuts == [Cut("privacy", "phone", 2, 14), Cut("privacy", "email", 17, 23)]
    rest, at = [], 0
    for cut in masked.cuts:
        rest.append(text[at : cut.start])
        at = cut.end
    assert "".join([*rest, text[at:]]) == re.sub("〈[^〉]*〉", "", masked.text)


def test_digests_tell_equal_values_and_nothing_without_the_salt():
    text = "電話 03-1234-5678、再掲 ０３（１２３４）５６７８、別 03-1234-5679"
    salted = [cut.digest for cut in mask(text, salt=b"a secret of sixteen bytes").cuts]
    assert len(salted) == 3
    assert salted[0] == salted[1] != salted[2]
    assert all(re.fullmatch("[0-9a-f]{32}", digest) for digest in salted)
    other = [cut.digest for cut in mask(text, salt=b"another secret of 24 byte").cuts]
    assert not set(salted) & set(other)
    assert {cut.digest for cut in mask(text).cuts} == {""}


def test_modes_and_officers():
    text = "代表取締役社長 山田 太郎 03-1234-5678"
    counted = mask(text, mode="count")
    assert (counted.text, counted.cuts, counted.counts["phone"]) == (text, [], 1)
    assert mask(text, mode="off").counts == {}
    assert mask(text, officers="mask").text == "代表取締役社長 〈氏名〉 〈電話番号〉"
    assert mask("取締役会で決議した。社長 就任 の件", officers="mask").counts["phone"] == 0


@given(st.text(st.sampled_from(list("0123456789-.,()@:|〒担当TEL銀行普通山田 \n〈〉")) | st.characters(), max_size=80))
@settings(max_examples=300, deadline=None)
def test_masking_any_text_gives_placeholders_and_the_rest(text: str):
    masked = mask(text)
    at, rest = 0, []
    for cut in masked.cuts:
        assert at <= cut.start < cut.end <= len(text)
        rest.append(text[at : cut.start])
        at = cut.end
    parts = re.split("〈(?:メールアドレス|個人番号|カード番号|口座番号|電話番号|住所|IPアドレス|氏名)〉", masked.text)
    assert "".join(parts) == re.sub(
        "〈(?:メールアドレス|個人番号|カード番号|口座番号|電話番号|住所|IPアドレス|氏名)〉",
        "",
        "".join([*rest, text[at:]]),
    )


@pytest.mark.parametrize(
    "unit", ["0", "03-1234-5678 ", "a.", "1:", "担当：", "〒100-0001 ", "4111-1111-1111-1111", "( "]
)
def test_one_endless_line_takes_linear_time(unit: str):
    begin = time.process_time()
    mask(unit * (300_000 // len(unit)) + "@")
    assert time.process_time() - begin < 4


def test_no_figure_in_real_tables_is_masked(shared_data: Path):
    draw = random.Random(1)
    files = draw.sample(sorted(shared_data.glob("edinet_csv/**/*.*sv")), 4)
    for file in files:
        text = normalize(file.read_bytes().decode("utf-16"))
        assert {cut.rule for cut in mask(text).cuts} <= {"phone"}, file.name


@given(
    st.lists(
        st.sampled_from(["03-1234-5678", "+81 3-1234-5678", "（０３）３４５６－７８９０", "個人番号", "123456789018", "4111 1111 1111 1111", "普通 1234567", "口座番号",
                         "〒100-0001", "100-0001 東京都千代田区", "203.0.113.5", "2001:db8::1", "a@b.jp", "担当：山田 太郎", "|", "\n", "\n| ", " ", "　", "0", "-", "円", "。", "TEL"]),
        max_size=14,
    ).map("".join)
)  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_what_a_line_has_decides_nothing_but_the_time(text: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.privacy._kinds_on", lambda _, officers: tuple(k for k in _kinds() if not k.officers))
        patch.setattr("pipelines.suspects.suspects", lambda text, **_: suspects(text, everything=True))
        everywhere = mask(text)
    assert mask(text) == everywhere


def test_the_head_of_a_long_table_is_found_in_no_time():
    text = "| 氏名 | 個人番号 |\n|---|---|\n" + "| 山田 | 123456789018 |\n" * 20_000
    begin = time.process_time()
    assert mask(text).counts["my_number"] == 20_000
    assert time.process_time() - begin < 4
