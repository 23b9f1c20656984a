# ruff: noqa: E501, SIM905 - tables of characters and phrases
"""Wanted documents and ways to damage them: what the benchmarks and floors of the refine stage are measured on.

In: a folder of real documents (filings, statutes, textbooks, annotated sentences, novels). Out: their texts by kind, as
stage 2 of a build reads them; and functions from a text to a damaged one, seeded, each a kind of page that no corpus
wants. Every wanted document is one that a reader of the corpus would miss.
"""

from __future__ import annotations

import json
import random
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.extract import Part, Raw, extractor
from pipelines.extract.sniff import sniff
from pipelines.words import Analyzer, Pos
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
FILES = {
    "filing": (
        "edinet_fsa_sample/**/*.htm",
        "edinet_htm/**/*.htm",
        "edinet_csv/*.tsv",
        "edinet_xbrl/*.xbrl",
        "tdnet/**/*.htm",
    ),
    "law": ("law/2013_text/*.txt", "law/2016_text/*.txt"),
    "textbook": ("textbook/**/*.md", "html_gold/**/*.html"),
    "literature": ("aozora/*.txt",),
}
KINDS = (*FILES, "record")


def wanted(folder: Path, *, one_in: int = 1, first: int = -1) -> dict[str, list[str]]:
    """Texts by kind, `one_in` of so many files each, from the `first` on (default: the last of these).

    Sentences of chABSA are the records. Files with odd numbers are not what the tables of quality/pairs.py come from.
    """
    first = first % one_in
    texts = {
        kind: [text for file in _files(folder, kind)[first::one_in] for text in extracted(file, kind)] for kind in FILES
    }
    texts["record"] = sentences(folder, first, one_in)
    return texts


def sentences(folder: Path, first: int, one_in: int = 2) -> list[str]:
    """The sentences of chABSA: those of one company in `one_in`, from the `first` on."""
    annotated = sorted(folder.glob("chabsa/*.json"))[first::one_in]
    return [found["sentence"] for file in annotated for found in json.loads(file.read_bytes())["sentences"]]


def _files(folder: Path, kind: str) -> list[Path]:
    return sorted(file for pattern in FILES[kind] for file in folder.glob(pattern))


def extracted(file: Path, kind: str) -> Iterator[str]:
    """The texts of one file; nothing of one that no extractor reads."""
    try:
        sniffed = sniff(file)
        raw = Raw(file, file.name, kind, sniffed.media_type)
        for part in extractor.get(sniffed.format)(raw):
            if isinstance(part, Part) and part.text.strip():
                yield part.text
    except InputError:
        return


def mojibake(text: str, draw: random.Random) -> str:
    """Decoded in the wrong encoding."""
    pairs = [("utf-8", "cp932"), ("utf-8", "latin-1"), ("utf-8", "cp1252"), ("cp932", "utf-8"), ("euc_jp", "cp932"),
             ("cp932", "latin-1"), ("cp932", "euc_jp")]  # fmt: skip
    written, seen = draw.choice(pairs)
    return text.encode(written, "replace").decode(seen, "replace")


def recognition_errors(text: str, draw: random.Random, *, share: float = 0.15) -> str:
    """`share` of the characters read as another one that looks like it, or one of the same script, or not at all."""
    alike = _alike()
    out = []
    for character in text:
        if character == "\n" or draw.random() >= share:
            out.append(character)
        elif draw.random() < 0.15:
            continue
        elif character in alike and draw.random() < 0.7:
            out.append(draw.choice(alike[character]))
        elif "\u4e00" <= character <= "\u9fff":
            out.append(draw.choice(_kanji()))
        elif "\u3041" <= character <= "\u30ff":
            out.append(
                chr(
                    min(
                        max(ord(character) + draw.choice([-2, -1, 1, 2, 0x60 if character < "ゟ" else -0x60]), 0x3041),
                        0x30FA,
                    )
                )
            )
        else:
            out.append(draw.choice("。、・|-ー一ノ1l"))
    return "".join(out)


@cache
def _alike() -> dict[str, str]:
    """Groups of characters that recognition confuses, each character to the others of its group."""
    groups = (
        "ー一－-‐―丨", "口ロ囗□", "カ力刀", "二ニこ", "工エ江", "タ夕", "ト卜ﾄ", "ハ八入人", "へヘ", "ソンリノ", "シツ",
        "つっフ", "ヤやャ", "ばぱは", "ぶぷふ", "びぴひ", "ぼぽほ", "がカか", "末未", "土士", "日目曰白", "己已巳", "大太犬", "千干于",
        "本木", "問間閒関", "待持特", "微徴徽", "績積續", "株殊珠", "券巻劵", "捐損", "貨貸賃", "投役没", "官宮管", "期朝其", "営宮呂",
        "会合令", "取敢", "当首", "杜社仕", "売亮", "高髙", "上止", "下不", "の0め", "をぞ", "し乚レ", "う5", "ろるち", "ねれわ", "きさ",
        "ぬめ", "あお", "い以り", "。.o", "、,丶", "0Oo〇", "1lI", "5S", "8B", "6b", "2Z", "9g",
    )  # fmt: skip
    table: dict[str, str] = {}
    for group in groups:
        for character in group:
            table[character] = table.get(character, "") + group.replace(character, "")
    return table


@cache
def _kanji() -> list[str]:
    """The 2,965 kanji of JIS X 0208 level 1: what recognition chooses among."""
    cells = bytes(byte for row in range(0xB0, 0xD0) for cell in range(0xA1, 0xFF) for byte in (row, cell))
    return list(cells.decode("euc_jp", "ignore"))


def shuffled(text: str, draw: random.Random) -> str:
    """The characters of each line in another order."""
    return "\n".join("".join(draw.sample(line, len(line))) for line in text.split("\n"))


def repetition(text: str, draw: random.Random) -> str:
    """One line of it again and again."""
    lines = [line for line in text.split("\n") if len(line) > 5 and not line.startswith("|")] or [text]
    return "\n".join([draw.choice(lines)] * 60)


def stuffing(text: str, draw: random.Random) -> str:
    """A few of its nouns in random order, without end."""
    words = _analyzer().analyze(text[:3000])
    nouns = [word for word, pos in zip(words.surfaces(), words.pos, strict=True) if pos == Pos.NOUN and len(word) > 1]
    chosen = list(dict.fromkeys(nouns))[:8] or ["金融", "投資", "株価"]
    return "\n".join(" ".join(draw.choices(chosen, k=25)) for _ in range(20))


def menus(_: str, draw: random.Random) -> str:
    """A page of links."""
    items = ("ホーム 会社概要 お問い合わせ サイトマップ ログイン 利用規約 金融 国際 新着記事 採用情報 経済 ニュース "
             "プライバシーポリシー よくある質問 前のページ 次のページ ランキング 株価検索 会員登録 マイページ").split()  # fmt: skip
    return "\n".join(" | ".join(draw.choices(items, k=draw.choice([1, 1, 3, 6]))) for _ in range(50))


def advertisement(_: str, draw: random.Random) -> str:
    """A page that sells something."""
    offers = ("今なら送料無料で即日発送！ 初回限定{n}%OFFクーポン配布中 今すぐ購入はこちら|期間限定キャンペーン実施中！ポイント{n}倍還元、お得なセット販売です|"
              "お申し込みはこちらから。無料登録で最大{n},000円分のポイントをプレゼント！|業界最安値に挑戦！激安価格でご提供、タイムセールは本日{n}時まで|"
              "口コミで話題の商品が今だけ{n}%割引、在庫限りの大特価|資料請求は無料！今すぐクリックして無料相談をご予約ください").split("|")  # fmt: skip
    return "\n".join(draw.choice(offers).format(n=draw.randint(2, 80)) for _ in range(25))


@cache
def _analyzer() -> Analyzer:
    return Analyzer()


DAMAGE: dict[str, Callable[[str, random.Random], str]] = {
    f.__name__: f for f in (mojibake, recognition_errors, shuffled, repetition, stuffing, menus, advertisement)
}
