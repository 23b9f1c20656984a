"""One document through the whole stage: order of the steps, what is kept of it, and hostile text."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.content import content
from pipelines.dedup.minhash import Signer
from pipelines.quality import load_profile
from pipelines.refine import AT_ONCE, Refiner, together
from registry.document import Metadata, make_document
from registry.errors import InputError, UnknownNameError, UsageError
from registry.ledger import Cut, Verdict
from registry.names import rule

if TYPE_CHECKING:
    from datatrove.data import Document

SENTENCE = "当社グループは、環境問題への取組みを経営の重要な課題と考えている。"


def document(text: str, kind: str = "record") -> Document:
    facts = Metadata(
        source="s", uri="u", part="", kind=kind, media_type="", sha256="", title="題 名", date="2024", licence="CC0"
    )
    return make_document(text, facts)


def refiner(**changes: Any) -> Refiner:
    options: dict[str, Any] = {
        "profiles": {"record": load_profile("record"), "law": load_profile("law")},
        "normalize": {},
        "privacy": "mask",
        "signer": Signer(),
        "user_dictionary": None,
        "blocks": [],
    }
    return Refiner(**options | changes)


@pytest.fixture(scope="module")
def plain() -> Refiner:
    return refiner()


class Shout:
    def apply(self, document: Document) -> Verdict | None:
        document.text = document.text.replace("。", "！")
        document.metadata["title"] = "changed"
        return None


class Refuse:
    def apply(self, document: Document) -> Verdict | None:
        return Verdict("block", "Refuse", 1.0, 0.0) if "〈電話番号〉" in document.text else None


def test_a_document_is_cleaned_masked_measured_and_kept(plain: Refiner):
    extracted = document("⾦融庁は、電話03-1234-5678で受け付けている。")
    refined = plain.refine(extracted)
    assert refined.text == "金融庁は、電話〈電話番号〉で受け付けている。"
    assert refined.verdict is None
    assert refined.cuts == [Cut("privacy", "phone", 7, 19)]
    assert refined.chars == len(refined.text)
    assert refined.words == 14
    assert set(rule) | {"privacy_phone", "privacy_email", "quality"} <= set(refined.measurements)
    assert refined.measurements["privacy_phone"] == 1.0
    assert refined.measurements["quality"] == 1.0
    assert (len(refined.content), refined.sketch.signature.shape) == (16, (120,))
    assert extracted.text.startswith("⾦融庁")
    assert extracted.metadata["title"] == "題 名"


def test_a_rejected_document_keeps_all_its_measurements(plain: Refiner):
    kept, rejected = plain.refine(document(SENTENCE)), plain.refine(document("あ"))
    assert rejected.verdict == Verdict("refine", "characters", 1.0, 2.0)
    assert set(rejected.measurements) == set(kept.measurements)


def test_the_kind_names_the_profile(plain: Refiner):
    assert plain.refine(document(SENTENCE, "record")).verdict is None
    assert plain.refine(document(SENTENCE, "law")).verdict == Verdict("refine", "characters", 33.0, 50.0)
    with pytest.raises(UnknownNameError, match="'laws'; did you mean law"):
        plain.refine(document(SENTENCE, "laws"))


def test_exact_duplicates_share_their_content_whatever_their_white_space(plain: Refiner):
    one, other, third = (
        plain.refine(document(text)) for text in (SENTENCE * 2, f" {SENTENCE}\n\n{SENTENCE}", SENTENCE)
    )
    assert one.content == other.content != third.content


@given(st.text(st.sampled_from("金a🈁𠮟\ud800 \u3000\n\x1c\x85\u200b、")))
def test_content_is_a_hash_of_all_but_white_space(text: str):
    units = "".join(text.split()).encode("utf-16-le", "surrogatepass")
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    assert content(codes) == hashlib.blake2b(units, digest_size=16).digest()


def test_the_same_document_gives_the_same_bytes_in_any_order():
    texts = [SENTENCE * 3, "第一条　この法律は、" * 20, "ゔぐぬ 12 a@b.jp"]
    first = refiner()
    forward = [first.refine(document(text)) for text in texts]
    backward = [refiner().refine(document(text)) for text in reversed(texts)][::-1]
    for one, other in zip(forward, backward, strict=True):
        assert (one.text, one.measurements, one.content) == (other.text, other.measurements, other.content)
        assert np.array_equal(one.sketch.shingles, other.sketch.shingles)


def test_documents_refined_together_come_out_as_they_do_alone(plain: Refiner):
    texts = [
        SENTENCE * 3,
        "",
        "長い行を折り返した文章はMeCabが二度読むこと\nになる。" * 4,
        "電話は03-1234-5678です。",
        "| 1 |\n" * 9,
    ]
    some = [document(text) for text in texts]
    for one, other in zip(plain.refine_all(some), [refiner().refine(one) for one in some], strict=True):
        assert not isinstance(one, InputError)
        assert (one.text, one.measurements, one.verdict) == (other.text, other.measurements, other.verdict)
        assert (one.cuts, one.content, one.paragraphs) == (other.cuts, other.content, other.paragraphs)
        assert np.array_equal(one.sketch.shingles, other.sketch.shingles)


def test_a_document_that_no_rule_can_measure_leaves_the_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(rule._functions, "of_a_domain", lambda doc: 1 / len(doc.text))
    found = refiner().refine_all([document(text) for text in (SENTENCE, "", SENTENCE)])
    assert [isinstance(one, InputError) for one in found] == [False, True, False]


@given(st.lists(st.integers(0, AT_ONCE + 1), max_size=30))
def test_together_keeps_all_in_order_and_cuts_as_soon_as_there_is_enough(sizes: list[int]):
    lists = list(together(sizes, lambda size: size))
    assert [size for some in lists for size in some] == sizes
    assert all(sum(some) >= AT_ONCE for some in lists[:-1])
    assert all(some and sum(some[:-1]) < AT_ONCE for some in lists)


def test_blocks_see_masked_text_and_words_see_what_blocks_made():
    shouted = refiner(blocks=[Shout()]).refine(document(SENTENCE))
    assert shouted.text == SENTENCE.replace("。", "！")
    assert shouted.measurements["sentence_count"] == 1.0
    refused = refiner(blocks=[Refuse(), Shout()]).refine(document("電話は03-1234-5678です。"))
    assert refused.verdict == Verdict("block", "Refuse", 1.0, 0.0)
    assert refused.text.endswith("。")


def test_options_reach_their_steps():
    assert refiner(normalize={"symbols": "expand"}).refine(document("①番")).text == "1番"
    counted = refiner(privacy="count").refine(document("電話は03-1234-5678です"))
    assert (counted.text, counted.measurements["privacy_phone"]) == ("電話は03-1234-5678です", 1.0)
    assert "privacy_phone" not in refiner(privacy="off").refine(document("電話は03-1234-5678です")).measurements


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalize": {"symbol": "keep"}}, "no option 'symbol'; did you mean symbols"),
        ({"normalize": {"symbols": "drop"}}, "'symbols'"),
    ],
)
def test_a_wrong_option_is_told_before_any_document(changes: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        refiner(**changes)


def test_a_failing_rule_fails_the_document(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(rule._functions, "of_a_domain", lambda _: {}["secret"])
    with pytest.raises(InputError, match=r"^rule_failed: of_a_domain: KeyError$"):
        refiner().refine(document(SENTENCE))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "\ud800" * 5,
        "か" + "\u3099" * 10_000,
        "e" + "\u0301" * 10_000,
        " " * 100_000,
        "金融" * 100_000,
        SENTENCE * 3000,
        "| 1 |\n" * 20_000,
        "".join(map(chr, range(0x3000))),
    ],
    ids=[
        "empty",
        "nul",
        "surrogates",
        "voiced",
        "accents",
        "blanks",
        "no full stop",
        "one line",
        "table",
        "many scripts",
    ],
)
def test_hostile_text_leaves_a_whole_record(plain: Refiner, text: str):
    refined = plain.refine(document(text))
    refined.text.encode("utf-8")
    assert all(math.isfinite(value) for value in refined.measurements.values())
    assert len(refined.content) == 16
