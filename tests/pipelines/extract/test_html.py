"""Pages give their main text with tables and metadata; a page of nothing but its own text is read whole."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract import Raw
from pipelines.extract.html import extract_html, read_html
from pipelines.extract.markup import parse_html
from pipelines.extract.walk import blocks_of, to_markdown
from registry.errors import InputError

SENTENCE = "当社グループの売上高は前年同期に比べて増加しました。"


def markdown(body):
    return to_markdown(blocks_of(parse_html(f"<html><body>{body}</body></html>")))


def table(*rows):
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h1>一</h1><h6>六<br>行</h6>文", "# 一\n\n###### 六 行\n\n文"),
        ("<p>売上は\n  増加した</p>", "売上は増加した"),
        ("<p>in the\n  end 1\n2</p>", "in the end 1 2"),
        ("<p>１\n２</p>", "１ ２"),
        ("一<br>二<br/><br/>三", "一\n二\n三"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
        ("<ol><li>a<li><p>b</p><p>c</p></ol>d", "1. a\n2. b\n  c\n\nd"),
        ("<dl><dt>語<dd>意味</dl>", "語\n\n意味"),
        ("<pre>a\n  b</pre>", "```\na\n  b\n```"),
        ("<pre>```</pre>", "````\n```\n````"),
        ("m<sup>2</sup>と 10<sup>8</sup>", "m^2と 10^8"),
        ("<p>a<script>x</script>b<style>y</style>c<p style='Display : NONE'>d</p><p hidden>e</p>f", "abc\n\nf"),
        ("a<!-- x -->b", "ab"),
        ("&lt;p&gt; &amp;amp; &nbsp;x", "<p> &amp; \xa0x"),
    ],
)
def test_markup_as_markdown(body, expected):
    assert markdown(body) == expected


def test_spans_keep_the_grid_and_say_everything_once():
    text = markdown(
        table(
            "<td rowspan=2>科目<td colspan=2>金額",
            "<td>前期<td>当期",
            "<td>利益<td>△1<td>2",
            "<td colspan=9 rowspan=0>計",
        )
    )
    assert text.split("\n") == [
        "| 科目 | 金額 |  |",
        "| --- | --- | --- |",
        "|  | 前期 | 当期 |",
        "| 利益 | △1 | 2 |",
        "| 計 |  |  |",
    ]


def test_cells_are_one_line_and_their_pipes_are_escaped():
    assert markdown(table("<td>a|b<td><p>c<p>d", "<td>e<br>f<td>g")).split("\n")[0] == "| a\\|b | c d |"


def test_spacer_rows_and_columns_are_left_out():
    text = markdown(table("<td>a<td> <td>b", "<td><td>&nbsp;<td>", "<td>c<td><td>d"))
    assert text == "| a | b |\n| --- | --- |\n| c | d |"


def test_signs_in_cells_of_their_own_go_to_their_figures():
    table = (
        "<table><tr><td>Item<td colspan=3>2024<td colspan=2>Change</tr>"
        "<tr><td>Net income<td>$<td>1,234<td><td>12<td>%</tr>"
        "<tr><td>Net loss<td>$<td>(567<td>)<td>(3<td>)%</tr>"
        "<tr><td>Equity<td colspan=2>(89<td>)<td>—<td>%</tr></table>"
    )
    assert markdown(table) == (
        "| Item | 2024 | Change |\n| --- | --- | --- |\n| Net income | $1,234 | 12% |\n"
        "| Net loss | $(567) | (3)% |\n| Equity | (89) | —% |"
    )
    units = "<table><tr><td>率<td>値<td>単位</tr><tr><td>利益率<td>12.3<td>%</tr></table>"
    assert markdown(units).endswith("| 利益率 | 12.3 | % |")


def test_a_table_in_a_table_is_taken_out_of_its_layout():
    inner = table("<td>a<td>b", "<td>c<td>d")
    assert markdown(table(f"<td>左<td>{inner}", "<td>x<td>y")) == "左\n\n| a | b |\n| --- | --- |\n| c | d |\n\nx y"


def test_a_table_of_one_row_or_column_is_text():
    assert markdown(table("<td>(注)<td>１ 連結")) == "(注) １ 連結"
    assert markdown(table("<td>一", "<td>二")) == "一\n\n二"


markup = st.recursive(
    st.sampled_from(["12", "△3", " ", "<br>", "<td>", "</td>", "<tr>", "<p>", "</div>", "<li>", "<td colspan=0>"]),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>",
        st.sampled_from(["table", "tr", "td", "div", "ul", "h2", "span", "pre", "td rowspan=3", "td colspan=2"]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=25,
)


@given(markup)
def test_whatever_the_markup_no_figure_is_lost_and_tables_are_even(body):
    text = markdown(body)
    source = "".join(str(piece) for piece in parse_html(f"<html><body>{body}</body></html>").itertext())
    assert "".join(re.findall(r"[12]|△3", text.replace("1. ", ""))).count("△3") == source.count("△3")
    for block in re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE):
        assert len({line.count("|") for line in block.strip().split("\n")}) == 1


def test_no_depth_of_nesting_ends_the_walk():
    assert markdown("<div>" * 1500 + "深い" + "</div>" * 1500) == "深い"
    with pytest.raises(InputError, match="too_large"):
        parse_html("<div>" * 5000 + "x")


def page(body, head=""):
    return (
        f"<html><head><title>決算 | 社名</title>{head}</head><body><nav><a href=/>ホーム</a></nav>{body}</body></html>"
    )


ARTICLE = f"<article><h1>決算</h1><p>{SENTENCE * 12}</p></article><footer>社名 2024</footer>"


def test_metadata_comes_from_the_page():
    head = (
        '<meta name="Robots" content="noai, noindex"><meta name=author content="山田太郎">'
        '<link rel=canonical href="https://example.jp/a"><link rel=license href="https://creativecommons.org/licenses/by/4.0/">'
        '<meta property="article:published_time" content="2024-05-10T09:00:00+09:00">'
    )
    part = read_html(page(ARTICLE, head))
    assert part.date == "2024-05-10"
    assert part.metadata["author"] == "山田太郎"
    assert part.metadata["url"] == "https://example.jp/a"
    assert part.metadata["robots"] == "noai, noindex"
    assert part.metadata["licence_link"] == "https://creativecommons.org/licenses/by/4.0/"
    assert part.title.startswith("決算")
    assert SENTENCE * 12 in part.text
    assert "ホーム" not in part.text


def test_tables_of_the_main_text_have_a_separator_row():
    figures = table("<td>科目<td>当期", "<td>売上高<td>1,234", "<td>利益<td>△56")
    text = read_html(page(f"<article><p>{SENTENCE * 12}</p>{figures}<p>{SENTENCE * 5}</p></article>")).text
    assert "| 科目 | 当期 |\n| --- | --- |\n| 売上高 | 1,234 |\n| 利益 | △56 |" in text


@pytest.mark.parametrize(("ruby", "expected"), [("drop", "減損した"), ("keep", "減損《げんそん》した")])
def test_readings(ruby, expected):
    reading = "<ruby>減損<rp>(</rp><rt>げんそん</rt><rp>)</rp></ruby>した"
    body = f"<article><p>{SENTENCE * 12}</p><p>{SENTENCE}{reading}</p></article>"
    assert expected in read_html(page(body), ruby=ruby).text


def test_the_same_page_gives_the_same_part_twice():
    assert read_html(page(ARTICLE)) == read_html(page(ARTICLE))


@pytest.mark.parametrize("text", ["<html></html>", "<script>x</script>", "<!-- -->"])
def test_a_page_without_text_is_an_error(text):
    with pytest.raises(InputError, match=r"empty|broken"):
        read_html(text)


def extract(path):
    (part,) = extract_html(Raw(path, path.name, "law", "text/html"))
    return part


def test_law_pages_keep_their_whole_text(shared_data):
    files = sorted(shared_data.glob("law/2013_html/*.html"))[::4]
    assert len(files) > 5
    for path in files:
        visible = blocks_of(parse_html(path.read_bytes().decode("cp932")))
        wanted = sum(len("".join(block.text.split())) for block in visible)
        part = extract(path)
        assert part.measurements["undecodable"] == 0.0
        assert part.title
        assert len("".join(part.text.split())) > 0.9 * wanted


def test_a_wrong_charset_is_not_believed(tmp_path):
    path = tmp_path / "page.html"
    path.write_bytes(page(ARTICLE, "<meta charset=euc-jp>").encode("cp932"))
    assert SENTENCE in extract(path).text
