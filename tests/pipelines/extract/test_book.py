"""Chapters keep their code, formulas, headings and notes; what a program put around them goes."""

from __future__ import annotations

import pytest

from pipelines.extract.book import read_book
from pipelines.extract.code import settle_code
from pipelines.extract.formulas import settle_formulas
from pipelines.extract.html import read_html
from pipelines.extract.markup import parse_html, text_of
from pipelines.extract.notes import settle_footnotes
from pipelines.extract.walk import blocks_of, to_markdown

SENTENCE = "回帰直線の傾きは説明変数が一単位増えたときの変化を表す。"


def chapter(body):
    side = "".join(f"<li><a href=/{n}>第{n}章 はじめに</a>" for n in range(20))
    return (
        "<html><head><title>本</title><meta name=generator content='quarto-1.8'></head><body>"
        f"<nav class=sidebar><ul>{side}</ul></nav><main><h1>{'回帰'}</h1><p>{SENTENCE * 4}</p>{body}</main>"
        "<footer>作者 2024</footer></body></html>"
    )


def read(body):
    return read_html(chapter(body)).text


def test_the_sidebar_goes_and_headings_lose_their_numbers_and_links():
    text = read(
        '<h2><span class="header-section-number">3.1</span> 準備<a class="x" href="#準備">¶</a></h2><p>まず。</p>'
    )
    assert "## 準備\n" in text
    assert "第3章" not in text
    assert "作者" not in text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<pre><code class="language-rust">fn f() {\n    1\n}</code></pre>', "```rust\nfn f() {\n    1\n}\n```"),
        ('<pre class="sourceCode r"><code><span>x</span>\n<span>  y</span></code></pre>', "```r\nx\n  y\n```"),
        ('<div class="highlight-python notranslate"><pre>a\n\tb</pre></div>', "```python\na\n\tb\n```"),
        ("<pre>one<br>two</pre>", "```\none\ntwo\n```"),
        ("<pre><div>one</div><div>  two</div></pre>", "```\none\n  two\n```"),
        ("<pre>one\ntwo<button>copy</button></pre>", "```\none\ntwo\n```"),
        ("<p>関数<code>lm()</code>で</p>", "関数`lm()`で"),
        ("<p><code>a`b</code></p>", "``a`b``"),
    ],
)
def test_code_keeps_its_lines_and_indent(markup, expected):
    assert expected in read(markup)


def test_line_numbers_and_buttons_are_no_code():
    table = '<table class="highlighttable"><tr><td class="linenos"><pre>1\n2</pre></td><td><pre>a\n  b</pre></td></tr></table>'
    text = read(f"{table}<button>コピー</button>")
    assert "```\na\n  b\n```" in text
    assert "コピー" not in text
    assert "1\n2" not in text


@pytest.mark.parametrize(
    "pager",
    [
        (
            '<div class="navheader"><table><tr><th colspan=2>回帰</th></tr><tr><td><a accesskey="p" href=1>前のページ</a></td>'
            '<td><a accesskey="n" href=3>次のページ</a></td></tr></table></div>'
        ),
        '<div class="header"><p>Next: <a rel="next" href=#x>分散</a>, Up: <a rel="up" href=#t>目次</a></p></div>',
    ],
)
def test_links_to_the_chapters_around_go_with_what_holds_them(pager):
    text = read(f"{pager}<h2>準備</h2><p>まず。</p>")
    assert text.endswith("## 準備\n\nまず。")
    assert text.count("\n\n") == 3
    assert "分散" not in text
    assert "ページ" not in text


def test_a_program_that_marks_no_place_gives_the_whole_body():
    page = (
        chapter('<div class="toc2"><a href="#一">一</a></div>')
        .replace("main>", "div>")
        .replace("quarto", "DocBook XSL")
    )
    assert to_markdown(read_book(parse_html(page))).startswith(f"# 回帰\n\n{SENTENCE}")


def test_an_encyclopedia_loses_its_links_to_edit_and_its_boxes_of_links():
    page = (
        "<head><meta name=generator content='MediaWiki 1.44'></head><body><div id=siteSub>出典: フリー百科事典</div>"
        f"<div class='mw-content-ltr mw-parser-output'><p>{SENTENCE}</p><h2>概要</h2>"
        f"<span class=mw-editsection>[<a href=/e>編集</a>]</span><p>{SENTENCE}</p><table class=navbox><tr><td>一覧</table></div>"
    )
    assert to_markdown(read_book(parse_html(page))) == f"{SENTENCE}\n\n## 概要\n\n{SENTENCE}"


def test_a_chapter_of_an_epub_is_read_whole():
    lines = "".join(f"<p><span>「{n}」</span></p>" for n in "はいえ")
    page = (
        f'<?xml version="1.0"?><html xmlns:epub="http://www.idpf.org/2007/ops"><body><h1>一</h1>{lines}</body></html>'
    )
    assert to_markdown(read_book(parse_html(page))) == "# 一\n\n「は」\n\n「い」\n\n「え」"


def test_permanent_links_tell_a_chapter_without_code():
    page = f"<body><ul><li>索引</ul><main><h1>序<a class=headerlink href=#i>¶</a></h1><p>{SENTENCE}</p></main></body>"
    assert to_markdown(read_book(parse_html(page))) == f"# 序\n\n{SENTENCE}"


MATHML = "<math{}><mfrac><mi>a</mi><msup><mi>b</mi><mn>2</mn></msup></mfrac></math>"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (r'<span class="math inline">\(x^2\)</span>', "$x^2$"),
        (r'<span class="math display">\[ y = \beta \]</span>', "$$y = \\beta$$"),
        (r'<span class="math inline">\alpha</span>', r"$\alpha$"),
        ('<span class="math inline"><em>x</em><sub>t</sub></span>', "xt"),
        (
            r'<div class="math notranslate"><span class="eqno">(7)<a href="#e">¶</a></span>\[y=x\]</div>',
            r"$$y=x \tag{7}$$",
        ),
        ('<script type="math/tex">a+b</script>', "$a+b$"),
        ('<span class="MathJax">ab</span><script type="math/tex; mode=display">a+b</script>', "$$a+b$$"),
        (
            (
                '<span class="katex"><span class="katex-mathml"><math><semantics><mi>x</mi><annotation encoding="application/x-tex">x_1'
                '</annotation></semantics></math></span><span class="katex-html" aria-hidden="true">x1</span></span>'
            ),
            "$x_1$",
        ),
        (MATHML.format(""), r"$\frac{a}{b^{2}}$"),
        (MATHML.format(' display="block"'), r"$$\frac{a}{b^{2}}$$"),
        ('<math alttext="\\sum_i x_i"><mi>x</mi></math>', r"$\sum_i x_i$"),
        ("<math><msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt></math>", r"$\sqrt{x+1}$"),
        ("<math><mover><mi>y</mi><mo>^</mo></mover><mo>=</mo><mi>α</mi><mi>x</mi></math>", r"$\hat{y}=\alpha x$"),
        ("<math><munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><mi>sin</mi></math>", r"$\sum_{i}^{n}\sin$"),
        ("<math><mroot><mi>x</mi><mn>3</mn></mroot><mtext>円</mtext></math>", r"$\sqrt[3]{x}\text{円}$"),
        ('<math alttext="{\\displaystyle y_{t}}"><mi>y</mi></math>', "$y_{t}$"),
        ("<math><msub><mi>x</mi></msub></math>", "$x$"),
        ('<span style="display:none"><math alttext="z"><mi>z</mi></math></span>', "$z$"),
    ],
)
def test_formulas_are_latex(markup, expected):
    tree = parse_html(f"<html><body><p>式{markup}。</p></body></html>")
    settle_formulas(tree)
    assert to_markdown(blocks_of(tree)).replace("\n\n", "") == f"式{expected}。"


def test_deep_formulas_end():
    tree = parse_html(f"<html><body>{'<math>' + '<mrow>' * 500}x</body></html>")
    settle_formulas(tree)
    assert "<" not in text_of(tree)


@pytest.mark.parametrize(
    ("mark", "note"),
    [
        (
            '<a href="#fn1" class="footnote-ref" role="doc-noteref"><sup>1</sup></a>',
            '<section class="footnotes"><ol><li id="fn1"><p>出所。<a href="#fnref1" class="footnote-back">↩︎</a></p></li></ol></section>',
        ),
        ('<sup id="fnref1"><a href="#fn:1">[1]</a></sup>', '<div><p id="fn:1">出所。<a href="#fnref1">↑</a></p></div>'),
    ],
)
def test_footnotes_are_markdowns(mark, note):
    tree = parse_html(f"<html><body><p>売上は増えた{mark}。</p>{note}</body></html>")
    settle_footnotes(tree)
    assert to_markdown(blocks_of(tree)) == "売上は増えた[^1]。\n\n[^1]: 出所。"


def test_links_to_places_on_the_page_are_no_notes():
    tree = parse_html('<html><body><a href="#a">一</a><a href="#fn9">1</a><h2 id="a">一</h2></body></html>')
    settle_footnotes(tree)
    assert "[^" not in to_markdown(blocks_of(tree))


def test_a_portal_is_no_chapter():
    links = "".join(f"<li><a href=/{n}>今日のニュースの見出し{n}</a>" for n in range(60))
    tree = parse_html(
        f"<html><body><main><h1>ニュース</h1><pre>a\nb</pre><p>{SENTENCE}</p><ul>{links}</ul></main></body></html>"
    )
    assert read_book(tree) == []


def test_real_chapters_keep_their_headings_and_code(shared_data):
    files = sorted(shared_data.glob("html_gold/*/*.html"))[::6]
    assert len(files) > 4
    for path in files:
        text = read_html(path.read_text("utf-8")).text
        assert text.startswith("#")
        assert "sidebar" not in text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (  # Hexo: a row of two cells
            (
                "<figure><table><tr><td><pre><span>1</span><br><span>2</span><br></pre></td>"
                "<td><pre><span>a = 1</span><br><span>  b</span></pre></td></tr></table></figure>"
            ),
            "```\na = 1\n  b\n```",
        ),
        (  # VitePress: the language, and numbers from any first one
            '<div class="language-js"><span>js</span><div>7<br>8</div><pre><code>a\nb</code></pre></div>',
            "js\n\n```js\na\nb\n```",  # only what stands next to the code is told
        ),
        ('<div class="language-js"><span>js</span><pre>a\nb</pre></div>', "```js\na\nb\n```"),
        (
            "<pre><span> 9</span><b>a</b>\n<span>10</span>  <i>11</i>\n<span>11</span>\n<span>12</span>c</pre>",
            "```\na\n  11\n\nc\n```",
        ),
        ("<pre><span>1</span> + 1\n<span>2</span> + 2</pre>", "```\n1 + 1\n2 + 2\n```"),
        ("<pre><span>4</span> |> sqrt()</pre>", "```\n4 |> sqrt()\n```"),
        ("<pre>1</pre><pre>a</pre>", "```\na\n```"),
        ("<pre><span>1</span>\n<span>2</span></pre>", "```\n1\n2\n```"),
        ("<table><tr><td>12</td><td><pre>a\nb</pre></td></tr></table>", "12\n\n```\na\nb\n```"),
        ("<div>1 3</div><pre>a\nb</pre>", "1 3\n\n```\na\nb\n```"),
    ],
)
def test_numbers_of_lines_and_names_of_languages_beside_code_go(markup, expected):
    tree = parse_html(f"<html><body>{markup}</body></html>")
    settle_code(tree)
    assert to_markdown(blocks_of(tree)) == expected


def test_what_a_tab_will_show_is_read():
    panels = "<div role=tabpanel>甲の文である。</div><div role=tabpanel hidden>乙の文である。</div><div hidden>隠れる。</div>"
    text = read(f"<h2>例</h2><div>{panels}</div>")
    assert text.endswith("甲の文である。\n\n乙の文である。")


def test_a_comment_in_code_is_no_comment_of_a_reader():
    page = f"<body><h1>序</h1><div><p>{SENTENCE * 5}</p><pre><span class=comment># 注釈</span>\nx = 1</pre><p>{SENTENCE * 5}</p></div></body>"
    assert "```\n# 注釈\nx = 1\n```" in read_html(page).text
