"""Profiles: layers, order, verdicts, and what a mistake in one is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.quality import Text, load_profile
from pipelines.quality.measuring import measure_all
from pipelines.quality.profiles import BUILT_IN
from pipelines.quality.texts import Texts
from pipelines.words import Analyzer
from registry.errors import InputError, RecipeError, RecordError, UnknownNameError
from registry.ledger import Verdict
from registry.names import rule

if TYPE_CHECKING:
    from pathlib import Path

KINDS = sorted(file.stem for file in BUILT_IN.glob("*.yaml"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_built_in_profile_gives_a_reason_for_every_limit(kind: str):
    profile = load_profile(kind)
    assert all(limit.because for limit in profile.limits)
    assert profile.limits[0].rule == "characters"


def test_the_built_in_kinds():
    assert KINDS == ["filing", "law", "literature", "news", "record", "textbook"]


def test_later_layers_replace_whole_entries(tmp_path: Path):
    (tmp_path / "news.yaml").write_text(
        "characters: {at_least: 7}\nmojibake: null\nlist_lines: {at_most: 0.9}", encoding="utf-8"
    )
    profile = load_profile("news", [tmp_path], {"list_lines": {"at_most": 0.8}, "unreadable": None})
    limits = {limit.rule: limit for limit in profile.limits}
    assert (limits["characters"].at_least, limits["characters"].because) == (7, "")
    assert limits["list_lines"].at_most == 0.8
    assert not {"mojibake", "unreadable"} & set(limits)
    assert profile.limits[0].rule == "characters"
    assert profile.limits[-1].rule == "list_lines"


def test_a_domain_may_bring_a_kind_of_its_own(tmp_path: Path):
    (tmp_path / "minutes.yaml").write_text("characters: {at_least: 10}", encoding="utf-8")
    assert [limit.rule for limit in load_profile("minutes", [tmp_path]).limits] == ["characters"]


def test_the_first_broken_limit_is_the_verdict():
    profile = load_profile("record", [], {"characters": {"at_least": 5, "at_most": 9}})
    kept = {limit.rule: max(limit.at_least, 0.0) for limit in profile.limits}
    assert profile.judge(kept) is None
    assert profile.judge({**kept, "characters": 4.0}) == Verdict("refine", "characters", 4.0, 5.0)
    assert profile.judge({**kept, "characters": 10.0, "mojibake": 1.0}) == Verdict("refine", "characters", 10.0, 9.0)
    assert profile.judge({**kept, "characters": 5.0}) is None
    with pytest.raises(RecordError, match="characters"):
        profile.judge({})


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"hiragana_ration": {"at_least": 1}}, "no rule 'hiragana_ration'; did you mean hiragana_ratio"),
        ({"characters": {"at_last": 1}}, "characters: there is no key 'at_last'; did you mean at_least"),
        ({"characters": {"at_least": "many"}}, "characters: at_least: expected a number, not 'many'"),
        ({"characters": {"at_least": True}}, "expected a number, not True"),
        ({"characters": {"at_least": float("nan")}}, "expected a number"),
        ({"characters": {"at_least": 5, "at_most": 1}}, "at_least not above at_most"),
        ({"characters": {"because": "why"}}, "needs at_least or at_most"),
        ({"characters": 5}, "expected at_least, at_most or null, not 5"),
        ({"short_lines": {"at_most": 1, "shorter_than": "ten"}}, "shorter_than"),
        (["characters"], "a mapping from rules"),
    ],
)
def test_a_mistake_names_place_key_and_the_nearest_word(entries: Any, message: str):
    with pytest.raises(RecipeError, match=r"refine\.profiles\.news") as error:
        load_profile("news", [], entries)
    assert message in str(error.value)


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path):
    (tmp_path / "news.yaml").write_text("characters: {at_least: [}", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"news\.yaml"):
        load_profile("news", [tmp_path])


@pytest.mark.parametrize("kind", ["nwes", "../news", ""])
def test_an_unknown_kind_is_told_the_nearest(kind: str):
    with pytest.raises(UnknownNameError, match="news"):
        load_profile(kind)


def test_options_reach_the_rule_and_every_rule_is_measured():
    text = "短い行\nこれは十五文字ある少し長い行です"
    doc = Text.of(Analyzer().analyze(text))
    profile = load_profile("record", [], {"short_lines": {"at_most": 1, "shorter_than": 20}})
    measured = profile.measure(doc)
    assert measured["short_lines"] == 1.0
    assert set(measured) == set(rule)
    assert load_profile("record").measure(doc)["short_lines"] == 0.5


TEXTS = [
    "",
    "短い行\nこれは十五文字ある少し長い行です",
    "当社は、環境問題を課題と考えている。" * 20,
    "| 表 | 1 |\n" * 9 + "続きを読む",
]


@given(st.lists(st.sampled_from(TEXTS) | st.text(max_size=60), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_documents_measured_together_have_what_each_has_alone(texts: list[str]):
    given = {"short_lines": {"at_most": 1, "shorter_than": 20}, "distinct_words": {"at_least": 0, "within": 60}}
    plain, other = load_profile("record"), load_profile("record", [], given)
    profiles = [plain if place % 2 else other for place in range(len(texts))]
    words = Analyzer().analyze_all(texts)
    together = measure_all(Texts(words), profiles)
    assert together == [profile.measure(Text.of(some)) for profile, some in zip(profiles, words, strict=True)]


@pytest.mark.parametrize(
    ("function", "detail"), [(lambda _: 1 / 0, "ZeroDivisionError"), (lambda _: float("nan"), "nan")]
)
def test_a_rule_that_fails_is_an_input_error_without_text(function: Any, detail: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(rule._functions, "of_a_domain", function)
    with pytest.raises(InputError) as error:
        load_profile("record").measure(Text.of(Analyzer().analyze("秘密")))
    assert error.value.reason == "rule_failed"
    assert error.value.detail.startswith("of_a_domain: ")
    assert detail in error.value.detail


def test_a_rule_of_a_domain_reads_each_document_once_with_the_options_of_its_own_profile(
    monkeypatch: pytest.MonkeyPatch,
):
    read: list[tuple[str, int]] = []

    def over(doc: Text, *, number: int = 0) -> float:
        read.append((doc.text, number))
        return 1 / number

    monkeypatch.setitem(rule._functions, "over", over)
    plain, other = load_profile("record"), load_profile("record", [], {"over": {"at_most": 9, "number": 2}})
    failed, measured = measure_all(Texts(Analyzer().analyze_all(["一つ", "二つ"])), [plain, other])
    assert read == [("一つ", 0), ("二つ", 2)]
    assert isinstance(failed, InputError)
    assert not isinstance(measured, InputError)
    assert measured["over"] == 0.5
