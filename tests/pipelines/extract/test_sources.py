"""Sources of textbooks read as their pages do, code untouched; laws keep their numbers and lose their readings."""

from __future__ import annotations

import time

import pytest

from pipelines.extract import Raw
from pipelines.extract.law import extract_law
from pipelines.extract.sniff import sniff
from pipelines.extract.sources import plain_markdown
from registry.errors import InputError

LATEX = r"""\documentclass{jsarticle}
\usepackage{amsmath}
\begin{document}
\section{決算}\label{s}
\textbf{売上}は10\%増。% 注
\begin{itemize}
\item 一
\end{itemize}
\begin{verbatim}
x = 1 % y
  z
\end{verbatim}
\end{document}
ごみ
"""
TABLE = r"""\documentclass{article}
\title{金融論}
\begin{document}
\begin{tabular}{|l|r@{.}l|} \hline
年 & \multicolumn{2}{c}{金利} \\ \hline % 見出し & 注
2020 & \textbf{0} & 1\% \\[2pt]
\cline{2-3}
A\&B & △3 & 5 \\ \bottomrule
\end{tabular}
\end{document}
"""
REST = """.. _top:

はじめに
========

本文は :ref:`節 <section>` と :math:`a^2` です。

節
--

.. code-block:: python
   :linenos:

   def f():
       return ":ref:`x`"

例::

    続き

.. toctree::
   :maxdepth: 2

   a

終わり。
"""
QUARTO = """## 準備 {#sec-prep}

::: {.callout-note}
読み込む。
:::

```{r, fit}
#| message: false
x <- 1
  # 字下げ
```

{{< include _next.qmd >}}
<!-- 消える -->終わり。
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (LATEX, "## 決算\n売上は10%増。\n- 一\n```\nx = 1 % y\n  z\n```"),
        (TABLE, "# 金融論\n\n| 年 | 金利 |  |\n| --- | --- | --- |\n| 2020 | 0 | 1% |\n| A&B | △3 | 5 |"),
        ("# 見出し {#sec-1}\n\n本文{#x}。", "# 見出し\n\n本文{#x}。"),
        (
            REST,
            (
                '# はじめに\n\n本文は 節 と $a^2$ です。\n\n## 節\n\n```python\ndef f():\n    return ":ref:`x`"\n```\n\n'
                "例:\n\n    続き\n\n終わり。"
            ),
        ),
        (QUARTO, "## 準備\n\n読み込む。\n\n```r\nx <- 1\n  # 字下げ\n```\n\n終わり。"),
        ("前<!-- 訳\n注 -->後\n\n```\n<!-- 残る -->\n```", "前後\n\n```\n<!-- 残る -->\n```"),
        ("# 見出し\n\n普通の文章。", "# 見出し\n\n普通の文章。"),
    ],
)
def test_a_source_is_what_its_reader_sees(source, expected):
    assert plain_markdown(source).strip() == expected


@pytest.mark.parametrize("piece", ["\\section{a}{", "```{r}\n", ".. math::\n a\n", "<!--", "\\item[", "a\n==\n"])
def test_no_source_takes_exponential_time(piece):
    start = time.process_time()
    plain_markdown(piece * 1000)
    assert time.process_time() - start < 5


LAW = (
    '<?xml version="1.0" encoding="UTF-8"?><Law Era="Heisei" Year="17" LawType="Act"><LawNum>平成十七年法律第八十六号</LawNum><LawBody>'
    "<LawTitle>会社法</LawTitle><TOC><TOCLabel>目次</TOCLabel></TOC><MainProvision><Chapter><ChapterTitle>第一章　総則</ChapterTitle>"
    "<Article><ArticleCaption>（定義）</ArticleCaption><ArticleTitle>第二条</ArticleTitle><Paragraph><ParagraphNum/><ParagraphSentence>"
    "<Sentence>この法律において、</Sentence><Sentence><Ruby>賄<Rt>わい</Rt></Ruby>賂とする。</Sentence></ParagraphSentence>"
    "<Item><ItemTitle>一</ItemTitle><ItemSentence><Column><Sentence>会社</Sentence></Column><Column><Sentence>株式会社をいう。"
    "</Sentence></Column></ItemSentence></Item></Paragraph><Paragraph><ParagraphNum>２</ParagraphNum><ParagraphSentence><Sentence>別に"
    "定める。</Sentence></ParagraphSentence><TableStruct><Table><TableRow><TableColumn>甲</TableColumn><TableColumn>乙</TableColumn>"
    "</TableRow><TableRow><TableColumn>一</TableColumn><TableColumn>二</TableColumn></TableRow></Table></TableStruct></Paragraph></Article>"
    "</Chapter></MainProvision></LawBody></Law>"
)


def test_a_law_is_read_line_by_line(tmp_path):
    path = tmp_path / "law.xml"
    path.write_text(LAW, "utf-8")
    assert sniff(path).format == "law"
    (part,) = extract_law(Raw(path, path.name, "law", "application/xml"))
    assert part.text == (
        "平成十七年法律第八十六号\n\n# 会社法\n\n### 第一章　総則\n\n（定義）\n\n第二条　この法律において、賄賂とする。\n\n"
        "一　会社　株式会社をいう。\n\n２　別に定める。\n\n| 甲 | 乙 |\n| --- | --- |\n| 一 | 二 |"
    )
    assert part.title == "会社法"
    assert part.metadata == {"era": "Heisei", "year": "17", "law_type": "Act", "law_number": "平成十七年法律第八十六号"}


@pytest.mark.parametrize(
    ("text", "reason"), [("<Law></Law>", "empty"), ("<Law><", "broken"), ("<DataRoot/>", "unsupported")]
)
def test_what_is_no_law_says_why(tmp_path, text, reason):
    path = tmp_path / "law.xml"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        list(extract_law(Raw(path, path.name, "law", "application/xml")))
