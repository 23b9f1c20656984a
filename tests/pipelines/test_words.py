"""One MeCab pass: offsets into the text itself, nothing lost, the same words with and without the cache."""

from __future__ import annotations

import re
from pathlib import Path

import fugashi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import words
from pipelines.words import Analyzer, Pos
from registry.errors import UsageError


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer()


def test_words_classes_and_unknown_words(analyzer: Analyzer):
    found = analyzer.analyze("金融庁は、ゔぐぬ\n美しく 12 回Xした。")
    assert found.surfaces() == ["金融", "庁", "は", "、", "ゔぐぬ", "美しく", "12", "回", "X", "し", "た", "。"]
    classes = [Pos(value).name for value in found.pos]
    assert classes[:4] == ["NOUN", "AFFIX", "PARTICLE", "PUNCTUATION"]
    assert classes[5:7] == ["ADJECTIVE", "NUMBER"]
    assert classes[9:] == ["VERB", "AUXILIARY", "PUNCTUATION"]
    assert [word for word, unknown in zip(found.surfaces(), found.unknown, strict=True) if unknown] == [
        "ゔぐぬ",
        "12",
        "X",
    ]
    assert (found.start.dtype, found.end.dtype, found.pos.dtype, found.unknown.dtype) == (
        np.int32,
        np.int32,
        np.uint8,
        bool,
    )


@pytest.mark.parametrize("text", ["", "\n", "　 \t\n\n", "\0"])
def test_nothing_to_find_is_no_words(analyzer: Analyzer, text: str):
    assert len(analyzer.analyze(text)) == 0


def test_text_behind_a_nul_or_a_surrogate_is_not_lost(analyzer: Analyzer):
    assert analyzer.analyze("金融\0庁は\ud800発表").surfaces() == ["金融", "庁", "は", "\ud800", "発表"]


@given(st.text(st.characters() | st.sampled_from(list("金融が。\n\0　🈂\ud800")), max_size=80))
@settings(max_examples=300, deadline=None)
def test_words_are_the_text_without_its_white_space(text: str):
    found = Analyzer().analyze(text)
    assert (found.start[1:] >= found.end[:-1]).all()
    assert (found.start < found.end).all()
    blank = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff]")
    assert blank.sub("", "".join(found.surfaces())) == blank.sub("", text)


def test_the_words_of_each_line_are_those_that_fugashi_gives(analyzer: Analyzer, shared_data: Path):
    tagger = fugashi.Tagger()
    text = sorted(shared_data.glob("law/2013_text/*.txt"))[0].read_text(encoding="utf-8").replace("　", " ")
    expected = [
        (node.surface, bool(node.is_unk), node.feature.pos1 == "助詞")
        for line in text.split("\n")
        for node in tagger.parseToNodeList(line)
    ]
    found = analyzer.analyze(text)
    particles = (found.pos == Pos.PARTICLE).tolist()
    assert list(zip(found.surfaces(), found.unknown.tolist(), particles, strict=True)) == expected


def test_a_line_that_comes_again_gives_the_same_words_while_the_cache_is_full(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(words, "CACHE_CHARACTERS", 30)
    analyzer = Analyzer()
    lines = [f"第{number}条の規定により提出する。" for number in range(8)] * 2
    together = analyzer.analyze("\n".join(lines)).surfaces()
    assert together == [word for line in lines for word in Analyzer().analyze(line).surfaces()]
    assert sum(map(len, analyzer._seen)) <= 30


def test_long_lines_are_cut_after_a_full_stop_and_nowhere_else(analyzer: Analyzer):
    sentence = "当社は、有価証券報告書を提出する。"
    found = analyzer.analyze(sentence * 1000)
    assert found.surfaces() == analyzer.analyze(sentence).surfaces() * 1000
    assert found.end[-1] == len(sentence) * 1000


def test_a_line_without_full_stops_is_cut_at_the_cap(analyzer: Analyzer):
    text = "株式" * words.LONGEST_PIECE
    assert "".join(analyzer.analyze(text).surfaces()) == text


PIECES = ["金融庁は", "。", "12,345", "ゔぐぬ", " ", "\n", "\u3000", "\0", "𠮟る", "当社株式" * 400, ""]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=6))
@settings(max_examples=60, deadline=None)
def test_many_texts_have_the_words_that_each_has_alone(texts: list[str]):
    together = Analyzer().analyze_all(texts)
    for text, found in zip(texts, together, strict=True):
        alone = Analyzer().analyze(text)
        assert found.text == text
        for name in ("codes", "start", "end", "pos", "unknown", "cost"):
            assert np.array_equal(getattr(found, name), getattr(alone, name))


def test_the_words_of_a_line_do_not_hang_on_the_lines_beside_it(analyzer: Analyzer):
    line = "「提出する。」と述べた。（注）"
    alone = analyzer.analyze(line).surfaces()
    assert analyzer.analyze("株式" * words.LONGEST_PIECE + "\n" + line).surfaces()[-len(alone) :] == alone


def test_a_user_dictionary_adds_words(tmp_path: Path):
    import unidic_lite

    entry = "ゔぐぬ,5146,5146,-20000,名詞,普通名詞,一般,*,*,*,ゔぐぬ,ゔぐぬ,ゔぐぬ,ゔぐぬ,ゔぐぬ,ゔぐぬ,和,*,*,*,*\n"
    source = tmp_path / "words.csv"
    source.write_text(entry, encoding="utf-8")
    fugashi.build_dictionary(f"compiler -d {unidic_lite.DICDIR} -u {tmp_path / 'words.dic'} -f utf8 -t utf8 {source}")
    compiled = (tmp_path / "words.dic").rename(tmp_path / "words of finance.dic")
    found = Analyzer(compiled).analyze("これはゔぐぬだ")
    assert "ゔぐぬ" in found.surfaces()
    assert not found.unknown.any()


def test_a_user_dictionary_that_is_none_is_said_so(tmp_path: Path):
    with pytest.raises(UsageError, match="there is no user dictionary"):
        Analyzer(tmp_path / "missing.dic")
    broken = tmp_path / "broken.dic"
    broken.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="is not a MeCab user dictionary"):
        Analyzer(broken)
