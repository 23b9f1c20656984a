"""What the extractor makes of pages typeset for the purpose."""

from __future__ import annotations

import pytest

SENTENCE = "当連結会計年度における我が国経済は緩やかな回復基調で推移いたしました。"  # 35 characters


@pytest.fixture
def typeset(extract, set_text):
    text, down, line = set_text

    def lines(words: list[str], x: float = 72, y: float = 100, size: float = 10, pitch: float = 17) -> list:
        return [text(x, y + pitch * n, size, w) for n, w in enumerate(words)]

    return extract, text, down, line, lines


def test_a_paragraph_comes_out_on_one_line_without_spaces(typeset):
    extract, _, _, _, lines = typeset
    words = [SENTENCE, "しかしながら原材料価格の高騰などにより先行きは依然として不透明であります", "。"]
    part = extract([lines(words)])
    assert part.text == "".join(words)


def test_a_short_line_ends_a_paragraph_and_an_indent_starts_one(typeset):
    extract, text, _, _, lines = typeset
    page = [
        *lines([SENTENCE, "増収となりました。", SENTENCE]),
        text(82, 151, 10, SENTENCE[:-1]),
        text(72, 168, 10, SENTENCE),
    ]
    assert extract([page]).text.split("\n\n") == [SENTENCE + "増収となりました。", SENTENCE, SENTENCE[:-1] + SENTENCE]


def test_two_columns_under_a_heading_are_read_one_after_the_other(typeset):
    extract, text, _, _, lines = typeset
    left, right = ["左段の文章が続いている。" * 2] * 6, ["右段の文章が続いている。" * 2] * 6
    page = [text(150, 60, 18, "段を横切る見出しである章"), *lines(left, 50), *lines(right, 310, 106)]
    result = extract([page]).text
    assert result.startswith("# 段を横切る見出しである章")
    assert result.rindex("左段") < result.index("右段")


def test_the_order_of_the_content_stream_does_not_matter(typeset):
    extract, _, _, _, lines = typeset
    page = [
        *lines([SENTENCE, SENTENCE[:20]]),
        *lines(["二つ目の段落である。", "三つ目の段落である。"], y=160, pitch=30),
    ]
    assert extract([page]).text == extract([page[::-1]]).text == extract([page[2:] + page[:2]]).text


def test_vertical_text_reads_down_the_lines_from_the_right(typeset):
    extract, _, down, _, _ = typeset
    page = [down(500, 72, 10, SENTENCE), down(483, 72, 10, "増収となりました。"), down(466, 82, 10, SENTENCE[:10])]
    assert extract([page]).text == f"{SENTENCE}増収となりました。\n\n{SENTENCE[:10]}"


@pytest.mark.parametrize(("ruby", "expected"), [("drop", "市場で為替の変動"), ("keep", "市場で為替《かわせ》の変動")])
def test_ruby_is_dropped_or_follows_its_word(typeset, ruby, expected):
    extract, text, _, _, _ = typeset
    page = [text(72, 100, 12, "市場で為替の変動"), text(111, 94, 5, "かわせ"), text(72, 130, 12, SENTENCE)]
    assert expected in extract([page], ruby=ruby).text.split("\n\n")[0]


def test_running_heads_and_page_numbers_go_and_the_text_reads_on_over_the_page(typeset):
    extract, text, _, _, lines = typeset
    pages, words = [], [SENTENCE[n % 34 : -1] + SENTENCE[: n % 34] + "、" for n in range(200)]
    for number in range(1, 6):
        head, foot = text(72, 30, 9, f"第{number}期有価証券報告書"), text(290, 810, 9, f"{number}/5")
        pages.append([head, *lines(words[40 * number - 40 : 40 * number]), foot])
    assert extract(pages).text == "".join(words)


def test_ruled_cells_are_a_table_and_merged_ones_shift_no_column(typeset):
    extract, text, _, line, _ = typeset
    across = [line(72, 100 + 20 * n, 372, 100 + 20 * n) for n in range(4)]
    across[1] = line(72, 120, 372, 120)
    verticals = [line(72, 100, 72, 160), line(172, 100, 172, 160), line(272, 120, 272, 160), line(372, 100, 372, 160)]
    words = [("科目", 75, 104), ("金額", 200, 104), ("売上高", 75, 124), ("1,234", 180, 124), ("△56", 280, 124)]
    words += [("利益", 75, 144), ("(78)", 180, 144), ("90.1%", 280, 144)]
    page = across + verticals + [text(x, y, 10, w) for w, x, y in words]
    expected = ["| 科目 | 金額 |  |", "| --- | --- | --- |", "| 売上高 | 1,234 | △56 |", "| 利益 | (78) | 90.1% |"]
    assert extract([page]).text.splitlines() == expected


def test_gaps_make_an_unruled_table(typeset):
    extract, text, _, _, _ = typeset
    rows = [("科目", "前期", "当期"), ("売上高", "1,234", "1,300"), ("営業利益", "56", "△78"), ("純利益", "9", "10")]
    page = [
        text(x, 100 + 18 * n, 10, w) for n, row in enumerate(rows) for w, x in zip(row, (72, 200, 300), strict=True)
    ]
    assert [tuple(r.strip("| ").split(" | ")) for r in extract([page]).text.splitlines() if "---" not in r] == rows


def test_a_table_that_goes_on_over_the_page_is_one_table(typeset):
    extract, text, _, line, _ = typeset

    def page(first: int) -> list:
        rules = [line(72, 100 + 20 * n, 272, 100 + 20 * n) for n in range(5)]
        rules += [line(x, 100, x, 180) for x in (72, 172, 272)]
        rows = [("科目", "金額"), *((f"科目{n}", f"{n},000") for n in range(first, first + 3))]
        return rules + [
            text(x, 104 + 20 * n, 10, w) for n, row in enumerate(rows) for w, x in zip(row, (75, 180), strict=True)
        ]

    lines = extract([page(1), page(4)]).text.splitlines()
    assert [line for line in lines if "科目" in line] == [
        "| 科目 | 金額 |",
        *(f"| 科目{n} | {n},000 |" for n in range(1, 7)),
    ]


def test_english_hyphens_are_undone_and_words_keep_their_spaces(typeset):
    extract, _, _, _, lines = typeset
    words = ["The consolidated statements of the compa-", "ny give a true view of its financial posi-", "tion."]
    assert (
        extract([lines(words)]).text
        == "The consolidated statements of the company give a true view of its financial position."
    )


def test_radicals_become_ideographs(typeset):
    extract, text, _, _, _ = typeset
    assert extract([[text(72, 100, 10, "⽇本の⺠法と⻑期⾦利")]]).text == "日本の民法と長期金利"


def test_every_page_names_the_line_it_starts_on(typeset):
    extract, _, _, _, lines = typeset
    part = extract([lines(["一頁目の段落。", "二つ目の段落。"], pitch=40), lines(["二頁目の段落。"])])
    starts = [int(n) for n in part.metadata["page_lines"].split()]
    assert [part.text.splitlines()[n] for n in starts] == ["一頁目の段落。", "二頁目の段落。"]


def test_every_heading_names_its_line_and_level(typeset):
    extract, text, _, _, lines = typeset
    part = extract([[text(72, 60, 18, "大きな見出し"), *lines([SENTENCE, SENTENCE]), text(72, 180, 14, "中の見出し")]])
    found = [heading.split(" ", 2) for heading in part.metadata["headings"].splitlines()]
    assert [(int(level), name) for _, level, name in found] == [(1, "大きな見出し"), (2, "中の見出し")]
    assert [part.text.splitlines()[int(n)] for n, _, _ in found] == ["# 大きな見出し", "## 中の見出し"]


@pytest.mark.parametrize(
    ("made", "date"),
    [
        ("D:20230330091500+09'00'", "2023-03-30"),
        ("D:20230330", "2023-03-30"),
        ("D:19700101000000Z", ""),
        ("D:20230231", ""),
        ("2023/03/30", ""),
        ("", ""),
    ],
)
def test_the_date_is_the_day_on_which_the_file_was_made(extract, as_pdf, set_text, made, date):
    assert extract(as_pdf([[set_text[0](72, 100, 10, "文章。")]], f"/CreationDate({made})")).date == date


def test_a_figure_beside_the_middle_of_a_label_of_two_lines_is_in_its_row(typeset):
    extract, text, _, _, _ = typeset
    page = [text(72, 100, 10, "現金"), text(300, 100, 10, "1,000"), text(400, 100, 10, "2,000")]
    page += [text(72, 118, 10, "持分法で会計処理されている"), text(72, 129, 10, "投資")]
    page += [text(300, 123, 10, "6,935"), text(400, 123, 10, "△8,939")]
    page += [text(72, 147, 10, "合計"), text(300, 147, 10, "7,935"), text(400, 147, 10, "△6,939")]
    rows = extract([page]).text.splitlines()
    assert rows[2] == "| 持分法で会計処理されている投資 | 6,935 | △8,939 |"


def test_a_currency_sign_in_a_column_of_its_own_stands_with_its_figure(typeset):
    extract, text, _, _, _ = typeset
    rows = [
        ("Revenues", "$", "6,779", "$", "5,504"),
        ("Cost", "", "4,591", "", "(3,752)"),
        ("Net", "$", "122", "$", "266"),
    ]
    places = (72, 250, 290, 380, 420)
    page = [text(x, 100 + 18 * n, 10, w) for n, row in enumerate(rows) for w, x in zip(row, places, strict=True) if w]
    lines = extract([page]).text.splitlines()
    assert [lines[0], *lines[2:]] == [
        "| Revenues | $ 6,779 | $ 5,504 |",
        "| Cost | 4,591 | (3,752) |",
        "| Net | $ 122 | $ 266 |",
    ]


def test_the_hanging_lines_of_an_item_are_one_paragraph_and_the_next_item_another(typeset):
    extract, text, _, _, _ = typeset
    page = [
        text(72, 100, 10, "(1) " + SENTENCE[:33]),
        text(92, 117, 10, "次の行が続く。"),
        text(72, 134, 10, "(2) 次の項目。"),
    ]
    assert extract([page]).text.split("\n\n") == [f"(1) {SENTENCE[:33]}次の行が続く。", "(2) 次の項目。"]


def test_page_numbers_that_count_on_go_wherever_the_pages_end(typeset):
    extract, text, _, _, lines = typeset
    pages = []
    for number, word in enumerate("一二三四五", 1):
        body = lines([f"{word}頁目の文章である。"] * (3 + number), pitch=30)
        pages.append([*body, text(290, 160 + 30 * (3 + number), 10, str(number + 17))])
    assert not any(character.isdigit() for character in extract(pages).text)


def test_an_inset_block_has_an_edge_of_its_own(typeset):
    extract, _, _, _, lines = typeset
    inset = [
        "概要の文章は本文より狭く組まれている部分",
        "でありこの行もまた同じところで折り返され",
        "て三行目に続いてから本文へと移るのである",
    ]
    result = extract([[*lines(inset, 110, 100), *lines([SENTENCE + "本文"] * 4, 72, 190)]]).text
    assert result.split("\n\n")[0] == "".join(inset)


def test_a_sidebar_does_not_break_the_text_beside_it(typeset):
    extract, text, _, _, lines = typeset
    body = [SENTENCE[n : n + 26] for n in range(8)]
    side = [text(380, 110 + 30 * n, 8, word) for n, word in enumerate(("用語", "減損", "簿価"))]
    result = extract([[*lines(body, 72, 100), *side]]).text
    assert "".join(body) in result


def test_a_currency_sign_that_touches_the_column_before_stands_with_its_figure(typeset):
    extract, text, _, _, _ = typeset
    rows = [("", "2023", "", "2022", ""), ("Net sales", "$ 3,226", "100.0% $", "2,729", "100.0%")]
    rows += [("Cost of sales", "2,014", "62.4%", "1,702", "62.4%"), ("Net income", "$ 340", "10.6% $", "289", "10.6%")]
    places = (72, 250, 320, 368, 430)
    page = [text(x, 100 + 18 * n, 10, w) for n, row in enumerate(rows) for w, x in zip(row, places, strict=True) if w]
    lines = extract([page]).text.splitlines()
    assert lines[2:] == [
        "| Net sales | $ 3,226 | 100.0% | $ 2,729 | 100.0% |",
        "| Cost of sales | 2,014 | 62.4% | 1,702 | 62.4% |",
        "| Net income | $ 340 | 10.6% | $ 289 | 10.6% |",
    ]


def test_every_entry_of_a_table_of_contents_is_a_line_and_none_a_heading(typeset):
    extract, _, _, _, lines = typeset
    entries = ["第一章　総則" + "・" * 24 + "12", "第二章　採用及び異動" + "・" * 20 + "34", "附則" + "・" * 27 + "xii"]
    page = [*lines(entries, size=14, pitch=20), *lines([SENTENCE] * 4, y=200)]
    found = extract([page]).text.split("\n\n")[:3]
    assert found == ["第一章　総則 … 12", "第二章　採用及び異動 … 34", "附則 … xii"]


def test_a_foot_that_ends_in_a_roman_number_repeats(typeset):
    extract, text, _, _, lines = typeset
    words = [SENTENCE[n % 34 : -1] + SENTENCE[: n % 34] + "、" for n in range(60)]
    pages = [
        [*lines(words[20 * n : 20 * n + 20]), text(72, 810, 8, f"Annual report and accounts {number}")]
        for n, number in enumerate(("iii", "iv", "v"))
    ]
    assert "Annual" not in extract(pages).text


def test_the_text_of_a_single_page_stays_whole_however_near_the_edge_it_starts(typeset):
    extract, text, _, _, lines = typeset
    words = [SENTENCE[n:-1] + SENTENCE[:n] + "、" for n in range(12)]
    head, foot = text(72, 10, 8, "ある会社の報告書"), text(290, 815, 8, "7")
    assert extract([[head, *lines(words, y=34), foot]]).text == "".join(words)


def test_what_is_printed_over_itself_is_read_once(typeset):
    extract, text, _, _, lines = typeset
    page = [text(72, 60, 14, "証券コード：1301"), text(72.4, 60.2, 14, "証券コード："), text(156.3, 60, 14, "1301")]
    page += [text(72, 90, 10, "強調した文"), text(72.3, 90, 10, "強調した文"), *lines([SENTENCE] * 3, y=120)]
    assert extract([page]).text.split("\n\n")[:2] == ["# 証券コード：1301", "強調した文"]


def test_a_table_ruled_across_only_has_columns_though_its_figures_stand_close(typeset):
    extract, text, _, line, _ = typeset
    rows = [("科目", "前期", "当期"), ("売上高", "7,059,985", "7,733,371"), ("利益", "(1,715,037)", "1,202,317")]
    rows += [(f"科目{n}", "1,234,567", "(7,654,321)") for n in range(3)]
    rules = [line(72, 100 + 20 * n, 310, 100 + 20 * n) for n in range(7)]
    page = [
        text(x, 104 + 20 * n, 10, w) for n, row in enumerate(rows) for w, x in zip(row, (75, 180, 250), strict=True)
    ]
    found = [tuple(r[2:-2].split(" | ")) for r in extract([rules + page]).text.splitlines() if "---" not in r]
    assert found == rows


def test_a_last_column_of_one_line_is_read_after_the_first(typeset):
    extract, _, _, _, lines = typeset
    left = [SENTENCE[n : n + 20] for n in range(14)]
    result = extract([[*lines(left, 50), *lines(["右段の末尾である。"], 310)]]).text
    assert result.endswith("右段の末尾である。")


def test_a_rare_ideograph_of_two_utf_16_units_is_one_character(typeset):
    extract, text, _, _, _ = typeset
    assert "\ufffd" not in extract([[text(72, 100, 10, "𠮷野家の社長である。")]]).text


def test_equations_with_numbers_are_no_table(typeset):
    extract, text, _, _, _ = typeset
    page = [
        text(150, 100, 10, "Y = AK"),
        text(450, 100, 10, "(1)"),
        text(150, 140, 10, "S = I"),
        text(450, 140, 10, "(2)"),
    ]
    assert "|" not in extract([page]).text


def test_a_short_paragraph_at_the_edge_of_a_page_apart_from_the_rest_is_no_head(typeset):
    extract, text, _, _, lines = typeset
    first, last = "前頁の説明は以上です。", "次の頁に続きます。"
    words = [SENTENCE[n:-1] + SENTENCE[:n] + "、" for n in range(12)]
    page = [text(72, 20, 10, first), *lines(words, y=90), text(72, 812, 10, last)]
    assert extract([page]).text.split("\n\n") == [first, "".join(words), last]


def test_a_leader_leads_to_its_page_however_far_and_the_pages_are_no_column(typeset):
    extract, text, _, _, _ = typeset
    entries = [("第一部　企業情報", "1"), ("第１　企業の概況", "2"), ("１　主要な経営指標等の推移", "12")]
    entries += [("２　事業等のリスク", "118"), ("第２　事業の状況", "120"), ("３　沿革", "121"), ("附則", "122")]
    page = []
    for n, (entry, number) in enumerate(entries):
        dots = range(80 + 10 * len(entry), 490, 5)
        page += [text(72, 100 + 18 * n, 10, entry), *(text(x, 100 + 18 * n, 10, ".") for x in dots)]
        page.append(text(522 - 5.56 * len(number), 100 + 18 * n, 10, number))
    assert extract([page]).text.split("\n\n") == [f"{entry} … {number}" for entry, number in entries]


def test_the_page_number_of_a_vertical_page_is_in_none_of_its_lines(typeset):
    extract, text, down, _, _ = typeset
    words = [SENTENCE[n:20] + SENTENCE[:n] for n in range(12)]
    page = [down(500 - 17 * n, 60, 10, w) for n, w in enumerate(words)] + [down(296, 60, 10, "終わり。")]
    found = extract([[*page, text(283, 700, 9, "42")]]).text.split("\n\n")
    assert found[0] == "".join(words) + "終わり。"


@pytest.mark.parametrize("figures", [0, 11])
def test_the_lines_of_a_label_that_stand_closer_than_rows_are_one_row(typeset, figures):
    extract, text, _, _, _ = typeset
    rows = [
        ("売上高", "1,234", "1,300"),
        ("持分法による投資", "56", "△78"),
        ("税引前利益", "9", "10"),
        ("計", "5", "6"),
    ]
    page, y = [], 100
    for row in rows:
        wraps = row is rows[1]
        page += [text(x, y + figures * wraps, 10, word) for x, word in zip((200, 300), row[1:], strict=True)]
        page.append(text(72, y, 10, row[0]))
        page += [text(82, y + 11, 10, "損益")] if wraps else []
        y += 27 if wraps else 16
    expected = [row if row is not rows[1] else (row[0] + "損益", *row[1:]) for row in rows]
    lines = [tuple(r[2:-2].split(" | ")) for r in extract([page]).text.splitlines() if "---" not in r]
    assert lines == expected


def test_a_label_that_breaks_off_within_a_sentence_goes_on_in_the_next_line(typeset):
    extract, text, _, _, _ = typeset
    labels = ["Streaming revenues", "Average monthly revenue per paying", "membership", "Memberships at the end"]
    page = [text(72, 100 + 14 * n, 10, label) for n, label in enumerate(labels)]
    for n in (0, 2, 3):
        page += [text(x, 100 + 14 * n, 10, f"{n},{x}") for x in (300, 400, 500)]
    lines = [r[2:-2].split(" | ")[0] for r in extract([page]).text.splitlines() if "---" not in r]
    assert lines == [labels[0], f"{labels[1]} {labels[2]}", labels[3]]


def test_rows_of_words_that_stand_close_are_no_heading(typeset):
    extract, text, _, _, _ = typeset
    rows = [("", "第161期", "第162期"), ("", "自１月１日", "自１月１日"), ("販売促進費", "1,041百万円", "1,603百万円")]
    rows += [("広告宣伝費", "2,260百万円", "1,617百万円"), ("減価償却費", "2,271百万円", "5,047百万円")]
    page = [
        text(x, 100 + 12 * n, 10, word)
        for n, row in enumerate(rows)
        for x, word in zip((72, 200, 320), row, strict=True)
        if word
    ]
    found = [tuple(r[2:-2].split(" | ")) for r in extract([page]).text.splitlines() if "---" not in r]
    assert found == [("", "第161期自１月１日", "第162期自１月１日"), *rows[2:]]
