"""Articles are found by their sentences; what surrounds them, and what style sheets hide, is left out."""

from __future__ import annotations

import pytest

from pipelines.extract.article import choose, drop_false_names, is_japanese, read_article
from pipelines.extract.html import read_html
from pipelines.extract.markup import hide_by_style, parse_html
from pipelines.extract.tables import Block
from pipelines.extract.walk import blocks_of, to_markdown

BODY = "".join(f"<p>第{n}四半期の売上高は前年同期に比べて{n}割増加し、利益も改善した。</p>" for n in range(1, 7))
LINKS = "".join(f"<li><a href=/{n}>関連する記事の見出し{n}</a></li>" for n in range(30))


def page(article, *, around="", head=""):
    return f"<html><head><title>x</title>{head}</head><body>{around}<div>{article}</div><div><ul>{LINKS}</ul></div></body></html>"


def test_the_article_is_taken_and_lists_of_links_are_not():
    tree = parse_html(page(f"<div>{BODY}<ul>{LINKS}</ul></div>"))
    text = to_markdown(choose(tree, []))
    assert text.startswith("第1四半期")
    assert text.endswith("改善した。")
    assert "関連する記事" not in text


def test_a_page_without_a_sentence_is_read_all_the_same():
    lines = "<br>".join(["今日は晴れ", "会社へ行く", "帰りに本を買った", "とても面白い"] * 12)
    assert "会社へ行く" in read_html(page(f"<div class=entry>{lines}</div>")).text


@pytest.mark.parametrize("called", ["related-posts", "sidebar", "sns_share", "ranking", "commentList"])
def test_what_is_called_furniture_is_left_out(called):
    extra = f'<div class="{called}"><p>こちらの記事もよく読まれています。ぜひご覧ください。</p></div>'
    assert "よく読まれて" not in to_markdown(choose(parse_html(page(f"<div>{BODY}{extra}</div>")), []))


def test_furniture_that_holds_the_article_is_none():
    tree = parse_html(page(f'<div class="l-wrapper gate-ad"><main>{BODY}</main></div>'))
    assert "第6四半期" in to_markdown(choose(tree, []))


ENGLISH = "".join(f"<p>Net sales in quarter {n} rose by {n} percent, and profit improved, too.</p>" for n in range(9))


@pytest.mark.parametrize("body", [BODY, ENGLISH])
def test_a_form_around_the_page_is_no_form(body):
    around = "<div class=x><p>短い。</p></div>"
    text = read_html(f"<body>{around}<form id=aspnetForm><h1>決算</h1><div>{body}</div></form></body>").text
    assert text == read_html(f"<body>{around}<div><h1>決算</h1><div>{body}</div></div></body>").text
    assert text.count("\n\n") >= 5


def test_what_most_of_the_page_stands_in_is_no_furniture_whatever_it_is_called():
    tree = parse_html(page(f'<div class="hidden-menu l-sidebar">{BODY}</div>'))
    drop_false_names(tree)
    assert "第6四半期" in to_markdown(read_article(tree))


def test_what_the_article_lacks_is_taken_from_the_main_text():
    main = [Block("長い本文がここにある。" * 60)]
    assert choose(parse_html(page("<p>短い。</p>")), main) == main


def test_japanese_is_told_by_kana():
    assert is_japanese([Block("売上高が増加した")])
    assert not is_japanese([Block("売上高 営業利益 純資産")])
    assert not is_japanese([Block("Net sales increased")])


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        (".x{display:none}", False),
        ("/* .y{} */ p.x , .z { color:red; display : none }", False),
        ("#i{visibility:hidden}", False),
        ("@media print{.x{display:none}}", True),
        ("div.x{display:none}", True),
        (".x{display:block}", True),
    ],
)
def test_what_a_style_sheet_hides_is_not_seen(style, shown):
    tree = parse_html(
        f'<html><head><style>{style}</style></head><body><p class="a x" id=i>見えない</p>見える</body></html>'
    )
    hide_by_style(tree)
    assert ("見えない" in to_markdown(blocks_of(tree))) is shown


def test_reservations_and_further_pages_are_metadata():
    head = (
        '<meta name="tdm-reservation" content="1"><meta name="TDM-Policy" content="https://example.jp/tdm.json">'
        '<link rel=next href="/a?page=2"><link rel=prev href="/a">'
    )
    metadata = read_html(page(BODY, head=head)).metadata
    assert metadata["tdm_reservation"] == "1"
    assert metadata["tdm_policy"] == "https://example.jp/tdm.json"
    assert (metadata["next_page"], metadata["previous_page"]) == ("/a?page=2", "/a")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("<a rel='nofollow next' href=/2>2</a>", {"next_page": "/2"}),
        ("<a href=/2>\n次のページ </a>", {"next_page": "/2"}),
        ("<a href=/1>前のページへ</a>", {"previous_page": "/1"}),
        ("<a href=/2>次のページを読む人</a><a href=/3></a>", {}),
    ],
)
def test_the_pages_around_are_told_by_their_links(link, expected):
    metadata = read_html(page(f"{BODY}<p>{link}</p>")).metadata
    assert {key: metadata[key] for key in metadata if key.endswith("_page")} == expected


def test_a_page_measures_what_its_main_text_leaves_out():
    part = read_html(page(BODY + "<p>差額は△12百万円です。</p>", around="<nav>2024 2023</nav>"), check=True)
    assert 0 < part.measurements["numbers_kept"] < 1
    assert part.measurements["signs_kept"] == 1.0
    assert "2024\t2024 2023" in part.metadata["missing"]


def test_a_banner_in_another_language_is_not_the_article_of_a_japanese_page():
    banner = "<div><p>We use cookies and similar technologies to improve your experience on this site.</p></div>" * 3
    lines = "<br>".join(["今日は晴れ", "会社へ行く", "帰りに本を買った", "とても面白い"] * 3)
    assert "会社へ行く" in read_html(f"<body>{banner}<div class=entry-body>{lines}。</div></body>").text


@pytest.mark.parametrize("attributes", ['style="visibility:hidden"', "hidden", 'style="display:none"'])
def test_a_page_that_a_script_will_show_is_seen(attributes):
    text = read_html(f"<html {attributes}><body {attributes}><div>{BODY}</div></body></html>").text
    assert text.startswith("第1四半期")


def test_what_one_extractor_alone_keeps_does_not_outvote_the_article():
    junk = [Block("ここに長い別の文章がある。" * 60)]
    tree = parse_html(page(f"<div>{BODY}</div>"))
    assert to_markdown(choose(tree, junk, [Block("短い。")])).startswith("第1四半期")
