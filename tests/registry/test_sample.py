"""The sample of ja_finance is what its README and LICENCES say: whole, small, licensed, broken where it must be."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from tokenizers import Tokenizer

import registry

DOMAIN = Path(registry.__file__).parent / "domains" / "ja_finance"
SAMPLE = DOMAIN / "sample"
FIGURES = re.compile(r"[△\d,]+")


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in DOMAIN.glob(pattern) if path.is_file())


def records(name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of a JSONL file, and its lines that are not JSON."""
    good, bad = [], []
    for line in (SAMPLE / name).read_text("utf-8").splitlines():
        try:
            good.append(json.loads(line))
        except json.JSONDecodeError:
            bad.append(line)
    return good, bad


@pytest.fixture(scope="module")
def licensed() -> list[str]:
    rows = (DOMAIN / "LICENCES.md").read_text("utf-8").splitlines()
    return [match[1] for row in rows if (match := re.match(r"\| `([^`]+)` \|", row))]


def test_every_file_has_one_row_in_licences(licensed: list[str]) -> None:
    for path in files("sample/**/*", "tokenizer/**/*", "words/**/*"):
        name = path.relative_to(DOMAIN).as_posix()
        rows = [row for row in licensed if name == row or (row.endswith("/") and name.startswith(row))]
        assert len(rows) == 1, name


def test_every_row_of_licences_names_something_that_is_here(licensed: list[str]) -> None:
    assert licensed
    assert [row for row in licensed if not files(row + "**/*" if row.endswith("/") else row)] == []


def test_the_sample_stays_small() -> None:
    sizes = {folder: sum(path.stat().st_size for path in files(folder)) for folder in ("sample/**/*", "**/*")}
    assert sizes["sample/**/*"] <= 4.5e6
    assert sizes["**/*"] <= 8e6


def test_file_names_are_the_same_on_every_system() -> None:
    names = [path.relative_to(DOMAIN).as_posix() for path in files("**/*")]
    assert all(unicodedata.is_normalized("NFC", name) for name in names)
    assert len({name.casefold() for name in names}) == len(names)


def test_an_encrypted_pdf_asks_for_its_password() -> None:
    path = SAMPLE / "broken" / "encrypted.pdf"
    with pytest.raises(pypdfium2.PdfiumError, match="password"):
        pypdfium2.PdfDocument(path)
    with pypdfium2.PdfDocument(path, password="shiome") as pdf:
        assert len(pdf) == 1


def test_a_truncated_pdf_begins_as_one_and_cannot_be_opened() -> None:
    path = SAMPLE / "broken" / "truncated.pdf"
    whole, cut = (SAMPLE / "reports" / "report.pdf").read_bytes(), path.read_bytes()
    assert whole.startswith(cut)
    assert len(cut) < len(whole)
    with pytest.raises(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(path)


def test_the_other_broken_inputs_are_what_they_claim() -> None:
    broken = SAMPLE / "broken"
    assert (broken / "empty.txt").stat().st_size == 0
    assert (broken / "picture.pdf").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    for codec in ("utf-8", "cp932", "euc_jp"):
        with pytest.raises(UnicodeDecodeError):
            (broken / "random.txt").read_bytes().decode(codec)
    visible = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", "", (broken / "no_text.html").read_text("utf-8"))
    assert visible.strip() == ""


def test_glossary_records_are_short() -> None:
    tokenizer = Tokenizer.from_file(str(DOMAIN / "tokenizer" / "tokenizer.json"))
    bodies = [record["body"] for record in records("glossary.jsonl")[0] if "body" in record]
    tokens = [len(tokenizer.encode(body, add_special_tokens=False).ids) for body in bodies]
    assert 150 <= len(bodies) <= 250
    assert sum(tokens) / len(tokens) < 50


def test_the_glossary_has_one_line_that_is_not_json_and_one_record_without_text() -> None:
    good, bad = records("glossary.jsonl")
    assert ["term-903" in line for line in bad] == [True]
    assert [record["id"] for record in good if "body" not in record] == ["term-902"]


def test_the_glossary_has_one_exact_duplicate_and_one_pair_that_differs_in_figures_alone() -> None:
    good = [record for record in records("glossary.jsonl")[0] if "body" in record]
    bodies = Counter(record["body"] for record in good)
    assert {r["id"] for r in good if bodies[r["body"]] == 2} == {"term-049", "term-901"}
    masked = Counter(FIGURES.sub("0", body) for body in bodies)
    assert {r["id"] for r in good if masked[FIGURES.sub("0", r["body"])] == 2} == {"company-011", "company-012"}


@pytest.mark.parametrize("name", ["glossary.jsonl", "sentences.jsonl"])
def test_ids_of_records_are_unique(name: str) -> None:
    good, _ = records(name)
    assert len({record["id"] for record in good}) == len(good)


def test_sentences_name_their_company() -> None:
    good, bad = records("sentences.jsonl")
    assert (len(good), bad) == (300, [])
    assert all(record["body"] and re.fullmatch(r"E\d{5}", record["company"]) for record in good)


@pytest.mark.parametrize(
    ("pattern", "codec"),
    [
        ("filings/**/*.htm", "utf-8-sig"),
        ("laws/2013/*.html", "cp932"),
        ("laws/2016/*.txt", "utf-8"),
        ("literature/*.txt", "cp932"),
        ("textbooks/**/*.*", "utf-8"),
        ("news/*_eucjp.html", "euc_jp"),
        ("news/*_cp932.html", "cp932"),
    ],
)
def test_encodings_are_as_claimed(pattern: str, codec: str) -> None:
    found = files(f"sample/{pattern}")
    assert found
    for path in found:
        text = path.read_bytes().decode(codec)
        assert re.search("[ぁ-んァ-ヶ]", text), path.name
        if not codec.startswith("utf"):
            with pytest.raises(UnicodeDecodeError):
                path.read_bytes().decode("utf-8")


def test_one_page_declares_an_encoding_that_it_does_not_have() -> None:
    declared = re.compile(rb'charset="?([\w-]+)')
    wrong = []
    for path in files("sample/news/*.html"):
        found = declared.search(path.read_bytes())
        assert found
        try:
            path.read_bytes().decode(found[1].decode("ascii"))
        except UnicodeDecodeError:
            wrong.append(path.name)
    assert wrong == ["shinonome_20241015_factory_cp932.html"]


def test_reports_have_text_a_title_and_no_date_of_the_day_they_were_made() -> None:
    for name, pages, phrase in [("report.pdf", 5, "△1,267"), ("essay.pdf", 4, "大福帳")]:
        path = SAMPLE / "reports" / name
        assert path.stat().st_size < 400_000
        with pypdfium2.PdfDocument(path) as pdf:
            assert len(pdf) == pages
            text = "".join(page.get_textpage().get_text_range() for page in pdf)
            metadata = pdf.get_metadata_dict()
        assert len(text) > 2000
        assert phrase in text
        assert metadata["Title"]
        assert metadata["CreationDate"] == metadata["ModDate"] == "D:20250401000000+00'00'"


def test_the_tokenizer_knows_the_special_tokens_that_its_config_names() -> None:
    tokenizer = Tokenizer.from_file(str(DOMAIN / "tokenizer" / "tokenizer.json"))
    config = json.loads((DOMAIN / "tokenizer" / "tokenizer_config.json").read_text("utf-8"))
    named = {config[key] for key in ("bos_token", "eos_token", "unk_token")}
    assert named == {"<s|LLM-jp>", "<EOD|LLM-jp>", "<unk|LLM-jp>"}
    assert all(tokenizer.token_to_id(token) is not None for token in named)
    assert (
        tokenizer.decode(tokenizer.encode("営業利益は△627百万円", add_special_tokens=False).ids)
        == "営業利益は△627百万円"
    )


def test_every_finance_term_is_one_word_of_mecab() -> None:
    from fugashi import Tagger

    tagger = Tagger()
    terms = (DOMAIN / "words" / "terms.txt").read_text("utf-8").split()
    assert len(terms) == len(set(terms)) > 50
    assert [term for term in terms if [word.surface for word in tagger(term)] != [term]] == []
