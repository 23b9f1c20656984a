"""Filings give every figure with its sign, in even tables, cut at their sections, with what they say of themselves."""

from __future__ import annotations

import html
import re
from collections import Counter

import pytest

from pipelines.extract import Raw
from pipelines.extract.facts import iso_date
from pipelines.extract.fidelity import fidelity, missing
from pipelines.extract.filing import extract_edinet_csv, extract_filing, extract_xbrl
from pipelines.extract.sniff import sniff
from registry.errors import InputError

HEAD = (
    '<?xml version="1.0" encoding="Shift_JIS"?>\n'
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2008/inlineXBRL" xmlns:own="http://'
    'disclosure.edinet-fsa.go.jp/jpcrp030000/asr/001/E01234-000/2024-03-31/01/2024-06-28"><head><title>x</title></head>'
)
HIDDEN = (
    '<div style="display:none"><ix:header><ix:hidden>'
    '<ix:nonNumeric name="jpdei_cor:FilerNameInJapaneseDEI" contextRef="c">架空電機株式会社</ix:nonNumeric>'
    '<ix:nonNumeric name="jpdei_cor:EDINETCodeDEI" contextRef="c">E09999</ix:nonNumeric>'
    '<ix:nonNumeric name="jpdei_cor:SecurityCodeDEI" contextRef="c"/>999,999'
    "</ix:hidden></ix:header></div>"
)
FACT = '<ix:nonFraction name="a:b" contextRef="c" unitRef="JPY" decimals="-6" sign="-">{}</ix:nonFraction>'
LONG = "<p>" + "事業の内容は次のとおりであります。" * 40 + "</p>"


def extract(tmp_path, body, head=HEAD):
    path = tmp_path / "honbun.htm"
    path.write_text(f"{head}<body>{body}</body></html>", "utf-8-sig")
    return list(extract_filing(Raw(path, path.name, "filing", "application/xhtml+xml")))


def test_a_sign_before_a_fact_stays_and_what_is_hidden_goes(tmp_path):
    (part,) = extract(tmp_path, f"{HIDDEN}<p>貸倒引当金 △{FACT.format('244,949')}千円</p>")
    assert part.text == "貸倒引当金 △244,949千円"
    assert part.measurements == {"numbers_kept": 1.0, "signs_kept": 1.0, "undecodable": 0.0}


def test_what_the_filing_says_of_itself(tmp_path):
    cover = '<ix:nonNumeric name="jpcrp_cor:FilingDateCoverPage" format="x">令和６年７月１日</ix:nonNumeric>'
    (part,) = extract(tmp_path, f"{HIDDEN}<p>{cover}</p>")
    assert part.date == "2024-07-01"
    assert part.metadata == {
        "report": "E01234_2024-03-31_2024-06-28",  # as declared, whatever the facts say
        "form": "jpcrp030000/asr",
        "edinet_code": "E09999",
        "period_end": "2024-03-31",
        "filing_date": "2024-07-01",
        "filer": "架空電機株式会社",
    }


def test_sections_carry_the_headings_they_stand_under(tmp_path):
    body = (
        f"<h1>第一部【企業情報】</h1><h2>第１【企業の概況】</h2><h3>１【沿革】</h3>{LONG}"
        f"<div>２【事業の内容】</div>{LONG}<h4>(1) 製品</h4>{LONG}<h3>３【訴訟】</h3><p>該当事項はありません。</p>"
    )
    first, second = extract(tmp_path, body)
    assert (first.part, first.title) == ("1", "１【沿革】")
    assert first.metadata["section"] == "第一部【企業情報】 > 第１【企業の概況】 > １【沿革】"
    assert (second.part, second.title) == ("2", "２【事業の内容】")
    assert "#### (1) 製品" in second.text
    assert second.text.endswith("### ３【訴訟】\n\n該当事項はありません。")


@pytest.mark.parametrize(
    "body",
    [
        "<p>売上 △12<br>利益 34<div>",  # not closed
        "<p>売上 △12 & 利益 34</p>",  # not escaped
        "<p>売上&nbsp;△12 利益 34</p>",  # an entity that XML does not know
        '<div style="display:none"/><p>売上 △12</p><p>利益 34',  # empty in XML, the whole page in HTML
    ],
)
def test_broken_markup_is_read_all_the_same(tmp_path, body):
    (part,) = extract(tmp_path, body)
    assert "△12" in part.text
    assert "34" in part.text


def with_entities(declarations):
    return f"<!DOCTYPE html [{declarations}]>" + HEAD.partition("\n")[2]


def test_entities_of_the_file_are_neither_fetched_nor_expanded(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    head = with_entities(f'<!ENTITY x SYSTEM "file://{secret}"><!ENTITY y "inner">')
    text = "".join(part.text for part in extract(tmp_path, "<p>前 &x; &y; 後 12</p>", head))
    assert "SECRET" not in text
    assert "後 12" in text


def test_an_entity_bomb_is_refused(tmp_path):
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(InputError, match="too_large"):
        extract(tmp_path, "<p>&e11;</p>", with_entities('<!ENTITY e0 "lol">' + bomb))


@pytest.mark.parametrize(("body", "reason"), [(HIDDEN, "empty"), ("<div>" * 5000 + "1" + "</div>" * 5000, "too_large")])
def test_what_cannot_be_read_says_why(tmp_path, body, reason):
    with pytest.raises(InputError, match=reason):
        extract(tmp_path, body)


def test_fidelity_sees_what_is_lost():
    kept = fidelity("売上 1,234 △ 56\n78 ▲9", "| 1,234 | 56 |\n78 ▲9")
    assert kept == {"numbers_kept": 1.0, "signs_kept": 0.5}
    assert fidelity("12 12", "12")["numbers_kept"] == 0.5
    assert fidelity("なし", "") == {"numbers_kept": 1.0, "signs_kept": 1.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("令和８年６月12日", "2026-06-12"),
        ("令和元年5月1日", "2019-05-01"),
        ("平成 26 年 1 月 14 日", "2014-01-14"),
        ("2024-03-31", "2024-03-31"),
        ("2024年３月31日", "2024-03-31"),
        ("September 28, 2024", "2024-09-28"),
        ("2024年13月1日", ""),
        ("－", ""),
    ],
)
def test_dates(text, expected):
    assert iso_date(text) == expected


def visible(source):
    """The reference: tags taken out by hand, inline ones without a trace and all others as a line end."""
    source = re.sub(r"<ix:header.*?</ix:header>", "", source[source.index("<body") :], flags=re.DOTALL)
    source = re.sub(r"<div[^>]*display:\s*none[^>]*>[^<]*</div>", "", source)
    source = re.sub(r"</?(?:ix:\w+|span|b)(?:\s[^>]*)?/?>", "", source)
    return html.unescape(re.sub(r"<[^>]*>", "\n", source))


def figures(text, sign=""):
    return Counter(re.sub(r"\s", "", hit) for hit in re.findall(sign + r"\d+(?:[.,．，]\d+)*", text))


REAL = ("edinet_htm/*/*.htm", "edinet_fsa_sample/*/*.htm", "tdnet/**/*.htm")


@pytest.mark.parametrize("pattern", REAL)
def test_real_filings_lose_and_gain_no_figure_and_no_sign(shared_data, pattern):
    files = sorted(shared_data.glob(pattern))
    assert len(files) > 20
    for path in files[:: len(files) // 12]:
        parts = list(extract_filing(Raw(path, path.name, "filing", "application/xhtml+xml")))
        text = "\n\n".join(part.text for part in parts)
        source = visible(path.read_bytes().decode("utf-8-sig"))
        assert figures(text) == figures(source), path.name
        assert figures(text, r"[△▲]\s*") == figures(source, r"[△▲]\s*"), path.name
        assert {(part.measurements["numbers_kept"], part.measurements["signs_kept"]) for part in parts} == {(1.0, 1.0)}
        assert len({part.part for part in parts}) == len(parts)
        for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
            assert len({line.replace("\\|", "").count("|") for line in block.strip().split("\n")}) == 1


def test_real_headers_name_the_filer(shared_data):
    files = sorted(shared_data.glob("edinet_fsa_sample/*/0000000_header*"))
    assert len(files) > 5
    for path in files:
        metadata = next(extract_filing(Raw(path, path.name, "filing", "application/xhtml+xml"))).metadata
        assert {"filer", "edinet_code", "document_type", "filing_date"} <= metadata.keys()


def test_numbered_titles_without_brackets_are_headings_and_enumerations_are_not(tmp_path):
    body = f"<h3>１【経営指標】</h3><div>(1）連結経営指標等</div>{LONG}<p>(1) 取締役会</p><p>(2) 監査役会</p><p>（３）2024年の売上。</p>"
    (part,) = extract(tmp_path, body)
    assert "#### (1）連結経営指標等" in part.text
    assert "\n\n(1) 取締役会\n\n(2) 監査役会\n\n（３）2024年の売上。" in part.text


def test_a_section_that_is_too_long_is_cut_at_its_own_headings(tmp_path):
    body = f"<h2>第１【概況】</h2><h3>１【役員】</h3><h4>(1) 一</h4>{LONG * 40}<h4>(2) 二</h4>{LONG * 5}<h3>２【他】</h3>{LONG}"
    parts = extract(tmp_path, body)
    assert [part.metadata["section"] for part in parts] == [
        "第１【概況】 > １【役員】 > (1) 一",
        "第１【概況】 > １【役員】 > (2) 二",
        "第１【概況】 > ２【他】",
    ]
    assert "".join("".join(part.text.split()) for part in parts).count("事業の内容は") == 40 * (40 + 5 + 1)


def test_units_stay_with_their_table_and_continuations_with_their_facts(tmp_path):
    table = "<table><tr><td>科目</td><td>当期</td></tr><tr><td>利益</td><td>△1</td></tr></table>"
    name = (
        '<ix:nonNumeric name="a:CompanyNameCoverPage" continuedAt="n2">架空</ix:nonNumeric>、'
        '<ix:continuation id="n2">電機</ix:continuation>'
    )
    first, second = extract(
        tmp_path, f"<h3>１【表】</h3>{LONG}<p>（単位：百万円）</p>{table}<h3>２【名】</h3>{LONG}<p>{name}</p>"
    )
    assert "（単位：百万円）\n\n| 科目 | 当期 |" in first.text
    assert second.metadata["filer"] == "架空 電機"
    assert second.text.endswith("架空、電機")


def test_consolidated_or_not_is_told_by_the_facts(tmp_path):
    fact = FACT.format("1").replace('"c"', '"CurrentYearDuration_{}Member"')
    for member, expected in (("Consolidated", "true"), ("NonConsolidated", "false")):
        (part,) = extract(tmp_path, f"<p>売上 {fact.format(member)}</p>")
        assert part.metadata["consolidated"] == expected


def test_what_is_missing_is_told_with_its_place():
    lines = missing("売上高 1,234\n利益は △56 である\n1,234", "1,234 56").split("\n")
    assert lines == ["△56\t売上高 1,234 利益は △56 である 1,234", "1,234\t売上高 1,234 利益は △56 である 1,234"]
    assert missing("12 △3", "| 12 | △ 3 |") == ""
    assert missing("本文は 13 日\n広告 13", "本文は 13 日") == "13\t本文は 13 日 広告 13"
    assert missing("広告 13 円\n" + "あ" * 30 + "\n本文は 13 日", "本文は 13 日").endswith("あ" * 19)


INSTANCE = (
    '<?xml version="1.0"?><xbrli:xbrl xmlns:xbrli="http://www.xbrl.org/2003/instance" xmlns:c="http://x">'
    "<c:FilerNameInJapaneseDEI>架空電機</c:FilerNameInJapaneseDEI><c:NetSales>123</c:NetSales>"
    "<c:BusinessTextBlock>{}</c:BusinessTextBlock><c:PartOfItTextBlock>{}</c:PartOfItTextBlock></xbrli:xbrl>"
)


def test_an_instance_gives_its_text_blocks_once(tmp_path):
    inner = "<p>売上は △12 百万円</p>"
    path = tmp_path / "a.xbrl"
    path.write_text(INSTANCE.format(html.escape(f"<h3>１【業績】</h3>{inner}{LONG}"), html.escape(inner)), "utf-8")
    assert sniff(path).format == "xbrl"
    (part,) = extract_xbrl(Raw(path, path.name, "filing", ""))
    assert part.text.startswith("### １【業績】\n\n売上は △12 百万円")
    assert part.text.count("△12") == 1
    assert (part.title, part.metadata["filer"]) == ("１【業績】", "架空電機")
    assert part.measurements["signs_kept"] == 1.0


def test_a_type_5_csv_gives_its_text_blocks_and_its_facts(tmp_path):
    rows = [
        ("要素ID", "項目名", "コンテキストID", "相対年度", "連結・個別", "期間・時点", "ユニットID", "単位", "値"),
        ("jpdei_cor:EDINETCodeDEI", "EDINETコード、DEI", "F", "提出日時点", "その他", "時点", "－", "－", "E01234"),
        ("jpdei_cor:FundCodeDEI", "ファンドコード、DEI", "F", "提出日時点", "その他", "時点", "－", "－", "－"),
        (
            "a:BusinessTextBlock",
            "事業の内容 [テキストブロック]",
            "F",
            "",
            "",
            "",
            "－",
            "－",
            "事業は次のとおり。" * 80 + "\n表△5" + " " * 300 + "R&amp;D",
        ),
        *[("a:NetSales", "売上高", "C", "当期", "連結", "期間", "JPY", "円", "-1|2")] * 20,
    ]
    path = tmp_path / "a.csv"
    path.write_text("\r\n".join("\t".join(f'"{cell}"' for cell in row) for row in rows), "utf-16")
    assert sniff(path).format == "edinet_csv"
    text, facts = extract_edinet_csv(Raw(path, path.name, "filing", ""))
    assert (text.title, text.metadata["edinet_code"]) == ("事業の内容", "E01234")
    assert "fund_code" not in text.metadata
    assert text.text.endswith("\n\n表△5 R&D")
    assert "| 売上高 | 当期 | 連結 | 期間 | -1\\|2 | 円 |" in facts.text
    assert facts.measurements == {"numbers_kept": 1.0, "signs_kept": 1.0, "undecodable": 0.0}


@pytest.mark.parametrize(
    ("pattern", "read"),
    [("edinet_xbrl/*", extract_xbrl), ("edinet_csv/*annual*", extract_edinet_csv), ("sec/*", extract_filing)],
)
def test_other_real_reports_lose_nothing_and_name_their_filer(shared_data, pattern, read):
    files = sorted(shared_data.glob(pattern))[:4]
    assert files
    for path in files:
        parts = list(read(Raw(path, path.name, "filing", "")))
        assert len(parts) > 5
        assert {(part.measurements["numbers_kept"], part.measurements["signs_kept"]) for part in parts} == {(1.0, 1.0)}
        assert {"filer", "period_end"} <= parts[0].metadata.keys()
