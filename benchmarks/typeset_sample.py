"""Typeset the two PDF reports of the ja_finance sample from their HTML.

In: ``benchmarks/typeset_sample/{report,essay}.html`` and the IPAex fonts (Debian: chromium, fonts-ipaexfont).
Out: ``registry/domains/ja_finance/sample/reports/{report,essay}.pdf`` with the used glyphs embedded and a fixed date:
the same browser and fonts give the same bytes.

    python benchmarks/typeset_sample.py [FOLDER]
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEXTS = HERE / "typeset_sample"
REPORTS = HERE.parent / "registry" / "domains" / "ja_finance" / "sample" / "reports"
FIXED_DATE = b"(D:20250401000000+00'00')"  # as long as the browser's own, so no offset of the PDF moves
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
    "--user-agent=Chromium",
]


def typeset(text: Path, pdf: Path) -> None:
    """Print the HTML page `text` to `pdf`.

    Raises:
        SystemExit: no Chromium on PATH, a font is missing, or the browser gave no PDF.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("chromium is not installed")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *QUIET, f"--user-data-dir={profile}", f"--print-to-pdf={pdf}", text.as_uri()]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=120)
    if not pdf.is_file():
        raise SystemExit(f"{browser} made no {pdf}")
    printed = pdf.read_bytes()
    if b"IPAex" not in printed:
        raise SystemExit(f"{pdf}: the IPAex fonts are not installed; another font was embedded")
    pdf.write_bytes(re.sub(rb"\(D:\d{14}\+00'00'\)", FIXED_DATE, printed))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for text in sorted(TEXTS.glob("*.html")):
        pdf = folder.resolve() / f"{text.stem}.pdf"
        typeset(text, pdf)
        print(f"{pdf.name}: {pdf.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPORTS)
