"""Terms of a domain: runs of nouns, counted, ranked against general Japanese, and as a dictionary that MeCab takes."""

from __future__ import annotations

import pytest

from pipelines.vocabulary import _keyness, compile_dictionary, count_terms, dictionary_lines, domain_terms
from pipelines.words import Analyzer
from registry.errors import UsageError

TEXT = "当社は貸倒引当金を計上した。第12条の貸倒引当金は、有価証券報告書に記載する。"


@pytest.fixture(scope="module")
def terms():
    counted = count_terms([TEXT, TEXT, "貸倒引当金の人。"], Analyzer())
    return domain_terms(counted, lambda some: [len(term) for term in some])


def test_a_term_is_a_whole_run_of_nouns(terms):
    found = {term.text: term for term in terms}
    assert "貸倒引当金" in found
    assert "有価証券報告書" not in found  # twice is too few
    term = found["貸倒引当金"]
    assert (term.count, term.documents, term.tokens) == (5, 3, 5)
    assert terms[0] is term
    assert not any("第" in text for text in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("昭和二十五年政令第三百号", {"昭和", "政令"}),
        ("十月一日大蔵省令", {"大蔵省令"}),
        ("売上高は3億円増加、1株当たり純利益は10円減少", {"売上高", "増加", "純利益", "減少"}),
        ("12か月予想信用損失と年度予算と株当たり", {"予想信用損失", "年度予算"}),
        ("八十二銀行の期首残高", {"銀行", "期首残高"}),
    ],
)
def test_a_term_begins_behind_what_a_number_counts(text, expected):
    assert set(count_terms([text], Analyzer()).counts) == expected


def test_keyness_is_dunnings_and_zero_for_what_is_not_more_frequent():
    assert _keyness(10, 100, 100, 1000) == 0
    assert _keyness(20, 100, 100, 1000) == pytest.approx(2 * (20 * 0.6061358 + 100 * -0.0870114), rel=1e-4)


def test_the_dictionary_compiles_and_makes_one_word_of_a_term(terms, tmp_path):
    source, compiled = tmp_path / "terms.csv", tmp_path / "terms.dic"
    source.write_text("".join(f"{line}\n" for line in dictionary_lines(terms)), encoding="utf-8")
    compile_dictionary(source, compiled)
    assert "貸倒引当金" in Analyzer(compiled).analyze(TEXT).surfaces()


def test_a_dictionary_that_does_not_compile_is_told(tmp_path):
    with pytest.raises(UsageError, match="cannot be compiled"):
        compile_dictionary(tmp_path / "absent.csv", tmp_path / "terms.dic")
