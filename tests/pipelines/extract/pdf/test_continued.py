"""What goes on elsewhere: behind a float, in the notes of the next page, in a stream that draws at random."""

from __future__ import annotations

import random

import pytest

WORDS = "当社は売上高の増加と費用の削減により利益を計上し市場の動向を注視しつつ投資を続ける方針であるが為替の影響もある"


def paragraph(lines: int, width: int, seed: int) -> list[str]:
    """Lines of a paragraph that reads like nothing else."""
    chance = random.Random(seed)
    words = "".join(chance.choice(WORDS) for _ in range(lines * width - width // 2)) + "。"
    return [words[at : at + width] for at in range(0, len(words), width)]


@pytest.fixture
def column(set_text):
    text = set_text[0]
    return lambda words, x=72, y=100, size=10, pitch=17: [text(x, y + pitch * n, size, w) for n, w in enumerate(words)]


@pytest.fixture
def frame(set_text):
    line = set_text[2]
    return lambda x0, y0, x1, y1: [
        line(x0, y0, x1, y0), line(x0, y1, x1, y1), line(x0, y0, x0, y1), line(x1, y0, x1, y1),
    ]  # fmt: skip


def test_a_paragraph_goes_on_behind_a_figure_and_its_caption_follows(extract, set_text, column, frame):
    text = set_text[0]
    left, right = paragraph(24, 22, 1), paragraph(36, 22, 2)
    figure = [*frame(50, 285, 270, 400), text(80, 340, 8, "2021年"), text(50, 408, 8, "図2　設備への投資の推移")]
    page = column(left[:10], 50) + figure + column(left[10:], 50, 440) + column(right, 310)
    found = extract([page]).text.split("\n\n")
    assert (found[0], found[-1]) == ("".join(left), "".join(right))
    assert found[1:-1] == ["2021年", "図2 設備への投資の推移"]


def test_a_heading_over_one_of_two_columns_does_not_take_its_first_line(extract, set_text, column):
    left, right = paragraph(20, 22, 5), paragraph(20, 22, 6)
    page = [set_text[0](150, 60, 16, "段組みの見出し"), *column(left, 50, 100), *column(right, 310, 106)]
    assert extract([page]).text.split("\n\n") == ["# 段組みの見出し", "".join(left), "".join(right)]


def test_a_footnote_goes_on_in_the_notes_of_the_next_page(extract, set_text, column):
    line = set_text[2]
    body, note, other = paragraph(64, 45, 3), paragraph(3, 60, 4), "２ 別の注である。"

    def page(words: list[str], notes: list[str]) -> list:
        return [*column(words), line(72, 712, 200, 712), *column(notes, y=720, size=7.5, pitch=12)]

    first, second = page(body[:34], ["１ " + note[0][:57], note[1]]), page(body[34:], [note[2], other])
    assert extract([first, second]).text.split("\n\n") == [
        "".join(body),
        "１　" + note[0][:57] + note[1] + note[2],
        other.replace(" ", "　"),
    ]


def shuffled(page: list, seed: int) -> list:
    """The ideographs of a page as one drawing each, in any order."""
    single = []
    for kind, x, y, size, words in page:
        step = (0, size) if kind == "V" else (size, 0)
        single += [(kind, x + n * step[0], y + n * step[1], size, word) for n, word in enumerate(words)]
    random.Random(seed).shuffle(single)
    return single


def test_ideographs_drawn_in_any_order_are_read_as_they_stand(extract, set_text, column):
    page = column(paragraph(20, 22, 5), 50, 100) + column(paragraph(20, 22, 6), 310, 106)
    down = [set_text[1](500 - 17 * n, 72, 10, words) for n, words in enumerate(paragraph(6, 40, 8))]
    for ordered in (page, down):
        assert extract([shuffled(ordered, 2)]).text == extract([ordered]).text


def test_a_table_ruled_at_its_head_and_foot_goes_on_over_the_page(extract, set_text, column):
    text, _, line = set_text
    places = (75, 250, 340, 430)

    def table(first: int, last: int, y: float, *, head: bool) -> list:
        rows = [(f"科目の名称{n}", f"{n},234", f"({n}56)", f"△{n}.5") for n in range(first, last)]
        drawn = [line(72, y, 500, y), line(72, y + 20, 500, y + 20)] if head else []
        top = y + (20 if head else 0)
        for number, row in enumerate([("科目", "前期", "当期", "増減")] if head else []):
            drawn += [text(x, y + 4 + number, 10, word) for x, word in zip(places, row, strict=True)]
        for number, row in enumerate(rows):
            drawn += [text(x, top + 4 + 16 * number, 10, word) for x, word in zip(places, row, strict=True)]
        end = top + 4 + 16 * len(rows)
        return [*drawn, line(72, end, 500, end)]

    for again in (True, False):
        first = column(paragraph(20, 45, 1)) + table(1, 11, 600, head=True)
        second = table(11, 18, 80, head=again) + column(paragraph(20, 45, 2), y=270)
        rows = [row for row in extract([first, second]).text.splitlines() if row.startswith("|") and "---" not in row]
        assert rows == ["| 科目 | 前期 | 当期 | 増減 |"] + [
            f"| 科目の名称{n} | {n},234 | ({n}56) | △{n}.5 |" for n in range(1, 18)
        ]
