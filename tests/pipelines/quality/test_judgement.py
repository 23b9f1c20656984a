"""Wanted documents pass under the profile of their kind; the same documents, damaged, do not."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING

import pytest

from pipelines.normalize import normalize
from pipelines.quality import Text, load_profile
from pipelines.words import Analyzer, Pos

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MENU = ["ホーム", "会社概要", "お問い合わせ", "サイトマップ", "ログイン", "利用規約", "金融", "国際", "新着記事"]


def read(shared: Path) -> dict[str, list[str]]:
    novel = re.compile(r"《[^》]*》|［＃[^］]*］|｜|-{20,}\n(?s:.)*?-{20,}\n|底本：(?s:.)*")
    sentences = [
        sentence["sentence"]
        for file in sorted(shared.glob("chabsa/*.json"))[:40]
        for sentence in json.loads(file.read_text(encoding="utf-8"))["sentences"]
    ]
    return {
        "filing": [html(file) for file in sorted(shared.glob("edinet_fsa_sample/**/*.htm"))[::4]],
        "law": [file.read_text(encoding="utf-8") for file in sorted(shared.glob("law/2013_text/*.txt"))[::4]],
        "textbook": [file.read_text(encoding="utf-8") for file in sorted(shared.glob("textbook/*/*.md"))[::6]],
        "literature": [
            novel.sub("", file.read_text(encoding="cp932", errors="replace"))
            for file in sorted(shared.glob("aozora/*.txt"))[::12]
        ],
        "record": sentences[::2],
    }


def html(file: Path) -> str:
    """A crude reading: cells of a row on one line between bars."""
    import lxml.html

    tree = lxml.html.document_fromstring(file.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    for hidden in tree.xpath("//head|//*[local-name()='header' and starts-with(name(), 'ix:')]"):
        hidden.drop_tree()
    for row in tree.iter("tr"):
        row.text, row.tail = "\n| ", "\n"
        for cell in row:
            joined = " ".join("".join(cell.itertext()).split())
            for child in list(cell):
                cell.remove(child)
            cell.text, cell.tail = joined, " | "
    for block in tree.iter("p", "div", "h1", "h2", "h3", "h4"):
        block.tail = "\n" + (block.tail or "")
    return tree.text_content()


def mojibake(text: str, draw: random.Random) -> str:
    written, seen = draw.choice([("utf-8", "cp932"), ("utf-8", "latin-1"), ("cp932", "utf-8"), ("euc_jp", "cp932")])
    return text.encode(written, "replace").decode(seen, "replace")


def shuffled(text: str, draw: random.Random) -> str:
    return "\n".join("".join(draw.sample(line, len(line))) for line in text.split("\n"))


def repetition(text: str, draw: random.Random) -> str:
    lines = [line for line in text.split("\n") if len(line) > 5 and not line.startswith("|")] or [text]
    return "\n".join([draw.choice(lines)] * 60)


def stuffing(text: str, draw: random.Random) -> str:
    words = Analyzer().analyze(text[:3000])
    nouns = [word for word, pos in zip(words.surfaces(), words.pos, strict=True) if pos == Pos.NOUN and len(word) > 1]
    return "\n".join(" ".join(draw.choices(nouns[:8] or ["金融"], k=25)) for _ in range(20))


def menu(_: str, draw: random.Random) -> str:
    return "\n".join(" | ".join(draw.choices(MENU, k=draw.choice([1, 1, 3]))) for _ in range(50))


@pytest.fixture(scope="module")
def judge() -> Callable[[str, str], str]:
    analyzer = Analyzer()
    profiles = {kind: load_profile(kind) for kind in ("filing", "law", "textbook", "literature", "record")}

    def rejected_by(kind: str, text: str) -> str:
        text = normalize(text)
        verdict = profiles[kind].judge(profiles[kind].measure(Text.of(analyzer.analyze(text))))
        return verdict.rule if verdict else ""

    return rejected_by


@pytest.fixture(scope="module")
def wanted(shared_data: Path) -> dict[str, list[str]]:
    return read(shared_data)


@pytest.mark.parametrize("kind", ["filing", "law", "textbook", "literature", "record"])
def test_at_most_one_wanted_document_in_a_hundred_is_rejected(kind: str, wanted: dict[str, list[str]], judge: Callable):
    reasons = [judge(kind, text) for text in wanted[kind]]
    assert len(reasons) >= 10
    assert sum(map(bool, reasons)) <= len(reasons) / 100, [reason for reason in reasons if reason]


@pytest.mark.parametrize("damage", [mojibake, shuffled, repetition, stuffing, menu])
@pytest.mark.parametrize("kind", ["filing", "law", "textbook", "literature", "record"])
def test_nine_damaged_documents_in_ten_are_rejected(
    kind: str, damage: Callable, wanted: dict[str, list[str]], judge: Callable
):
    draw = random.Random(5)
    long = [text[:6000] for text in wanted[kind] if len(text) >= (30 if kind == "record" else 300)]
    caught = [judge(kind, damage(text, draw)) for text in draw.sample(long, min(20, len(long)))]
    assert sum(map(bool, caught)) >= 0.9 * len(caught)
