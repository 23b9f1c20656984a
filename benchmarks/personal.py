# ruff: noqa: E501 - tables of formats
"""A labelled set of personal data, generated from published formats, and how much of it is found.

Each text holds one value of one type, or something that only looks like one: a number with a wrong check digit, an
amount, a date, another kind of number. Values come with and without separators, in half and full width, beside kana,
in tables and in prose. Formats: My Number, ministerial ordinance 85 of 2014; corporate number, ordinance 70 of 2014;
cards, ISO/IEC 7812-1; telephone numbers, the ministry's numbering plan; postal codes, Japan Post; addresses, RFC 5737,
RFC 3849. No value belongs to anybody but by chance.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.normalize import normalize
from pipelines.privacy import mask

if TYPE_CHECKING:
    from collections.abc import Callable

WIDE = str.maketrans("0123456789-@.() ", "０１２３４５６７８９－＠．（）　")


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, and the type of personal data in it; none where it only looks like some."""

    text: str
    type: str
    value: str = ""


def _digits(draw: random.Random, count: int, first: str = "123456789") -> str:
    return draw.choice(first) + "".join(draw.choices("0123456789", k=count - 1))


def my_number(draw: random.Random) -> str:
    digits = _digits(draw, 11)
    total = sum(int(digits[-n]) * (n + 1 if n <= 6 else n - 5) for n in range(1, 12))
    return digits + str(0 if total % 11 <= 1 else 11 - total % 11)


def corporate_number(draw: random.Random) -> str:
    digits = _digits(draw, 12)
    total = sum(int(digits[-n]) * (1 if n % 2 else 2) for n in range(1, 13))
    return str(9 - total % 9) + digits


def card(draw: random.Random) -> str:
    digits = draw.choice(["4", "51", "55", "35", "2221", "62"])
    digits += "".join(draw.choices("0123456789", k=15 - len(digits)))
    total = sum(sum(divmod(int(d) * (2 if n % 2 == 0 else 1), 10)) for n, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def wrong(value: str) -> str:
    """The number with another check digit, which is the last one, or the first of a corporate number's 13."""
    if len(value) == 13:
        return str(int(value[0]) % 9 + 1) + value[1:]
    return value[:-1] + str((int(value[-1]) + 1) % 10)


def grouped(value: str, draw: random.Random, sizes: tuple[int, ...] = (4, 4, 4, 4)) -> str:
    gap = draw.choice(["", "", " ", "-"])
    parts, at = [], 0
    for size in sizes:
        parts.append(value[at : at + size])
        at += size
    return gap.join(part for part in parts if part)


def phone(draw: random.Random) -> str:
    area, rest = draw.choice(
        [("03", 8), ("06", 8), ("045", 7), ("0422", 6), ("090", 8), ("080", 8), ("050", 8), ("0120", 6)]
    )
    number = _digits(draw, rest, "23456789")
    cut = len(number) - 4 if area != "0120" else 3
    style = draw.choice(["{a}-{b}-{c}", "{a}-{b}-{c}", "{a}({b}){c}", "({a}){b}-{c}", "{a}{b}{c}", "{a} {b} {c}"])
    if style.startswith(("{a}(", "(")) and area == "0120":
        style = "{a}-{b}-{c}"
    return style.format(a=area, b=number[:cut], c=number[cut:])


def email(draw: random.Random) -> str:
    user = draw.choice(["taro.yamada", "info", "ir_contact", "h-sato1985", "k.suzuki+ir"])
    return f"{user}@{draw.choice(['example.co.jp', 'mail.example.com', 'example.ne.jp', 'example.org'])}"


def address(draw: random.Random) -> str:
    place = draw.choice(
        [
            "東京都千代田区丸の内1-1-1",
            "大阪府大阪市北区梅田2丁目3番4号",
            "愛知県名古屋市中村区名駅4-5-6 名駅ビル3F",
            "北海道札幌市中央区北一条西2-1",
        ]
    )
    code = f"{draw.randint(100, 999)}{draw.choice(['-', '-', ''])}{draw.randint(0, 9999):04d}"
    if len(code) == 7 or draw.random() < 0.7:
        return f"〒{code} {place}"
    return f"{code} {place}"


def account(draw: random.Random) -> str:
    return _digits(draw, 7, "0123456789")


def ip(draw: random.Random) -> str:
    v4 = f"{draw.choice(['203.0.113', '198.51.100', '192.0.2'])}.{draw.randint(1, 254)}"
    return draw.choice([v4, v4, f"2001:db8:{draw.randint(1, 0xFFFF):x}::{draw.randint(1, 0xFFFF):x}"])


def name(draw: random.Random) -> str:
    return (
        draw.choice(["山田", "佐藤", "長谷川", "林", "小田切"])
        + draw.choice(["", " "])
        + draw.choice(["太郎", "花子", "健", "さくら", "美智子"])
    )


PROSE = [
    "{v}を記入した。",
    "本人に確認した（{v}）。",
    "届いたのは{v}でした。",
    "{v}です",
    "お知らせします。{v}",
    "それは{v}と記されていた。",
]
# type -> values, sentences that say what it is, and whether it counts without being told
POSITIVE: dict[str, tuple[Callable[[random.Random], str], list[str]]] = {
    "my_number": (lambda d: grouped(my_number(d), d, (4, 4, 4)), [
        "マイナンバーは{v}です。", "個人番号：{v}", "個人番号{v}を提出", "| 個人番号 | {v} |", "| 氏名 | 個人番号 |\n|---|---|\n| 山田 | {v} |", *PROSE]),
    "corporate_number": (corporate_number, ["法人番号 {v}", "法人番号は{v}です。", "登録番号T{v}", "| 法人番号 | {v} |", "（{v}）"]),
    "credit_card": (lambda d: grouped(card(d), d), ["カード番号：{v}", "クレジットカード {v} で支払った。", "VISA{v}", "| カード番号 | {v} |", *PROSE]),
    "phone": (phone, ["電話 {v}", "TEL:{v}", "FAX {v}", "お問い合わせは{v}まで。", "携帯は{v}です", "| 電話番号 | {v} |", "代表番号：電話{v}", "{v}へおかけください"]),
    "email": (email, ["連絡先：{v}", "{v}までお送りください。", "メールは{v}へ", "E-mail: {v}", "| メール | {v} |"]),
    "address": (address, ["{v}", "送り先 {v}", "{v}\n電話でご確認ください", "{v}にお送りください。"]),
    "bank_account": (account, ["口座番号：{v}", "みずほ銀行 渋谷支店 普通 {v}", "三菱銀行本店 当座預金 {v}", "口座番号は{v}です。", "ゆうちょ銀行 記号 12345 番号 {v}", "| 口座番号 | {v} |"]),
    "ip_address": (ip, ["IPアドレス {v} から接続", "サーバ {v} が停止した。", "接続元は{v}でした。", "{v}からのアクセス", "host {v} down"]),
    "name": (name, ["担当：{v} TEL 03-1234-5678", "担当者：{v}（03-1234-5678）", "問い合わせ先：経理部 {v} 電話 03-1234-5678", "広報部長 {v} 電話 03-1234-5678",
                    "連絡先：{v} a@example.com", "お問合せ先：総務課 {v} FAX 03-1234-5678"]),
}  # fmt: skip


def negatives(draw: random.Random) -> str:
    """Something that only looks like personal data."""
    mine, my_card = my_number(draw), card(draw)
    return draw.choice([
        f"個人番号：{grouped(wrong(mine), draw, (4, 4, 4))}", f"{wrong(mine)}を記入した。", f"カード番号：{grouped(wrong(my_card), draw)}",
        f"売上高は{mine}円です。", f"総資産{mine}千円", f"| 総資産 | {mine} | {my_card} |", f"その他{mine}関係会社株式", f"金額は{mine}、", f"| 金額 |\n|---|\n| {mine} |",
        f"法人番号 {wrong(corporate_number(draw))}", f"受付番号{mine}の件", f"注文番号 {my_card} を発送", f"商品コード：{mine}", f"残高 {my_card} 円",
        f"ISBN 978-4-{draw.randint(10, 99)}-{draw.randint(100000, 999999)}-{draw.randint(0, 9)}", f"{draw.randint(2000, 2030)}-{draw.randint(10, 12)}-{draw.randint(10, 28)}に公表した。",
        f"第{draw.randint(1, 9)}.{draw.randint(1, 9)}.{draw.randint(40, 99)}.{draw.randint(1, 9)}節", f"バージョン {draw.randint(20, 120)}.0.{draw.randint(1, 200)}.{draw.randint(40, 99)}",
        f"内部の192.168.{draw.randint(0, 255)}.{draw.randint(0, 255)}から", f"{draw.randint(1, 12)}:{draw.randint(10, 59)}:{draw.randint(10, 59)}に開始",
        f"普通預金 {_digits(draw, 7)} 円", f"口座数 {_digits(draw, 7)}", f"管理番号 0{_digits(draw, 9)}", f"{draw.randint(1, 9)},{draw.randint(100, 999)},{draw.randint(100, 999)}百万円",
        "東京都千代田区丸の内に本店を置く。", "代表取締役社長 山田 太郎", "担当：企画部 未定", "広報部長 就任の件", "@property を参照", "価格は03-31基準",
    ])  # fmt: skip


def samples(count: int, seed: int = 11) -> list[Sample]:
    """`count` texts of each type, and as many that only look like it."""
    draw = random.Random(seed)
    made = []
    for type_, (value_of, templates) in POSITIVE.items():
        for _ in range(count):
            value = value_of(draw)
            value = value.translate(WIDE) if draw.random() < 0.3 and type_ != "name" else value
            made.append(Sample(draw.choice(templates).format(v=value), type_, value))
    made += [Sample(negatives(draw), "") for _ in range(count * len(POSITIVE))]
    return [_wide(sample, draw) if not sample.type else sample for sample in made]


def _wide(sample: Sample, draw: random.Random) -> Sample:
    return Sample(sample.text.translate(WIDE), "") if draw.random() < 0.2 and "|" not in sample.text else sample


def measure_privacy(count: int) -> dict[str, float]:
    """Prints recall and precision by type; returns the lowest of each."""
    right: Counter[str] = Counter()
    found: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for sample in samples(count):
        text = normalize(sample.text)
        masked = mask(text)
        there[sample.type] += 1
        for type_, number in masked.counts.items():
            beside = number and sample.type in {"name", "address"} and type_ in {"phone", "email"}
            found[type_] += 0 if beside else number
        hit = masked.counts.get(sample.type, 0) >= 1
        left = sample.type != "corporate_number" and normalize(sample.value) in masked.text
        right[sample.type] += bool(sample.type) and hit and not left
    print("\npersonal data        recall  precision")
    recall = {type_: right[type_] / there[type_] for type_ in POSITIVE}
    precision = {type_: right[type_] / max(found[type_], 1) for type_ in POSITIVE}
    for type_ in POSITIVE:
        print(f"  {type_:<18} {recall[type_]:>6.3f} {precision[type_]:>9.3f}")
    return {"privacy_recall": round(min(recall.values()), 4), "privacy_precision": round(min(precision.values()), 4)}


def show_real(texts: dict[str, list[str]]) -> None:
    """Print what masking does to the four documents of each kind in which most is found: counts, and what is masked."""
    print("\npersonal data in real documents")
    for kind, some in texts.items():
        every = [(mask(normalize(text)), len(text)) for text in some]
        for masked, size in sorted(every, key=lambda one: (len(one[0].cuts), one[1]), reverse=True)[:4]:
            counts = " ".join(f"{type_} {number}" for type_, number in masked.counts.items() if number) or "nothing"
            marks = re.findall(r".{0,12}〈[^〈〉]{2,12}〉", masked.text)[:3] if masked.cuts else []
            print(f"  {kind:<11} {size:>7} characters: {counts}", *marks, sep="  ")
