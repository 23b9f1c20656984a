"""Benchmark items in documents: found however they are written, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.decontaminate import Decontaminator, without
from pipelines.items import Item, read_items
from registry.errors import UsageError

ITEM = Item(
    "exam:1",
    (
        "公開買付届出書を提出した者は、提出の日から何日以内に説明書を交付しなければならないか。",
        "提出日から10日以内",
        "提出日から20営業日以内",
    ),
    (),
)
PAGE = "当社は、有価証券報告書を提出した。" * 20


@pytest.mark.parametrize(
    "lines",
    [
        ITEM.own,
        ITEM.own[::-1],
        [line.replace("10", "９９９") for line in ITEM.own],
        [line.replace("10", "１０").replace("、", "，").replace("。", "") for line in ITEM.own],
    ],
)
def test_an_item_is_found_where_it_stands(lines: list[str]):
    text = PAGE + "\n".join(lines) + PAGE
    (found,) = Decontaminator([ITEM]).find(text)
    assert found.item == "exam:1"
    assert found.share > 0.9
    assert len(PAGE) <= found.start < found.end <= len(PAGE) + len("\n".join(lines))
    assert without(text, [found]).startswith(PAGE)
    assert Decontaminator([ITEM]).find(without(text, [found])) == []


def test_a_text_with_some_of_its_words_is_not_it():
    finder = Decontaminator([ITEM])
    assert finder.find("公開買付届出書を提出した者は、訂正届出書を出せる。" + PAGE) == []
    assert finder.find("") == []
    assert finder.find("\ud800\0" * 50) == []


def test_set_phrases_of_many_items_do_not_count():
    items = [Item(f"q:{n}", (f"項目{n}番に関する次の記述のうち、最も不適切なものはどれか。",), ()) for n in range(30)]
    assert Decontaminator(items).find("これに関する次の記述のうち、最も不適切なものはどれか。") == []


def test_an_item_without_words_is_said_to_be_too_short():
    assert Decontaminator([ITEM, Item("exam:2", ("はい",), ())]).too_short == ["exam:2"]


def test_layouts_are_read_and_quoted_texts_can_be_exempt(tmp_path: Path):
    harness = {
        "data": [
            {"id": 7, "question": "問い", "context": "文脈", "choices": [{"id": "A", "text": "選択"}], "answer": "A"}
        ]
    }
    squad = {"data": [{"paragraphs": [{"context": "段落", "qas": [{"id": "x", "question": "何か"}]}]}]}
    lines = '{"q_id": 1, "question": "風景は", "choice0": "畑", "label": 0}\n'
    for name, text in {"fp.json": json.dumps(harness), "sq.json": json.dumps(squad), "cs.jsonl": lines}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_items(tmp_path / "fp.json") == [Item("fp:7", ("問い", "選択"), ("文脈",))]
    assert read_items(tmp_path / "fp.json", ["context"]) == [Item("fp:7", ("問い", "選択"), ())]
    assert read_items(tmp_path / "sq.json") == [Item("sq:x", ("何か",), ("段落",))]
    assert read_items(tmp_path / "cs.jsonl") == [Item("cs:1", ("風景は", "畑"), ())]
    (tmp_path / "bad.json").write_text("[1, 2", encoding="utf-8")
    for name in ("bad.json", "missing.json"):
        with pytest.raises(UsageError, match="cannot be read as benchmark items"):
            read_items(tmp_path / name)
