"""Files that cannot be read end in a reason."""

from __future__ import annotations

import random

import pytest

from pipelines.extract import Failure, Part, Raw
from pipelines.extract.pdf import extract_pdf


def test_a_page_without_text_is_reported_with_its_page_count(extract):
    failure = extract([[], []])
    assert (failure.reason, failure.detail[:7]) == ("no_text_layer", "2 pages")


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7\n", b"not a pdf", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj trailer<</Root 1 0 R>>"]
)
def test_what_is_no_pdf_is_broken(extract, data):
    assert extract(data).reason == "broken"


def test_private_use_text_is_garbled(extract, set_text):
    text = set_text[0]
    assert extract([[text(72, 100, 10, "\ue001\ue002\ue003\ue004\ue005文字")]]).reason == "garbled"


def test_text_in_a_wrong_encoding_is_garbled_and_french_is_not(extract):
    wrong = ("L", 72, 100, 10, "損益計算書の売上高".encode("shift_jis").decode("latin-1"))
    french = [("L", 72, 100, 10, "Les éléments été évalués à la clôture du précédent exercice.")]
    assert extract([[wrong]]).reason == "garbled"
    assert extract([french]).text.startswith("Les éléments")


def test_too_many_pages_are_refused(extract, set_text):
    assert extract([[set_text[0](72, 100, 10, "頁")]] * 3, most_pages=2).reason == "too_large"


def test_a_password_opens_an_encrypted_file(shared_data):
    path = shared_data / "pdf/pdfminer__pdfminer.six/samples__encryption__aes-256.pdf"
    raw = Raw(path, path.name, "report", "application/pdf")
    (locked,) = extract_pdf(raw)
    (wrong,) = extract_pdf(raw, passwords=["no"])
    (opened,) = extract_pdf(raw, passwords=["no", "foo"])
    assert isinstance(locked, Failure)
    assert isinstance(wrong, Failure)
    assert (locked.reason, wrong.reason) == ("encrypted", "encrypted")
    assert isinstance(opened, Part)


def test_a_damage_without_a_name_does_not_take_that_of_the_file_before(shared_data):
    """PDFium names no error for this file, and keeps the last one: one process reads many files."""
    folder = shared_data / "pdf/mozilla__pdf.js"
    told = []
    for name in ("issue6010_1", "poppler-395-0-fuzzed", "poppler-742-0-fuzzed", "poppler-395-0-fuzzed"):
        path = folder / f"test__pdfs__{name}.pdf"
        told += extract_pdf(Raw(path, path.name, "report", "application/pdf"))
    assert [failure.reason for failure in told] == ["encrypted", "broken", "broken", "broken"]
    assert told[1] == told[3]


def test_damaged_copies_end_in_text_or_a_reason(extract, as_pdf, set_text):
    text, _, line = set_text
    rules = [line(72, y, 372, y) for y in (300, 320, 340)] + [line(x, 300, x, 340) for x in (72, 172, 372)]
    whole = as_pdf(
        [
            [
                text(72, 100, 10, "損益計算書の注記である。"),
                text(75, 304, 10, "売上高"),
                text(180, 304, 10, "1,234"),
                *rules,
            ]
        ]
    )
    chance = random.Random(7)
    for _ in range(60):
        damaged = bytearray(whole[: chance.randrange(20, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        result = extract(bytes(damaged))
        assert isinstance(result, Part) or result.reason in {"broken", "encrypted", "no_text_layer", "garbled"}


def test_the_same_file_gives_the_same_text(extract, set_text):
    page = [set_text[0](72, 100 + 18 * n, 10, "同じ入力からは同じ出力が得られる。" * 2) for n in range(20)]
    assert extract([page]) == extract([page])
