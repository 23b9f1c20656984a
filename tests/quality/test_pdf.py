"""Floors of the PDF extractor on documents with a source text. They only go up."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from pipelines.extract import Raw
from pipelines.extract.pdf import extract_pdf

HERE = Path(__file__).resolve().parent
FLOORS = json.loads((HERE / "pdf.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench(shared_data):
    spec = importlib.util.spec_from_file_location("benchmark_pdf", HERE.parents[1] / "benchmarks" / "pdf.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(FLOORS["documents"]))
def test_a_document_is_at_least_as_whole_as_before(bench, shared_data, name):
    path, truth = bench.documents(shared_data / "pdf")[name]
    score = bench.score(name, bench.extracted(path), truth)
    floor = FLOORS["documents"][name]
    assert score.similarity >= floor["similarity"]
    assert score.paragraphs_intact >= floor["paragraphs_intact"]
    assert score.cjk_spaces_per_1000 <= floor["cjk_spaces_per_1000"]
    assert score.radicals == 0


@pytest.mark.parametrize("name", ["tab_plain", "tab_ruled"])
def test_every_row_of_a_typeset_table_is_exact(bench, shared_data, name):
    path = shared_data / f"pdf/synthetic/{name}.pdf"
    truth = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert bench.rows_exact(bench.extracted(path), truth) == FLOORS["table_rows_exact"] // 2


def test_the_facts_of_the_sample_pages_hold_as_often_as_before(bench, shared_data):
    held, of = bench.facts(shared_data / "pdf", lambda path: bench.plain(bench.extracted(path)))
    assert (held >= FLOORS["olmocr_facts"], of) == (True, 67)


@pytest.mark.parametrize("name", sorted(FLOORS["tables"]))
def test_tables_that_were_compared_with_the_page_by_eye_are_still_the_same(shared_data, name):
    """The files are not ours to copy, so the floor holds digests of the rows."""
    path = shared_data / "pdf" / FLOORS["tables"][name]["pdf"]
    (part,) = extract_pdf(Raw(path, path.name, "report", "application/pdf"))
    lines, starts = part.text.splitlines(), [int(n) for n in part.metadata["page_lines"].split()]
    for page, digest in FLOORS["tables"][name]["pages"].items():
        end = starts[int(page)] if int(page) < len(starts) else len(lines)
        rows = [line for line in lines[starts[int(page) - 1] : end] if line.startswith("|")]
        assert hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16] == digest, f"page {page}"


def test_the_edit_distance_is_the_textbook_one(bench):
    def textbook(a: str, b: str) -> int:
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            last, row[0] = row[0], i
            for j, y in enumerate(b, 1):
                last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
        return row[-1]

    for a, b in [("", "abc"), ("kitten", "sitting"), ("東京都", "京都府"), ("ab" * 40, "ba" * 37), ("same", "same")]:
        assert bench.levenshtein(a, b) == textbook(a, b)
