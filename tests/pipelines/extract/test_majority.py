"""What most readings of a page keep is its main text, written as the page has it."""

from __future__ import annotations

from pipelines.extract.html import read_html
from pipelines.extract.majority import agreed
from pipelines.extract.tables import Block

PAGE = [
    Block("Home"),
    Block("Results of the year", 1),
    Block("Net sales rose by 12 percent, and profit improved as well."),
    Block("| a | b |\n| --- | --- |\n| 1 | 2 |", solid=True),
    Block("Read more about our other results of this year"),
]


def test_two_of_three_decide():
    readings = [PAGE[1:4], PAGE[2:], PAGE[:3]]
    assert agreed(PAGE, readings) == PAGE[1:4]


def test_a_reading_that_breaks_lines_otherwise_agrees_all_the_same():
    broken = [Block("Net sales rose by\n12 percent, and profit"), Block("improved as well.")]
    assert agreed(PAGE, [broken, broken, PAGE[:1]]) == [PAGE[2]]


def test_readings_of_no_text_have_no_say():
    assert agreed(PAGE, [[], PAGE[1:3], []]) == PAGE[1:3]
    assert agreed(PAGE, [[], []]) == []


def test_comments_and_teasers_are_outvoted():
    body = "".join(f"<p>Net sales in quarter {n} rose by {n} percent, and profit improved, too.</p>" for n in range(9))
    comments = "".join(
        f"<p>I have read number {n}, and I do not agree with it at all, my friend.</p>" for n in range(20)
    )
    teasers = "".join(f"<li><a href=/{n}>Ten things that you must know, number {n}</a></li>" for n in range(30))
    text = read_html(
        f"<body><article><h1>Results</h1>{body}</article><div id=comments>{comments}</div><ul>{teasers}</ul></body>"
    ).text
    assert "quarter 8" in text
    assert "my friend" not in text
    assert "Ten things" not in text
