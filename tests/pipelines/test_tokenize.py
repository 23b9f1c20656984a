"""Token ids: those of the tokenizer itself, flat, with exactly the control tokens that were asked for."""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from pipelines import tokenize as module
from pipelines.tokenize import LanguageTokenizer, is_validation
from registry.errors import UsageError

TEXTS = ["売上高は前期比で増加した。", "", "net sales 1,234\n\n損失", "ㄅ𠮷\U0010ffff㈱", "増" * 500]


def byte_level(size=300, **settings_):
    """A tokenizer of bytes and some merges, which pads, truncates and adds EOS by itself."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, "</s>": 1, **{letter: i + 2 for i, letter in enumerate(alphabet)}, "ne": 258, "net": 259}
    vocabulary |= {f"filler{i}": i for i in range(260, size)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[("n", "e"), ("ne", "t")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    if settings_.get("limits"):
        tokenizer.enable_truncation(4)
        tokenizer.enable_padding(length=64)
    return tokenizer


@pytest.fixture
def folder(tmp_path):
    byte_level(limits=True).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": {"content": "<s>"}, "eos_token": "</s>"}))
    return tmp_path


@pytest.fixture(scope="session")
def llm_jp(shared_data):
    return shared_data / "tokenizers" / "llm-jp" / "ver2.2" / "code10K_en20K_ja30K.ver2.2_hf_fast.b4"


def rows(encoded):
    assert encoded.ids.dtype == np.uint32
    assert encoded.offsets.dtype == np.int64
    return [row.tolist() for row in np.split(encoded.ids, encoded.offsets[1:-1])] if len(encoded.offsets) > 1 else []


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("eos", [False, True])
def test_ids_are_those_of_the_tokenizer_between_the_control_tokens(folder, bos, eos):
    encoded = LanguageTokenizer.load(folder).encode(TEXTS, bos=bos, eos=eos)
    bare = byte_level()
    expected = [[0] * bos + bare.encode(text, add_special_tokens=False).ids + [1] * eos for text in TEXTS]
    assert rows(encoded) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=8), st.integers(1, 60))
def test_what_is_encoded_together_does_not_matter(tmp_path_factory, texts, at_once):
    path = tmp_path_factory.getbasetemp() / "tokenizer.json"
    if not path.exists():
        byte_level().save(str(path))
    tokenizer = LanguageTokenizer.load(path)
    alone = [row for text in texts for row in rows(tokenizer.encode([text], bos=False, eos=False))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHARACTERS_AT_ONCE", at_once)
        assert rows(tokenizer.encode(texts, bos=False, eos=False)) == alone
    decoder = Tokenizer.from_file(str(path))
    assert [decoder.decode(row, skip_special_tokens=False) for row in alone] == texts


def test_a_real_tokenizer_gives_its_own_ids(llm_jp, shared_data):
    tokenizer = LanguageTokenizer.load(llm_jp)
    bare = Tokenizer.from_file(str(llm_jp / "tokenizer.json"))
    files = sorted((shared_data / "law" / "2013_text").glob("*.txt"))[:8]
    texts = [path.read_text(encoding="utf-8")[:20_000] for path in files]
    eos = bare.token_to_id("<EOD|LLM-jp>")
    encoded = tokenizer.encode(texts, bos=False, eos=True)
    assert rows(encoded) == [[*encoding.ids, eos] for encoding in bare.encode_batch(texts, add_special_tokens=False)]
    assert (tokenizer.dtype, tokenizer.vocabulary_size) == ("uint16", 48586)
    assert tokenizer.digest == hashlib.sha256((llm_jp / "tokenizer.json").read_bytes()).hexdigest()
    assert (tokenizer.eos, tokenizer.bos) == (eos, bare.token_to_id("<s|LLM-jp>"))


def test_control_tokens_written_in_a_text_are_text(folder):
    (row,) = rows(LanguageTokenizer.load(folder).encode(["a</s>b<s>"], bos=False, eos=False))
    assert not {0, 1} & set(row)
    assert byte_level().decode(row) == "a</s>b<s>"


def test_lone_surrogates_do_not_stop_the_others(folder):
    tokenizer = LanguageTokenizer.load(folder)
    assert rows(tokenizer.encode(["a\ud800b", "c"], bos=False, eos=False)) == rows(
        tokenizer.encode(["a?b", "c"], bos=False, eos=False)
    )


def test_no_texts_give_no_tokens(folder):
    encoded = LanguageTokenizer.load(folder).encode([], bos=True, eos=True)
    assert encoded.ids.size == 0
    assert encoded.offsets.tolist() == [0]


@pytest.mark.parametrize(("size", "dtype"), [(65_536, "uint16"), (65_537, "uint32")])
def test_the_type_holds_the_largest_id(tmp_path, size, dtype):
    byte_level(size).save(str(tmp_path / "tokenizer.json"))
    tokenizer = LanguageTokenizer.load(tmp_path)
    assert (tokenizer.vocabulary_size, tokenizer.dtype) == (size, dtype)


def test_an_eos_that_the_tokenizer_has_not_is_refused_only_when_asked_for(tmp_path):
    byte_level().save(str(tmp_path / "tokenizer.json"))
    tokenizer = LanguageTokenizer.load(tmp_path / "tokenizer.json")
    assert tokenizer.encode(["a"], bos=False, eos=False).ids.size == 1
    with pytest.raises(UsageError, match=r"EOS.*tokenizer_config\.json"):
        tokenizer.encode(["a"], bos=False, eos=True)
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<gone>"}')
    with pytest.raises(UsageError, match="EOS"):
        LanguageTokenizer.load(tmp_path).encode(["a"], bos=False, eos=True)


def test_the_map_of_special_tokens_stands_in_for_the_settings(tmp_path):
    byte_level().save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "special_tokens_map.json").write_text('{"eos_token": "</s>", "additional_special_tokens": ["<s>"]}')
    tokenizer = LanguageTokenizer.load(tmp_path)
    assert (tokenizer.bos, tokenizer.eos) == (None, 1)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[1, 2]", b'{"version": "1.0", "model": null}'])
def test_a_broken_tokenizer_is_one_clear_error(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"tokenizer\.json"):
        LanguageTokenizer.load(tmp_path)


def test_a_missing_tokenizer_is_one_clear_error(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "nowhere" / "tokenizer.json"):
        with pytest.raises(UsageError, match="there is no tokenizer"):
            LanguageTokenizer.load(path)


def test_broken_settings_are_one_clear_error(folder):
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(UsageError, match="tokenizer_config"):
        LanguageTokenizer.load(folder)


def test_a_very_long_document_is_whole(llm_jp):
    words = random.Random(0).choices(["売上高は", "増加した。", "net sales ", "1,234百万円\n"], k=120_000)
    text = "".join(words)
    tokenizer = LanguageTokenizer.load(llm_jp)
    encoded = tokenizer.encode([text], bos=False, eos=True)
    assert encoded.ids[-1] == tokenizer.eos
    assert Tokenizer.from_file(str(llm_jp / "tokenizer.json")).decode(encoded.ids[:-1].tolist()) == text


def test_the_split_is_by_id_alone_and_about_the_fraction():
    ids = [f"{i:032x}" for i in range(20_000)]
    held = [name for name in ids if is_validation(name, 0.05)]
    assert 0.045 < len(held) / len(ids) < 0.055
    assert [name for name in reversed(ids) if is_validation(name, 0.05)] == held[::-1]
    assert set(held) <= {name for name in ids if is_validation(name, 0.1)}
    assert not any(is_validation(name, 0.0) for name in ids)
    assert all(is_validation(name, 1.0) for name in ids)
    assert held[:3] == [f"{i:032x}" for i in (6, 36, 52)]  # and so it stays
