"""Text comes out of bytes whatever wrote them, and whatever they say of themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.encoding import decode, known

CODECS = ("cp932", "euc_jis_2004", "utf-8", "utf-8-sig", "iso2022_jp_2004", "utf-16", "utf-16-le", "utf-16-be")
DECLARED = (None, "utf-8", "EUC-JP", "Shift_JIS", "iso-8859-1", "no-such-thing", "\0")
SENTENCE = "当社グループの売上高は、前年同期に比べて12.5％増加しました。"


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize("codec", CODECS)
def test_bytes_win_over_what_is_declared(codec, declared):
    decoded = decode(SENTENCE.encode(codec), declared)
    assert (decoded.text, decoded.undecodable) == (SENTENCE, 0)


def test_what_strict_shift_jis_cannot_read():
    text = "①②㈱髙島屋㍻～" + SENTENCE
    assert decode(text.encode("cp932"), "shift_jis").text == text


@pytest.mark.parametrize("codec", CODECS)
def test_real_texts_survive_every_encoding_and_a_wrong_label(shared_data, codec):
    files = sorted(shared_data.glob("aozora/*.txt"))[::12] + sorted(shared_data.glob("law/2013_text/*"))[::6]
    assert len(files) > 10
    for path in files:
        text = decode(path.read_bytes()).text
        for piece in (text, text[len(text) // 3 :][:100]):
            try:
                data = piece.encode(codec)
            except UnicodeEncodeError:
                continue
            if data.decode(codec) == piece:  # CP932 has two codes for some characters
                assert decode(data, "euc-jp" if codec == "cp932" else "shift_jis").text == piece


def test_broken_bytes_are_counted_and_cost_only_themselves():
    for codec in ("cp932", "utf-8"):
        data = (SENTENCE * 30).encode(codec)
        cut = len(SENTENCE.encode(codec))
        decoded = decode(data[:cut] + b"\xff\xfd" + data[cut:], "euc-jp")
        assert (decoded.encoding, decoded.undecodable) == (codec, 2)
        assert decoded.text.replace("\ufffd", "") == SENTENCE * 30


def test_a_replacement_character_of_the_source_is_not_counted():
    assert decode("文字化け\ufffd".encode()).undecodable == 0


def test_western_text_is_not_taken_for_japanese():
    assert decode("Übergrößenträger, café".encode("cp1252"), "iso-8859-1").text == "Übergrößenträger, café"


@pytest.mark.parametrize("label", ["rot13", "hex", "idna", "unicode_escape", "../x", "", "\0"])
def test_labels_that_name_no_charset_are_nothing(label):
    assert known(label) is None


@given(st.binary(max_size=300), st.sampled_from(DECLARED))
def test_no_bytes_are_fatal(data, declared):
    decoded = decode(data, declared)
    assert decoded.undecodable <= max(1, decoded.text.count("\ufffd"))
