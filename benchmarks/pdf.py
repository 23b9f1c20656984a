"""PDF extraction against ground truth and against its peers.

    python benchmarks/pdf.py [--data DIR] [--quick] [--json] [--repeat N]

Quality: six pages typeset from public-domain novels (one column, two columns, vertical, ruby, running heads), two
typeset tables and three real reports, each with its source text. Speed: CPU time per page on three real Japanese
documents, all tools interleaved in one process, the least of N runs each. Peers that are not installed are left out.

Figures: `similarity` is 1 - Levenshtein / length over NFKC text without white space; `paragraphs_intact` the share of
paragraphs of 40 or more characters found whole on one line; `cjk_spaces_per_1000` white space between two CJK
characters per 1,000 of them, less those that the source has; `radicals` characters left in U+2E80-2FDF;
`table_rows_exact` of 32; `cpu_ratio_pdfplumber` the least over the documents of pdfplumber's time over ours.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.extract import Part, Raw
from pipelines.extract.pdf import extract_pdf

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).resolve().parents[1] / "../shared/data/pdf"
REPORTS = {
    "vf2019-ja": "vivliostyle__vivliostyle_doc/ja__reports__vivliostyle-report-2019__vf2019report-ja.pdf",
    "vf2021-ja": "vivliostyle__vivliostyle_doc/ja__reports__vivliostyle-report-2021__vf2021report-ja.pdf",
    "vf2022-en": "vivliostyle__vivliostyle_doc/en__reports__vivliostyle-report-2022__vf2022report-en.pdf",
}
SPEED = {
    "annual report (EDINET)": "helpmewithhomework__homework/有価証券報告書.pdf",
    "model rules (MHLW)": "Azure-Samples__jp-azureopenai-samples/5.internal-document-search__data__001018385.pdf",
    "activity report (Chromium)": REPORTS["vf2021-ja"],
}
CJK = r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"


@dataclass(frozen=True, slots=True)
class Score:
    """How one extraction compares with its source."""

    name: str
    similarity: float
    paragraphs_intact: float
    cjk_spaces_per_1000: float
    radicals: int


def extracted(path: Path) -> str:
    """The Markdown of a file, empty where it cannot be read."""
    part = next(iter(extract_pdf(Raw(path, path.name, "report", "application/pdf"))))
    return part.text if isinstance(part, Part) else ""


def plain(markdown: str) -> str:
    """Markdown without its marks: what a page shows."""
    lines = (line for line in markdown.splitlines() if not re.fullmatch(r"\|( --- \|)+", line))
    return "\n".join(re.sub(r"^#+ ", "", line.strip("| ").replace(" | ", "\t").replace("\\|", "|")) for line in lines)


def solid(text: str) -> str:
    """NFKC text without white space."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def levenshtein(a: str, b: str) -> int:
    """Edit distance by Hyyrö's bit-parallel recurrence (2003) on one big integer: 0.1 s for 10,000 characters."""
    if not a:
        return len(b)
    where: dict[str, int] = {}
    for index, character in enumerate(a):
        where[character] = where.get(character, 0) | 1 << index
    ones, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    plus, minus, distance = ones, 0, len(a)
    for character in b:
        match = where.get(character, 0)
        zero = (((match & plus) + plus) ^ plus) | match | minus
        up = (minus | ~(zero | plus)) & ones
        down = plus & zero
        distance += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & ones
        down = (down << 1) & ones
        plus, minus = (down | ~(zero | up)) & ones, up & zero
    return distance


def score(name: str, markdown: str, truth: str) -> Score:
    """Compare an extraction with the source text."""
    text = plain(markdown)
    ours, theirs = solid(text), solid(truth)
    lines = [solid(line) for line in text.splitlines()]
    wanted = [p for line in truth.splitlines() if len(p := solid(line)) >= 40]
    intact = sum(any(p in line for line in lines) for p in wanted) / max(len(wanted), 1)
    spaces = max(_cjk_spaces(text) - _cjk_spaces(truth), 0)
    cjk = max(len(re.findall(CJK, text)), 1)
    radicals = sum("\u2e80" <= c <= "\u2fdf" for c in text)
    return Score(
        name, 1 - levenshtein(ours, theirs) / max(len(ours), len(theirs)), intact, 1000 * spaces / cjk, radicals
    )


def _cjk_spaces(text: str) -> int:
    return len(re.findall(rf"(?<={CJK})[ \t]+(?={CJK})", text))


def rows_exact(markdown: str, truth: str) -> int:
    """How many rows of the true table (tab-separated) stand in the Markdown cell by cell."""
    found = {
        tuple(solid(cell) for cell in line[2:-2].split(" | ")) for line in markdown.splitlines() if line.startswith("|")
    }
    return sum(tuple(solid(cell) for cell in line.split("\t")) in found for line in truth.splitlines() if line)


def least_edits(words: str, text: str) -> tuple[int, int]:
    """The least edits between `words` and any part of `text`, and where that part ends (Myers 1999, bit-parallel)."""
    where: dict[str, int] = {}
    for index, character in enumerate(words):
        where[character] = where.get(character, 0) | 1 << index
    ones, last = (1 << len(words)) - 1, 1 << (len(words) - 1)
    plus, minus, distance = ones, 0, len(words)
    best = (distance, -1)
    for place, character in enumerate(text):
        match = where.get(character, 0)
        zero = (((match & plus) + plus) ^ plus) | match | minus
        up, down = (minus | ~(zero | plus)) & ones, plus & zero
        distance += bool(up & last) - bool(down & last)
        best = min(best, (distance, place), key=lambda found: found[0])
        up, down = up << 1 & ones, down << 1 & ones
        plus, minus = (down | ~(zero | up)) & ones, up & zero
    return best


def facts(data: Path, read: Callable[[Path], str]) -> tuple[int, int]:
    """How many present, absent and order facts of olmOCR-bench's sample pages hold for `read`, and of how many."""
    folder = data / "allenai__olmocr"
    lines = (folder / "sample_facts.jsonl").read_text(encoding="utf-8").splitlines()
    tests = [t for line in lines if line.strip() and (t := json.loads(line))["type"] in {"present", "absent", "order"}]
    names = {t["pdf"]: next(folder.glob(f"*sample_data__pdfs__{t['pdf'].replace('/', '__')}")) for t in tests}
    texts = {name: _spaced(read(path)) for name, path in names.items()}
    return sum(bool(text := texts[t["pdf"]]) and _holds(t, text) for t in tests), len(tests)


def _spaced(text: str) -> str:
    quotes = str.maketrans("“”‘’—–", "\"\"''--")
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).translate(quotes)).strip()


def _holds(fact: dict[str, Any], text: str) -> bool:
    allowed = fact.get("max_diffs", 0)
    first, *rest = (least_edits(_spaced(fact[key]), text) for key in ("text", "before", "after") if key in fact)
    if fact["type"] == "order":
        return first[0] <= allowed and rest[0][0] <= allowed and first[1] < rest[0][1]
    return bool((first[0] <= allowed) == (fact["type"] == "present"))


def documents(data: Path) -> dict[str, tuple[Path, str]]:
    """Name -> (PDF, source text) of everything with a source text but the tables."""
    pairs = {p.stem: (p, p.with_suffix(".txt")) for p in sorted(data.glob("synthetic/ja_*.pdf"))}
    pairs |= {name: (data / pdf, data / "gt" / f"{name}.txt") for name, pdf in REPORTS.items()}
    return {name: (pdf, text.read_text(encoding="utf-8")) for name, (pdf, text) in pairs.items()}


def quality(data: Path) -> tuple[list[Score], dict[str, int]]:
    """Scores of all documents, and exact rows of the two tables."""
    scores = [score(name, extracted(pdf), truth) for name, (pdf, truth) in documents(data).items()]
    tables = {
        p.stem: rows_exact(extracted(p), p.with_suffix(".txt").read_text(encoding="utf-8"))
        for p in sorted(data.glob("synthetic/tab_*.pdf"))
    }
    return scores, tables


def _ours(path: Path, pages: int | None) -> str:
    from pipelines.extract.pdf.document import Options, read

    return plain(read(path, Options(), last_page=pages).text.text)


def _pdfplumber(path: Path, pages: int | None) -> str:
    import logging

    import pdfplumber

    logging.getLogger("pdfminer").setLevel(logging.ERROR)  # fonts without a bounding box, once per glyph
    texts = []
    with pdfplumber.open(path, pages=list(range(1, pages + 1)) if pages else None) as pdf:
        for page in pdf.pages:
            texts.append(page.extract_text())
            page.close()
    return "\n".join(texts)


def _pdfminer(path: Path, pages: int | None) -> str:
    from pdfminer.high_level import extract_text

    return extract_text(path, maxpages=pages or 0)


def _pypdfium2(path: Path, pages: int | None) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    return "\n".join(document[n].get_textpage().get_text_range() for n in range(pages or len(document)))


def _pypdf(path: Path, pages: int | None) -> str:
    import pypdf  # type: ignore[import-not-found]

    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages[:pages])


def _pymupdf(path: Path, pages: int | None) -> str:
    import pymupdf  # type: ignore[import-not-found]

    document = pymupdf.open(path)
    return "\n".join(document[n].get_text() for n in range(pages or len(document)))


TOOLS: dict[str, Callable[[Path, int | None], str]] = {  # the text of a file's first pages, or of all
    "ours": _ours,
    "pdfplumber": _pdfplumber,
    "pdfminer.six": _pdfminer,
    "pypdfium2": _pypdfium2,
    "pypdf": _pypdf,
    "pymupdf": _pymupdf,
}
PAGES = 20


def speed(path: Path, pages: int, tools: list[str], repeat: int) -> dict[str, float]:
    """CPU milliseconds per page of each tool that is installed, the least of `repeat` interleaved runs."""
    least: dict[str, float] = {}
    for _ in range(repeat):
        for tool in tools:
            start = time.process_time()
            try:
                TOOLS[tool](path, pages)
            except ImportError:
                continue
            took = 1000 * (time.process_time() - start) / pages
            least[tool] = min(took, least.get(tool, took))
    return least


def bar(scores: list[Score], tables: dict[str, int], ratios: list[float]) -> dict[str, object]:
    """The figures that stand for the whole: means, the worst of the ratios and spaces, and the worst Japanese file."""
    worst = min((s for s in scores if not s.name.endswith("-en")), key=lambda s: s.similarity + s.paragraphs_intact)
    return {
        "similarity": round(fmean(s.similarity for s in scores), 4),
        "paragraphs_intact": round(fmean(s.paragraphs_intact for s in scores), 4),
        "cjk_spaces_per_1000": round(max(s.cjk_spaces_per_1000 for s in scores), 3),
        "radicals": sum(s.radicals for s in scores),
        "table_rows_exact": sum(tables.values()),
        "cpu_ratio_pdfplumber": round(min(ratios), 2),
        "worst": {
            "name": worst.name,
            "similarity": round(worst.similarity, 4),
            "paragraphs_intact": round(worst.paragraphs_intact, 4),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="PDF extraction against ground truth and peers")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="pdfplumber and pypdfium2 the only peers")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    scores, tables = quality(options.data)
    for s in scores:
        print(f"{s.name:14} similarity {s.similarity:.4f}  paragraphs {s.paragraphs_intact:.3f}", end="  ")
        print(f"spaces {s.cjk_spaces_per_1000:.2f}  radicals {s.radicals}")
    print("  ".join(f"{name} {rows} rows exact" for name, rows in tables.items()))
    if not options.quick:
        for tool, read in TOOLS.items():
            with suppress(ImportError):
                held, of = facts(options.data, lambda path, read=read: read(path, None))
                print(f"olmOCR-bench sample facts: {tool} {held} of {of}")
    tools = ["ours", "pdfplumber", "pypdfium2"] if options.quick else list(TOOLS)
    ratios = []
    for name, pdf in SPEED.items():
        took = speed(options.data / pdf, PAGES, tools, options.repeat)
        ratios.append(took["pdfplumber"] / took["ours"])
        times = (f"{tool} {ms:.1f} ms ({took['pdfplumber'] / ms:.1f}x)" for tool, ms in took.items())
        print(f"{name:28}" + "  ".join(times))
    if options.json:
        print(json.dumps(bar(scores, tables, ratios), ensure_ascii=False))


if __name__ == "__main__":
    main()
