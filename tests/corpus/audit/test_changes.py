"""What changed between two texts: nothing is lost, and what acts is made visible."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from corpus.audit.changes import changes, excerpt
from corpus.audit.visible import visible

TEXT = st.text("財務諸表は企業の。\n状態12,3abc カタ", max_size=60)


@given(TEXT, TEXT)
def test_both_texts_can_be_read_back_from_the_changes(before: str, after: str) -> None:
    found = changes(before, after)
    assert "".join(text for sign, text in found if sign != "+") == before
    assert "".join(text for sign, text in found if sign != "-") == after
    assert all(text for _, text in found)
    assert all(one[0] != other[0] for one, other in itertools.pairwise(found))


def test_figures_change_as_a_whole() -> None:
    found = changes("売上高は1,234百万円です。", "売上高は1,534百万円です。")
    assert ("-", "1,234") in found
    assert ("+", "1,534") in found


@given(TEXT, TEXT, st.integers(1, 40))
def test_an_excerpt_keeps_to_its_length(before: str, after: str, most: int) -> None:
    assert sum(len(text) for _, text in excerpt(changes(before, after), most)) <= most + 1


def test_an_excerpt_shows_the_change_and_not_what_is_far_from_it() -> None:
    found = excerpt(changes("あ" * 500 + "旧" + "い" * 500, "あ" * 500 + "新" + "い" * 500), 200)
    assert ("-", "旧") in found or any("旧" in text for sign, text in found if sign == "-")
    assert sum(len(text) for _, text in found) < 200


@given(st.text())
def test_nothing_that_acts_or_hides_is_left(text: str) -> None:
    shown = visible(text)
    assert not any(ord(char) < 32 and char not in "\t\n" for char in shown)
    assert not set(shown) & set(
        "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\x7f\x9b"
    )
    assert not any(0xD800 <= ord(char) < 0xE000 for char in shown)


def test_marks_of_direction_are_written_out() -> None:
    assert visible("a\u202eb\x1b[31m\nc") == "a⟨U+202E⟩b⟨U+001B⟩[31m\nc"
