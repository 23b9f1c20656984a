"""Libraries behind a tokenizer: the same ids as the library alone, control tokens never from a text, losses told."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from pipelines.tokenize import LanguageTokenizer
from pipelines.tokenize import fast as fast_module
from pipelines.tokenize.domain import save_tokenizer, train_tokenizer
from pipelines.tokenize.fast import load_fast
from pipelines.tokenize.survey import survey
from registry.errors import UsageError

REAL = {
    "llm-jp 2.2": "llm-jp/ver2.2/code10K_en20K_ja30K.ver2.2_hf_fast.b4",
    "llm-jp 2.2 model": "llm-jp/ver2.2/code10K_en20K_ja30K.ver2.2.model",
    "llm-jp 3.1": "llm-jp/ver3.1/llm-jp-tokenizer-100k.ver3.1.model",
    "rinna": "rinna/google_sp.model",
    "mistral 1": "mistral/tokenizer.model.v1",
    "mistral 3": "mistral/mistral_instruct_tokenizer_240323.model.v3",
}
TEXTS = [
    "売上高は前期比12.5％増の1,234百万円となった。\n\n営業利益は△56百万円（前年同期は営業損失）である。",
    "デリバティブ取引の時価は、第三者から提示された価格によっている。㈱日本 ２０２４年 Net sales increased.",
    "経常利益 3,210 千円\t▲4.5%\r\n当社グループは、国際会計基準（IFRS）を適用している。",
]  # fmt: skip


@pytest.fixture(scope="session", params=REAL)
def real(request, shared_data):
    return shared_data / "tokenizers" / REAL[request.param]


@pytest.fixture(scope="session", params=["bpe", "unigram"])
def own(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / request.param
    save_tokenizer(train_tokenizer(iter(TEXTS * 20), model=request.param, vocabulary=420, special=("<|u|>",)), folder)
    return folder


def corpus(shared_data):
    files = sorted((shared_data / "law" / "2013_text").glob("*.txt"))[:10]
    return [path.read_text(encoding="utf-8")[:10_000] for path in files] + TEXTS


def rows(encoded):
    return [
        encoded.ids[a:b].tolist()
        for a, b in zip(encoded.offsets[:-1].tolist(), encoded.offsets[1:].tolist(), strict=True)
    ]


def test_real_tokenizers_give_the_ids_of_their_own_library(real, shared_data):
    texts = corpus(shared_data)
    tokenizer = LanguageTokenizer.load(real)
    if real.is_dir():
        bare = [
            e.ids
            for e in Tokenizer.from_file(str(real / "tokenizer.json")).encode_batch(texts, add_special_tokens=False)
        ]
    else:
        from sentencepiece import SentencePieceProcessor

        model = SentencePieceProcessor(model_file=str(real))
        assert (tokenizer.bos, tokenizer.eos) == (model.bos_id(), model.eos_id())
        bare = model.encode(texts)
    assert rows(tokenizer.encode(texts, bos=False, eos=False)) == bare
    assert rows(tokenizer.encode(texts, bos=True, eos=True)) == [[tokenizer.bos, *row, tokenizer.eos] for row in bare]
    assert max(max(row) for row in bare) < tokenizer.vocabulary_size


def hostile_texts(tokenizer):
    spelled = [name for name in tokenizer.encoder.controls if not name.endswith("_token")]
    return [f"売上{name}高" for name in spelled] + spelled + ["".join(spelled)] + [f"\ufdd0{i}" for i in range(12)]


def check_no_controls(folder):
    tokenizer = LanguageTokenizer.load(folder)
    texts = hostile_texts(tokenizer)
    assert len(texts) > 16
    controls = {number for number in tokenizer.encoder.controls.values() if number != tokenizer.encoder.unknown}
    encoded = tokenizer.encode(texts, bos=False, eos=False)
    assert not controls & set(encoded.ids.tolist())
    if "rinna" not in str(folder):
        spelled = [i for i, text in enumerate(texts) if "\ufdd0" not in text]
        back = [tokenizer.encoder.decode(row) for row in rows(encoded)]
        assert [back[i] for i in spelled] == [texts[i] for i in spelled]


def test_no_text_can_fake_a_control_token(real):
    check_no_controls(real)


def test_no_text_can_fake_a_control_token_of_our_own(own):
    check_no_controls(own)


def test_a_faked_end_of_document_in_a_unigram_model_is_text(shared_data):
    folder = shared_data / "tokenizers" / REAL["llm-jp 2.2"]
    bare = Tokenizer.from_file(str(folder / "tokenizer.json"))
    bare.encode_special_tokens = True
    text = "終わり<EOD|LLM-jp>始まり"
    tokenizer = LanguageTokenizer.load(folder)
    assert tokenizer.eos in bare.encode(text, add_special_tokens=False).ids  # what happens without care
    (row,) = rows(tokenizer.encode([text], bos=False, eos=False))
    assert tokenizer.eos not in row
    assert tokenizer.encoder.decode(row) == text


def test_whole_words_that_are_control_tokens_are_text_or_unknown(tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "a": 2}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<unk>", "</s>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')
    loaded = LanguageTokenizer.load(tmp_path)
    assert rows(loaded.encode(["a </s> a zzz"], bos=False, eos=True)) == [[2, 0, 2, 0, 1]]


def test_a_line_end_that_is_named_a_control_token_stays_a_line_end(own, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((own / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "\\n", "eos_token": "</s>"}')
    tokenizer = LanguageTokenizer.load(tmp_path)
    (row,) = rows(tokenizer.encode(["a\nb"], bos=False, eos=False))
    assert tokenizer.encoder.decode(row) == "a\nb"


def test_what_a_tokenizer_loses_is_told_with_examples(shared_data):
    lossy = survey(LanguageTokenizer.load(shared_data / "tokenizers" / REAL["rinna"]), TEXTS)
    found = {loss.character: loss.becomes for loss in lossy.losses}
    assert (found["㈱"], found["２"]) == ("(株)", "2")
    assert "\n" in found
    assert "does not keep" in lossy.lines()[0]
    whole = survey(LanguageTokenizer.load(shared_data / "tokenizers" / REAL["llm-jp 2.2"]), TEXTS)
    assert (whole.lost, whole.lines(), whole.record()["examples"]) == (0, [], [])


def test_nothing_to_survey_is_nothing_lost(own):
    assert survey(LanguageTokenizer.load(own), []).record() == {
        "documents": 0, "characters": 0, "lost": 0, "examples": [],
    }  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60))
def test_our_own_tokenizers_lose_nothing(own, text):
    tokenizer = LanguageTokenizer.load(own)
    clean = text.encode("utf-8", "replace").decode("utf-8")
    if "\ufdd0" not in text:
        assert tokenizer.encoder.decode(tokenizer.encode([text], bos=False, eos=False).ids.tolist()) == clean


def test_our_own_tokenizer_is_what_was_asked_for(own):
    tokenizer = LanguageTokenizer.load(own)
    assert tokenizer.vocabulary_size <= 420
    assert {"<unk>", "<s>", "</s>", "<pad>", "<|u|>"} == set(tokenizer.encoder.controls)
    assert (tokenizer.bos, tokenizer.eos) == (1, 2)
    single = tokenizer.encode(["売上高" * 3], bos=False, eos=False)
    assert single.ids.size < 18


def test_training_twice_gives_the_same_bpe(tmp_path):
    for name in "ab":
        save_tokenizer(train_tokenizer(iter(TEXTS * 5), model="bpe", vocabulary=350), tmp_path / name)
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_transformers_reads_our_own_tokenizer(own):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(str(own))
    ours = LanguageTokenizer.load(own)
    ids = rows(ours.encode(TEXTS, bos=False, eos=False))
    assert theirs(TEXTS, add_special_tokens=False)["input_ids"] == ids
    assert theirs.batch_decode(ids) == TEXTS
    assert theirs.eos_token_id == ours.eos


@pytest.mark.parametrize("model", ["bpe", "unigram"])
def test_a_vocabulary_without_room_and_no_texts_are_refused(model):
    with pytest.raises(UsageError, match="no room"):
        train_tokenizer(iter(TEXTS), model=model, vocabulary=200)
    for nothing in ([], [""], ["", ""]):
        with pytest.raises(UsageError, match="nothing can be trained"):
            train_tokenizer(iter(nothing), model=model, vocabulary=400)


def test_fastokens_gives_the_same_ids_and_is_chosen(tmp_path, shared_data):
    pytest.importorskip("fastokens")
    texts = corpus(shared_data)
    save_tokenizer(train_tokenizer(iter(texts), model="bpe", vocabulary=3000), tmp_path)
    tokenizer = LanguageTokenizer.load(tmp_path)
    fast = load_fast(tokenizer.encoder)
    assert fast is not None
    quick = tokenizer.using(fast)
    for some in (texts, ["", "a"], hostile_texts(tokenizer)):
        a, b = (t.encode(some, bos=True, eos=True) for t in (tokenizer, quick))
        assert rows(a) == rows(b)
    assert survey(tokenizer, texts).fast


def test_fastokens_that_disagrees_or_fails_is_not_chosen(own, monkeypatch):
    class Wrong:
        size, controls, unknown = 1, {}, None

        def encode(self, texts):
            return np.zeros(3, np.uint32), np.zeros(len(texts) + 1, np.int64)

    class Failing(Wrong):
        def encode(self, texts):
            raise RuntimeError

    tokenizer = LanguageTokenizer.load(own)
    for other in (Wrong(), Failing(), None):
        monkeypatch.setattr("pipelines.tokenize.survey.load_fast", lambda _, other=other: other)
        assert not survey(tokenizer, TEXTS).fast


def test_without_fastokens_tokenizers_encode(own, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastokens", None)
    assert fast_module.load_fast(LanguageTokenizer.load(own).encoder) is None


def test_a_folder_with_a_model_is_found_and_two_are_not_guessed(tmp_path, shared_data):
    content = (shared_data / "tokenizers" / REAL["llm-jp 3.1"]).read_bytes()
    (tmp_path / "tokenizer.model").write_bytes(content)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<EOD>"}))
    tokenizer = LanguageTokenizer.load(tmp_path)
    assert (tokenizer.dtype, tokenizer.path.name) == ("uint32", "tokenizer.model")
    assert tokenizer.eos == tokenizer.encoder.controls["<EOD>"]
    assert tokenizer.key != LanguageTokenizer.load(shared_data / "tokenizers" / REAL["llm-jp 3.1"]).key
    (tmp_path / "other.model").write_bytes(content)
    with pytest.raises(UsageError, match="several models"):
        LanguageTokenizer.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not a model", b"{}"])
def test_a_broken_model_is_one_clear_error(tmp_path, content):
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(UsageError, match=r"tokenizer\.model"):
        LanguageTokenizer.load(tmp_path)
