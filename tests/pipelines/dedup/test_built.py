"""Duplicates in whole builds: earlier corpora, figures, paragraphs, and work cut into ranges."""

from __future__ import annotations

import json

import pytest
from commandline import SAMPLE, TOKENIZER

import corpus
from pipelines.stages import dedup
from registry.errors import RecipeError

BOILERPLATE = "本書に記載した将来に関する事項は、提出日現在において当社グループが判断したものであり、実際の結果と異なる場合があります。"


@pytest.fixture(scope="module")
def texts():
    """Forty texts of about 600 characters of law."""
    lines = [
        line.strip()
        for path in sorted((SAMPLE / "laws" / "2016").glob("*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if len(line.strip()) > 50
    ]
    assert len(lines) >= 120
    return ["\n\n".join(lines[3 * i : 3 * i + 3]) for i in range(40)]


def build(folder, sources, out, *, dedup="{}", workers=2):
    """A build of records; sources are {name: (priority, {id: text})}."""
    folder.mkdir(exist_ok=True)
    listed = []
    for name, (priority, texts) in sources.items():
        rows = [json.dumps({"id": key, "text": text}, ensure_ascii=False) for key, text in texts.items()]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        listed.append(
            f"{{name: {name}, path: {name}.jsonl, kind: record, licence: CC0-1.0, priority: {priority}, id: id}}"
        )
    (folder / "recipe.yaml").write_text(
        f"name: small\nsources: [{', '.join(listed)}]\ndedup: {dedup}\ntokenize: {{tokenizer: {TOKENIZER}}}\n"
        "refine: {privacy: 'off'}\n",
        encoding="utf-8",
    )
    return corpus.build(folder / "recipe.yaml", out, workers=workers)


def fates(built, source=None):
    columns = ("fate", "rule", "duplicate_of", "similarity", "linked_to", "linked_similarity")
    return {row["id"]: tuple(row[c] for c in columns) for row in built.ledger() if source in {None, row["source"]}}


def by_part(built):
    names = {row["id"]: row["part"] for row in built.ledger()}
    return {row["part"]: (row["fate"], names.get(row["duplicate_of"], "")) for row in built.ledger()}


def edited(text: str, number: int) -> str:
    """A copy with another beginning."""
    return f"第{'甲乙丙丁戊'[number % 5]}号の規定による届出の様式は、次のとおりとする。\n\n" + text


def test_a_build_against_an_earlier_one_gives_what_one_build_of_both_gives(texts, tmp_path):
    first = {f"a{i}": text for i, text in enumerate(texts[:20])} | {f"ae{i}": edited(texts[i], i) for i in range(5)}
    second = {f"b{i}": edited(text, i + 1) for i, text in enumerate(texts[10:30])} | {
        f"bc{i}": texts[i] for i in range(5)
    }
    build(tmp_path / "a", {"old": (9, first)}, tmp_path / "built_a")
    later = build(tmp_path / "b", {"new": (0, second)}, tmp_path / "built_b", dedup="{against: [../built_a]}")
    both = build(tmp_path / "ab", {"old": (9, first), "new": (0, second)}, tmp_path / "built_ab")
    assert fates(later, "new") == fates(both, "new")
    assert later.manifest.fates["duplicate"] >= 10
    with pytest.raises(RecipeError, match=r"against.*n: 5"):
        build(tmp_path / "b", {"new": (0, second)}, tmp_path / "built_c", dedup="{near: {n: 4}, against: [../built_a]}")


REPORT = (
    "当連結会計年度の売上高は1,234百万円（前年同期比12.5％増）となり、営業利益は△345百万円でした。"
    "なお、セグメントの業績は、国内における需要の回復と販売価格の改定により、前連結会計年度を上回る水準で推移しております。"
    "また、原材料価格の上昇に対しては、調達先の見直しと生産性の向上により対応し、収益の確保に努めております。"
    "当社グループは、引き続き財務体質の強化を図るとともに、株主に対する安定的な配当の継続を経営の重要課題と位置付けております。"
)


def wrapped(text: str, width: int) -> str:
    return "\n".join(text[i : i + width] for i in range(0, len(text), width))


def test_reports_that_differ_in_figures_alone_are_kept_and_the_same_in_other_forms_is_one(tmp_path):
    full = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in REPORT)
    variants = {
        "a": REPORT,
        "b": REPORT.replace("1,234", "1,235"),
        "c": REPORT.replace("△345", "345"),
        "wide": full,
        "broken": wrapped(REPORT, 40),
        "edited": wrapped(REPORT.replace("なお、", ""), 37),
    }
    found = by_part(build(tmp_path / "r", {"s": (0, variants)}, tmp_path / "out"))
    kept = {part for part, (fate, _) in found.items() if fate == "kept"}
    same = {"a", "wide", "broken", "edited"}
    assert kept >= {"b", "c"}
    assert len(kept & same) == 1
    assert len(kept) == 3


def test_a_page_with_ruby_is_the_same_as_the_page_without(texts, tmp_path):
    plain = "".join(f"<p>{paragraph}</p>" for text in texts[:3] for paragraph in text.split("\n\n"))
    ruby = plain.replace("規定", "<ruby>規<rt>き</rt>定<rt>てい</rt></ruby>")
    assert ruby.count("<rt>") >= 10
    pages = tmp_path / "pages"
    pages.mkdir()
    for name, body in (("plain", plain), ("ruby", ruby)):
        (pages / f"{name}.html").write_text(f"<html lang=ja><body><article>{body}</article>", encoding="utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "name: ruby\nsources: [{name: s, path: pages, kind: law, licence: CC0-1.0}]\n"
        f"tokenize: {{tokenizer: {TOKENIZER}}}\n",
        encoding="utf-8",
    )
    built = corpus.build(tmp_path / "recipe.yaml", tmp_path / "out", workers=1)
    assert sorted(row["fate"] for row in built.ledger()) == ["duplicate", "kept"]
    assert [row["similarity"] for row in built.ledger(fate="duplicate")] == [1.0]


def test_repeated_paragraphs_are_counted_and_cut_but_not_in_the_best(texts, tmp_path):
    documents = {f"d{i}": f"{text}\n\n{BOILERPLATE}\n\n| 表 | {BOILERPLATE} |" for i, text in enumerate(texts[:24])}
    counted = build(tmp_path / "r", {"s": (0, documents)}, tmp_path / "counted")
    kept = list(counted.ledger(fate="kept"))
    assert len(kept) > 10
    assert all(row["measurements"]["repeated_paragraphs"] == 1.0 and not row["cuts"] for row in kept)
    options = "{paragraphs: {more_than: 10, keep: {record: 2}}}"
    cut = build(tmp_path / "r", {"s": (0, documents)}, tmp_path / "cut", dedup=options)
    rows = {row["id"]: row for row in cut.ledger()}
    assert sorted(len(rows[row["id"]]["cuts"]) for row in kept) == [0, 0] + [1] * (len(kept) - 2)
    before = {row["id"]: row["text"] for row in counted.documents()}
    words = {row["id"]: row["words"] for row in kept}
    for row in cut.documents():
        spans = rows[row["id"]]["cuts"]
        assert [before[row["id"]][span["start"] : span["end"]] for span in spans] == [BOILERPLATE] * len(spans)
        assert row["text"].count(BOILERPLATE) == 2 - len(spans)  # the row of the table stays
        assert row["chars"] == len(row["text"])
        assert (row["words"] < words[row["id"]]) == bool(spans)


def contained_texts(texts):
    """Books of four texts, a text that stands in one, copies of it, and texts that stand alone."""
    books = {f"book{i}": "\n\n".join(texts[4 * i : 4 * i + 4]) for i in (2, 3)}
    sections = {f"section{i}": "\n\n".join(texts[4 * i + 1 : 4 * i + 3]) for i in (2, 3)}
    copies = {"copy2": edited(sections["section2"], 1)}
    return books, sections, copies


def test_a_section_inside_a_longer_document_goes_where_that_is_asked_for(texts, tmp_path):
    books, sections, copies = contained_texts(texts)
    documents = books | sections | {f"alone{i}": texts[30 + i] for i in range(5)}
    without = by_part(build(tmp_path / "r", {"s": (1, documents), "copies": (0, copies)}, tmp_path / "without"))
    assert all(without[name][0] == "kept" for name in (*books, *sections))
    built = build(
        tmp_path / "r",
        {"s": (1, documents), "copies": (0, copies)},
        tmp_path / "out",
        dedup="{near: {containment: 0.9}}",
    )
    found = by_part(built)
    assert {found[name][0] for name in (*books, *(f"alone{i}" for i in range(5)))} == {"kept"}
    assert found["section2"] == found["copy2"] == ("duplicate", "book2")  # the copy with the section that it is like
    assert found["section3"] == ("duplicate", "book3")
    rows = {row["part"]: row for row in built.ledger()}
    assert rows["section2"]["rule"] == rows["copy2"]["rule"] == "contained"
    assert rows["section2"]["similarity"] == rows["section2"]["linked_similarity"] == 1.0
    assert rows["copy2"]["linked_to"] == rows["section2"]["id"]
    assert rows["copy2"]["similarity"] < 1.0
    assert rows["copy2"]["linked_similarity"] >= 0.8
    assert built.manifest.dedup["contained"] == 3


def test_containment_against_an_earlier_build_gives_what_one_build_of_both_gives(texts, tmp_path):
    books, sections, copies = contained_texts(texts)
    near = "near: {containment: 0.9}"
    build(tmp_path / "a", {"old": (9, books | {"old": texts[30]})}, tmp_path / "built_a", dedup=f"{{{near}}}")
    options = f"{{{near}, against: [../built_a]}}"
    new = sections | copies
    later = build(tmp_path / "b", {"new": (0, new)}, tmp_path / "built_b", dedup=options)
    sources = {"old": (9, books | {"old": texts[30]}), "new": (0, new)}
    both = build(tmp_path / "ab", sources, tmp_path / "built_ab", dedup=f"{{{near}}}")
    assert fates(later, "new") == fates(both, "new")
    assert {fate[1] for fate in fates(later, "new").values()} >= {"contained"}


@pytest.mark.parametrize("near", ["{}", "{containment: 0.9}"])
def test_ranges_of_keys_and_one_worker_give_the_same_ledger(texts, tmp_path, monkeypatch, near):
    books, sections, _ = contained_texts(texts)
    documents = {f"d{i}": text for i, text in enumerate(texts)} | {f"e{i}": edited(texts[i], i) for i in range(30)}
    documents |= books | sections
    options = f"near: {near}"
    whole = build(tmp_path / "r", {"s": (0, documents)}, tmp_path / "whole", dedup=f"{{{options}}}")
    assert whole.manifest.dedup["self_test"]["recall"] >= 0.97
    monkeypatch.setattr(dedup, "WHOLE", 10)
    backwards = dict(reversed(documents.items()))
    options = f"{{{options}, memory: 8KB}}"
    ranges = build(tmp_path / "q", {"s": (0, backwards)}, tmp_path / "ranges", dedup=options, workers=1)
    assert fates(whole) == fates(ranges)
    assert whole.manifest.fates["duplicate"] >= 25
    assert whole.manifest.dedup == ranges.manifest.dedup
