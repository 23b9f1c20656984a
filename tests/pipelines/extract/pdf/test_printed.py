"""Rows of a ruled table that are printed without rules between them."""

from __future__ import annotations

import time

import pytest

from pipelines.extract.pdf.lines import Line
from pipelines.extract.pdf.printed import printed_rows

EDGES = (72, 172, 252, 332)


@pytest.fixture
def rows(extract, set_text):
    """The rows of a ruled table of a head and one band, in which words stand at given heights."""
    text, _, line = set_text

    def run(columns: list[list[tuple[float, str]]], height: float) -> list[tuple[str, ...]]:
        page = [line(EDGES[0], y, EDGES[-1], y) for y in (100, 120, 120 + height)]
        page += [line(x, 100, x, 120 + height) for x in EDGES]
        page += [text(x + 3, 105, 10, word) for x, word in zip(EDGES, ("科目", "前期", "当期"), strict=False)]
        page += [text(x + 3, 120 + y, 10, w) for x, cell in zip(EDGES, columns, strict=False) for y, w in cell]
        found = [tuple(row[2:-2].split(" | ")) for row in extract([page]).text.splitlines() if "---" not in row]
        return found[1:]

    return run


def test_a_heading_and_a_label_of_lines_that_stand_close_are_rows_of_their_own(rows):
    labels = [(5, "所有者との取引"), (25, "配当金"), (45, "構成要素から"), (56, "利益への"), (67, "振替")]
    first, second = [(25, "△21"), (56, "△2,164")], [(56, "△1,457")]
    assert rows([labels, first, second], 85) == [
        ("所有者との取引", "", ""),
        ("配当金", "△21", ""),
        ("構成要素から利益への振替", "△2,164", "△1,457"),
    ]


def test_a_figure_with_its_part_in_brackets_stands_beside_the_middle_of_its_label(rows):
    labels = [(4 + 26 * n, word) for n, word in enumerate(("有形固定資産", "建物", "構築物", "土地"))]
    first = [(30, "27,668"), (56, "3,003"), (82, "7,833")]
    second = [(24, "31"), (36, "(25)"), (50, "7"), (62, "(5)"), (82, "―")]
    assert rows([labels, first, second], 105) == [
        ("有形固定資産", "", ""),
        ("建物", "27,668", "31 (25)"),
        ("構築物", "3,003", "7 (5)"),
        ("土地", "7,833", "―"),
    ]


def test_figures_beside_the_last_label_alone_part_the_labels_above(rows):
    labels = [(5 + 20 * n, word) for n, word in enumerate(("当期変動額", "包括利益", "当期利益"))]
    assert rows([labels, [(45, "113")], [(45, "1,457")]], 65) == [
        ("当期変動額", "", ""),
        ("包括利益", "", ""),
        ("当期利益", "113", "1,457"),
    ]


def test_a_cell_of_several_lines_with_notes_around_its_figure_is_one_row(rows):
    label = [(10, "獅子サービス"), (22, "株式会社")]
    assert rows([label, [(4, "千バーツ"), (16, "7,000")], [(4, "※５"), (16, "100.0"), (28, "(99.9)")]], 45) == [
        ("獅子サービス株式会社", "千バーツ7,000", "※５100.0 (99.9)")
    ]


def test_two_rows_of_figures_beside_one_label_are_two_rows(rows):
    assert rows([[(11, "6")], [(5, "0.965"), (17, "0.969")], [(5, "2.73"), (17, "5.39")]], 32) == [
        ("6", "0.965", "2.73"),
        ("", "0.969", "5.39"),
    ]


def test_texts_beside_dates_keep_their_lines_together(rows):
    dates = [(5, "1891.10"), (20, "1896.7"), (50, "1910.12")]
    texts = [(5, "商店にて販売"), (20, "製造を開始し"), (35, "名づける"), (50, "合資会社設立")]
    assert rows([dates, texts, []], 70) == [
        ("1891.10", "商店にて販売", ""),
        ("1896.7", "製造を開始し名づける", ""),
        ("1910.12", "合資会社設立", ""),
    ]


def test_a_cell_of_ten_times_the_lines_takes_no_hundred_times_as_long():
    def seconds(count: int) -> float:
        labels = [Line(72, 12 * n, 122, 12 * n + 10, 10, 400, "科目の名称") for n in range(count)]
        figures = [Line(172, 12 * n, 202, 12 * n + 10, 10, 400, "1,234") for n in range(count)]
        start = time.process_time()
        assert len(printed_rows([labels, figures], 170.0)) == count
        return time.process_time() - start

    few, many = (min(seconds(count) for _ in range(3)) for count in (300, 3000))  # others may work beside
    assert many < 30 * max(few, 0.02)
