"""Tables of a real annual report, row by row, against what a reader sees on the page."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from pipelines.extract import Raw
from pipelines.extract.pdf import extract_pdf

REPORT = "pdf/helpmewithhomework__homework/有価証券報告書.pdf"
Table = list[list[str]]


def transcribed() -> list[tuple[int, list[str]]]:
    """(page, digests of the rows) of the transcription, in order."""
    text = Path(__file__).with_name("pdf_tables.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n\n", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    found = [block.splitlines() for block in blocks]
    return [(int(first.split()[1]), rows) for first, *rows in found]


def row_digest(row: list[str]) -> str:
    """Of a row's cells between |, each with NFKC, one kind of dash and no white space."""
    return hashlib.sha256("|".join(row).encode()).hexdigest()[:16]


def _solid(text: str) -> str:
    """NFKC without white space; one dash for the several that fonts draw alike."""
    return re.sub(r"[‐-―─－-]", "-", re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)))


@cache
def _extracted(path: Path) -> dict[int, list[Table]]:
    """The tables of the report by page."""
    (part,) = extract_pdf(Raw(path, path.name, "report", "application/pdf"))
    starts = [int(n) for n in part.metadata["page_lines"].split()]
    tables: dict[int, list[Table]] = {}
    inside = False
    for number, line in enumerate(part.text.splitlines()):
        if line.startswith("|"):
            page = sum(start <= number for start in starts)
            if not inside:
                tables.setdefault(page, []).append([])
            if not re.fullmatch(r"\|( --- \|)+", line):
                tables[page][-1].append([_solid(cell) for cell in line[2:-2].split(" | ")])
        inside = line.startswith("|")
    return tables


TABLES = transcribed()


@pytest.mark.parametrize("index", range(len(TABLES)), ids=[f"page {page}" for page, _ in TABLES])
def test_a_table_is_what_a_reader_sees(shared_data, index):
    page, expected = TABLES[index]
    found = _extracted(shared_data / REPORT).get(page, [])
    digests = [[row_digest(row) for row in table] for table in found]
    nearest = max(range(len(found)), key=lambda i: sum(row in digests[i] for row in expected), default=None)
    assert nearest is not None
    assert digests[nearest] == expected, found[nearest]
