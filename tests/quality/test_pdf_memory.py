"""Memory of a long PDF: what is kept of a page is its text, and where its lines stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pypdfium2

REPORT = "pdf/helpmewithhomework__homework/有価証券報告書.pdf"
PAGES, TIMES = 183, 5
MOST = 18 * 1024  # bytes for each further page; 14 KB measured, of which the text itself is a third
CHILD = """
import resource, sys
from pathlib import Path
from pipelines.extract.pdf.document import Options, read
assert read(Path(sys.argv[1]), Options()).pages == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak(path: Path, pages: int) -> int:
    """Bytes that reading a file takes at most, in a process of its own."""
    command = [sys.executable, "-c", CHILD, str(path), str(pages)]
    return 1024 * int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_a_further_page_takes_no_more_than_its_lines(shared_data, tmp_path):
    source, long = pypdfium2.PdfDocument(shared_data / REPORT), pypdfium2.PdfDocument.new()
    for _ in range(TIMES):
        long.import_pages(source)
    long.save(tmp_path / "long.pdf")
    source.close()
    long.close()
    more = _peak(tmp_path / "long.pdf", TIMES * PAGES) - _peak(shared_data / REPORT, PAGES)
    assert more < MOST * (TIMES - 1) * PAGES
