"""Sketches: datasketch's signatures bit for bit, and one set of shingles for one text however it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import fugashi
import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from pipelines.dedup.kernel import kernel
from pipelines.dedup.minhash import Signer, sign
from registry.errors import UsageError

HOUSE = Path(__file__).resolve().parents[3]
TAGGER = fugashi.Tagger()
NOWHERE = np.empty(0, dtype=np.int32)

REPORT = (
    "当連結会計年度の売上高は1,234,567百万円（前年同期比12.5％増）となり、営業利益は△345百万円でした。"
    "デリバティブ取引により生じる正味の債権及び債務は純額で表示しております。"
    "なお、EBITDAは3.2億円であります。IFRS第9号に基づく減損損失は計上しておりません。"
)


def mecab(text: str) -> tuple[str, np.ndarray, np.ndarray]:
    """The text and the offsets of its words, line by line."""
    start, end, at = [], [], 0
    for line in text.splitlines(keepends=True):
        place = at
        for word in TAGGER(line):
            place = text.index(word.surface, place)
            start.append(place)
            place += len(word.surface)
            end.append(place)
        at += len(line)
    return text, np.array(start, dtype=np.int32), np.array(end, dtype=np.int32)


def same(a, b) -> bool:
    return np.array_equal(a.shingles, b.shingles) and np.array_equal(a.signature, b.signature)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 2**32 - 1), max_size=300),
    st.sampled_from([1, 7, 112, 120, 128]),
    st.integers(0, 2**32 - 1),
)
def test_signatures_are_those_of_datasketch(shingles, permutations, seed):
    oracle = MinHash(num_perm=permutations, seed=seed, scheme="affine32", hashfunc=int)
    for shingle in shingles:
        oracle.update(shingle)
    mine = sign(np.array(shingles, dtype=np.uint32), permutations=permutations, seed=seed)
    assert mine.dtype == oracle.hashvalues.dtype
    assert np.array_equal(mine, oracle.hashvalues)


def test_a_set_larger_than_the_cache_is_signed_like_datasketch_does():
    shingles = np.random.default_rng(3).integers(0, 2**32, 3 * 4096 + 5, dtype=np.uint32)
    oracle = MinHash(num_perm=120, scheme="affine32", hashfunc=int)
    oracle.update_batch(shingles.tolist())
    assert np.array_equal(sign(shingles), oracle.hashvalues)


@pytest.mark.parametrize("shingle", ["words", "chars"])
def test_datasketch_takes_a_sketch_over(shingle):
    sketch = Signer(shingle=shingle).sketch(*mecab(REPORT))
    oracle = MinHash(num_perm=120, scheme="affine32", hashfunc=int)
    oracle.update_batch(sketch.shingles.tolist())
    taken = MinHash(hashvalues=sketch.signature, permutations=oracle.permutations, scheme="affine32")
    assert taken.jaccard(oracle) == 1.0
    assert np.all(np.diff(sketch.shingles.astype(np.int64)) > 0)


def to_full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@pytest.mark.parametrize("shingle", ["words", "chars"])
@pytest.mark.parametrize("numbers", ["keep", "mask"])
def test_full_width_line_breaks_and_capitals_do_not_matter(shingle, numbers):
    signer = Signer(shingle=shingle, numbers=numbers)
    plain = signer.sketch(*mecab(REPORT))
    assert len(plain.shingles) > 30
    for variant in (
        to_full_width(REPORT),
        REPORT.replace("。", "。\n").replace("、", "、\r\n　"),
        REPORT.replace("EBITDA", "ebitda"),
        REPORT.replace("。", "。\u200b "),
    ):
        assert variant != REPORT
        assert same(plain, signer.sketch(*mecab(variant)))


def test_half_width_kana_and_ligatures_are_their_characters():
    signer = Signer(shingle="chars", n=3)
    a = signer.sketch("ガバナンスは㈱コーパスのﾊﾟｰﾄﾅｰ", NOWHERE, NOWHERE)
    b = signer.sketch("ｶﾞﾊﾞﾅﾝｽは(株)ｺｰﾊﾟｽの\nパートナー", NOWHERE, NOWHERE)
    assert same(a, b)
    decomposed = unicodedata.normalize("NFD", "ガバナンスは㈱コーパスのﾊﾟｰﾄﾅｰ")
    assert same(a, signer.sketch(decomposed, NOWHERE, NOWHERE))


def test_line_breaks_inside_words_do_not_matter_to_characters():
    broken = "\n".join(REPORT[i : i + 13] for i in range(0, len(REPORT), 13))
    signer = Signer(shingle="chars")
    assert same(signer.sketch(REPORT, NOWHERE, NOWHERE), signer.sketch(broken, NOWHERE, NOWHERE))


@pytest.mark.parametrize("shingle", ["words", "chars"])
def test_figures_count_unless_they_are_masked(shingle):
    other = REPORT.replace("1,234,567", "98,765").replace("12.5", "3").replace("345", "1,002")
    kept, masked = Signer(shingle=shingle), Signer(shingle=shingle, numbers="mask")
    assert not same(kept.sketch(*mecab(REPORT)), kept.sketch(*mecab(other)))
    assert same(masked.sketch(*mecab(REPORT)), masked.sketch(*mecab(other)))
    assert not same(masked.sketch(*mecab(REPORT)), masked.sketch(*mecab(REPORT.replace("345", "多額の"))))


def test_a_figure_is_one_word():
    text = "利益は1,234.5円"
    cut = [(0, 2), (2, 3), (3, 4), (4, 5), (5, 8), (8, 9), (9, 10), (10, 11)]
    whole = [(0, 2), (2, 3), (3, 10), (10, 11)]
    sketches = [
        Signer(n=2).sketch(
            text, np.array(words, dtype=np.int32)[:, 0].copy(), np.array(words, dtype=np.int32)[:, 1].copy()
        )
        for words in (cut, whole)
    ]
    assert same(*sketches)
    assert len(sketches[0].shingles) == 3


def bare_and_figures(text: str) -> tuple[str, list[str]]:
    """What is left without figures and signs, and these in any order: the reference for form and figures."""
    figure = r"[0-9.,]*[0-9][0-9.,]*|[-+▲△]"
    return re.sub(figure, "", text), sorted(re.findall(figure, text))


@settings(max_examples=300, deadline=None)
@given(*2 * [st.lists(st.sampled_from([*"千円12.,-▲/"]), max_size=8).map("".join)], st.integers(1, 4))
def test_form_and_figures_are_those_of_the_text_however_it_is_cut(one, other, length):
    def sketched(text):
        starts = np.arange(0, len(text), length, dtype=np.int32)
        return Signer().sketch(text, starts, np.minimum(starts + length, len(text)).astype(np.int32))

    a, b, whole = sketched(one), sketched(other), Signer(shingle="chars").sketch(one, NOWHERE, NOWHERE)
    bare, figures = zip(bare_and_figures(one), bare_and_figures(other), strict=True)
    assert (a.form == b.form, a.figures == b.figures) == (bare[0] == bare[1], figures[0] == figures[1])
    assert (a.form, a.figures) == (whole.form, whole.figures)


def char_ngrams(text: str, n: int) -> set[str]:
    folded = "".join(unicodedata.normalize("NFKC", text).casefold().split())
    return {folded[i : i + n] for i in range(len(folded) - n + 1)} or ({folded} if folded else set())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*"売上高は増 abA1２，.\nガ㈱", "ｶﾞ"]), max_size=30).map("".join), st.integers(1, 6))
def test_there_are_as_many_character_shingles_as_distinct_ngrams(text, n):
    assert len(Signer(shingle="chars", n=n).sketch(text, NOWHERE, NOWHERE).shingles) == len(char_ngrams(text, n))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["売上", "高", "は", "増加", "企業"]), max_size=30), st.integers(1, 7))
def test_there_are_as_many_word_shingles_as_distinct_ngrams(words, n):
    ends = np.cumsum([len(word) for word in words], dtype=np.int32) if words else NOWHERE
    starts = np.concatenate(([0], ends[:-1])).astype(np.int32) if words else NOWHERE
    grams = {tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))} if words else set()
    assert len(Signer(n=n).sketch("".join(words), starts, ends).shingles) == len(grams)


@pytest.mark.parametrize("shingle", ["words", "chars"])
def test_short_and_empty_documents(shingle):
    signer = Signer(shingle=shingle)
    assert len(signer.sketch(*mecab("増収")).shingles) == 1
    for nothing in ("", " \n　\u200b"):
        empty = signer.sketch(*mecab(nothing))
        assert len(empty.shingles) == 0
        assert np.all(empty.signature == 2**32 - 1)


def test_lone_surrogates_and_the_highest_code_points_are_characters():
    sketch = Signer(shingle="chars", n=1).sketch("a\ud800\U0010ffff𠮷", NOWHERE, NOWHERE)
    assert len(sketch.shingles) == 4


@pytest.mark.parametrize(("start", "end"), [([0], [9]), ([-1], [1]), ([0, 1], [1]), ([9], [3]), ([0], [-2])])
def test_offsets_outside_the_text_are_refused(start, end):
    with pytest.raises(ValueError, match="offsets"):
        Signer().sketch("売上高", np.array(start, dtype=np.int32), np.array(end, dtype=np.int32))


@pytest.mark.parametrize(
    "wrong", [{"shingle": "lines"}, {"n": 0}, {"permutations": 0}, {"seed": -1}, {"numbers": "no"}]
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(UsageError):
        Signer(**wrong)


def test_characters_give_the_similarities_of_the_labelled_pairs(shared_data):
    signer = Signer(shingle="chars")
    lines = (shared_data / "neardup" / "pairs_law.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for line in lines[:40]:
        a, b, _, _, _, jaccard, _ = line.split("\t")
        texts = [(shared_data / name).read_text(encoding="utf-8") for name in (a, b)]
        x, y = (signer.sketch(text, NOWHERE, NOWHERE).shingles for text in texts)
        common = np.intersect1d(x, y, assume_unique=True).size
        assert common / (x.size + y.size - common) == pytest.approx(float(jaccard), abs=0.002)


SCRIPT = """
import numpy as np
from pipelines.dedup.minhash import Signer
empty = np.empty(0, dtype=np.int32)
print(Signer(shingle="chars").sketch("有価証券報告書" * 3, empty, empty).signature.sum())
"""


def test_processes_that_compile_at_once_agree(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SCRIPT]
    processes = [subprocess.Popen(command, cwd=HOUSE, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    cold = [process.communicate(timeout=60)[0] for process in processes]
    assert list(tmp_path.rglob("*.nbi"))
    warm = subprocess.run(command, cwd=HOUSE, env=environment, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    assert all(a == b for a, b in pairwise([*cold, warm]))
    assert cold[0].strip().isdigit()


def test_without_a_folder_for_the_cache_kernels_still_compile():
    room: dict = {}
    exec("def add(a, b):\n    return a + b", room)  # no file, so numba finds no place for its cache
    assert kernel(types.int64, types.int64, types.int64)(room["add"])(1, 2) == 3
