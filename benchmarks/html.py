"""HTML and filings against ground truth and against the peers.

    python benchmarks/html.py [--data DIR] [--quick] [--json] [--pages] [--peers DIR]

Filings: figures, figures after △ or ▲, headings, numeric XBRL facts in the section that holds them, and even tables,
over all filings of the data (`--quick`: every fourth); CPU time against trafilatura's default, interleaved in one
process, the least of two runs each. Pages: F1 of character 4-grams over NFKC text without white space and Markdown's
marks, against 19 Japanese pages with gold, four of newspapers and two labelled by eye (`web_ja_more`), 24 pages in
English and other languages labelled by eye (`web_en`; ``html_labels.yaml``), and lecture and documentation pages
against their source; both sides without results of programs and included files, which the source does not hold.
Encodings: pages, texts and snippets of 100 characters re-encoded without a declaration or with a wrong one. `--pages`
prints one line per page.

Peers that are not installed are left out; `--peers` names a further site-packages folder where they are.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # this is no library's `html`
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml

from benchmarks import html_measures as m
from pipelines.extract import Part, Raw
from pipelines.extract.encoding import decode
from pipelines.extract.filing import extract_filing
from pipelines.extract.html import read_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
FILINGS = ("edinet_htm/*/*.htm", "edinet_fsa_sample/*/*.htm", "tdnet/**/*.htm", "sec/*.html")
ENCODINGS = ("utf-8", "cp932", "euc_jp", "iso2022_jp", "utf-16-le", "utf-16-be")
SNIPPET = 100
QUICK = 4  # every fourth file


def sections(path: Path) -> list[str]:
    """The Markdown of every section of a filing."""
    found = extract_filing(Raw(path, path.name, "filing", "application/xhtml+xml"))
    return [part.text for part in found if isinstance(part, Part)]


def filings(data: Path, step: int) -> dict[str, float]:
    """The measures of a filing over all of them."""
    pairs: dict[str, list[tuple[int, int]]] = {}
    for path in files(data, step):
        source, texts = path.read_bytes().decode("utf-8-sig"), sections(path)
        text, seen = "\n\n".join(texts), m.visible(source)
        for name, pair in {
            "numbers_kept": m.kept(m.numbers(seen), m.numbers(text)),
            "signs_kept": m.kept(m.signed(seen), m.signed(text)),
            "numbers_added": m.kept(m.numbers(text), m.numbers(seen)),
            "headings_kept": m.kept(m.headings_of(source), m.marked_headings(text)),
            "tables_rectangular": m.rectangular(text),
            "facts_found": m.facts_found(source, texts),
        }.items():
            pairs.setdefault(name, []).append(pair)
    return {name: m.ratio(found) for name, found in pairs.items()}


def files(data: Path, step: int) -> list[Path]:
    """Filings, every `step`th of each collection."""
    return [path for pattern in FILINGS for path in sorted(data.glob(pattern))[::step]]


def cpu_ratio(data: Path, step: int) -> float:
    """Our CPU time over trafilatura's default, on the same filings, interleaved."""
    from trafilatura import extract

    ours = theirs = 0.0
    for path in files(data, step * 4):
        source = path.read_bytes()
        ours += min(_seconds(lambda path=path: sections(path)) for _ in range(2))
        theirs += min(_seconds(lambda source=source: extract(source)) for _ in range(2))
    return ours / theirs


def _seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


@cache
def tools() -> dict[str, Callable[[str], str]]:
    """Every extractor that is installed: a page to its main text."""
    found: dict[str, Callable[[str], str]] = {"ours": lambda page: read_html(page).text}
    for name, make in (
        ("trafilatura", _trafilatura),
        ("trafilatura_markdown", _trafilatura_markdown),
        ("resiliparse", _resiliparse),
        ("readability", _readability),
        ("newspaper4k", _newspaper),
        ("inscriptis", _inscriptis),
        ("markdownify", _markdownify),
    ):
        try:
            found[name] = make()
        except ImportError as error:
            print(f"{name}: left out, {error}", file=sys.stderr)
    return found


def _trafilatura() -> Callable[[str], str]:
    from trafilatura import extract

    return lambda page: extract(page, fast=True) or ""


def _trafilatura_markdown() -> Callable[[str], str]:
    from trafilatura import extract

    options: dict[str, Any] = {"fast": True, "include_comments": False, "output_format": "markdown"}
    return lambda page: extract(page, include_formatting=True, **options) or ""


def _resiliparse() -> Callable[[str], str]:
    from resiliparse.extract.html2text import extract_plain_text

    return lambda page: extract_plain_text(page, main_content=True, preserve_formatting=True) or ""


def _readability() -> Callable[[str], str]:
    from lxml.html import document_fromstring
    from readability import Document

    return lambda page: str(document_fromstring(Document(page).summary() or "<p>").text_content())


def _newspaper() -> Callable[[str], str]:
    from html import unescape

    import tinysegmenter  # noqa: F401 - newspaper4k raises on every Japanese page without it
    from newspaper import article

    def read(page: str) -> str:  # its own choice of language goes by <html lang>, which Japanese pages seldom have
        seen = unescape(page)  # most of the pages are written in character references
        language = {"language": "ja"} if any("\u3041" <= c <= "\u30fe" for c in seen) else {}
        return str(article("http://localhost/", input_html=page, fetch_images=False, **language).text)

    return read


def _inscriptis() -> Callable[[str], str]:
    from inscriptis import get_text

    return lambda page: str(get_text(page))


def _markdownify() -> Callable[[str], str]:
    from markdownify import markdownify

    return lambda page: str(markdownify(page, heading_style="ATX"))


def attempt(tool: Callable[[str], str], page: str) -> str:
    """What a tool gives; nothing where it raises, as some do on some pages."""
    try:
        return tool(page)
    except Exception as error:  # noqa: BLE001 - a peer may raise anything
        print(f"  {type(error).__name__}", file=sys.stderr)
        return ""


def japanese(data: Path) -> Iterator[tuple[str, str, str]]:
    """(name, page, gold) of the Japanese pages."""
    for line in (data / "web_ja/gold.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield row["id"][-40:], row["html"], row["gold"]


def more_japanese(data: Path) -> Iterator[tuple[str, str, str]]:
    """(name, page, gold) of newspaper pages and of pages labelled by eye."""
    for path in sorted((data / "web_ja/fundus").glob("*.html.gz")):
        gold = json.loads(path.with_name(f"{path.name.partition('_')[0]}.json").read_text("utf-8"))["V1"]["body"]
        sections = [line for part in gold["sections"] for line in (*part["headline"], *part["paragraphs"])]
        yield path.stem, gzip.decompress(path.read_bytes()).decode(), "\n".join([*gold["summary"], *sections])
    yield from labelled(data, "web_ja", "{}")


def english(data: Path) -> Iterator[tuple[str, str, str]]:
    """(name, page, gold) of pages in English and some other languages, labelled by eye."""
    yield from labelled(data, "web_en", "scrapinghub/{}*.html.gz")


def labelled(data: Path, folder: str, pattern: str) -> Iterator[tuple[str, str, str]]:
    """(name, page, gold) of the pages of a folder whose article is given as ranges of its lines."""
    labels = yaml.safe_load(Path(__file__).with_name("html_labels.yaml").read_text("utf-8"))[folder]
    for name, label in labels.items():
        path = next((data / folder).glob(pattern.format(name)))
        page = decode(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).text
        lines = m.lines(page)
        if len(lines) != label["lines"]:
            raise SystemExit(f"{path}: {len(lines)} lines, {label['lines']} when it was labelled")
        ranges = (map(int, body.split("-")) for body in label["body"])
        yield name, page, "\n".join(line for first, last in ranges for line in lines[first : last + 1])


def lectures(data: Path) -> Iterator[tuple[str, str, str]]:
    """(name, page, gold) of the lecture and documentation pages."""
    for path in sorted((data / "html_gold").glob("*/*.html")):
        source = next(path.with_suffix(s) for s in (".md", ".qmd") if path.with_suffix(s).exists())
        gold = m.cleaned(source.read_text("utf-8"))
        yield f"{path.parent.name}/{path.stem}", m.without_results(path.read_text("utf-8"), gold), gold


SETS = {"web_ja": japanese, "web_ja_more": more_japanese, "web_en": english, "lectures": lectures}


def scores(pages: list[tuple[str, str, str]], names: list[str], *, each: bool) -> dict[str, dict[str, float]]:
    """Measures by tool: mean and worst F1, and what is kept of code lines and headings where the gold has them."""
    table: dict[str, dict[str, float]] = {}
    for name in names:
        texts = [attempt(tools()[name], page) for _, page, _ in pages]
        single = [m.f1(text, gold) for text, (_, _, gold) in zip(texts, pages, strict=True)]
        table[name] = {
            "f1": m.mean(single),
            "worst": min(single),
            "code": m.ratio(m.code_lines(gold, text) for text, (_, _, gold) in zip(texts, pages, strict=True)),
            "headings": m.ratio(m.heading_lines(gold, text) for text, (_, _, gold) in zip(texts, pages, strict=True)),
        }
        if each:
            for value, text, (page, _, gold) in zip(single, texts, pages, strict=True):
                print(f"  {name:22} {value:.3f} {len(text):7} {len(gold):7} {page}", file=sys.stderr)
    return table


def encoding_errors(data: Path) -> tuple[int, int, float]:
    """Re-encoded items that are not read as they were, how many there are, and milliseconds per MB of the long ones."""
    texts = [page for _, page, _ in japanese(data)]
    texts += [path.read_bytes().decode("cp932") for path in sorted((data / "aozora").glob("*.txt"))[:20]]
    texts += [path.read_text("utf-8") for path in sorted((data / "textbook/js-primer").glob("*.md"))[:6]]
    texts += [snippet for text in texts if (snippet := _snippet(text))]
    wrong = total = size = 0
    spent = 0.0
    for text, codec in ((text, codec) for text in texts for codec in ENCODINGS):
        data_ = text.encode(codec, "ignore")
        expected = data_.decode(codec)
        for declared in (None, ENCODINGS[(total + 1) % len(ENCODINGS)]):
            start = time.process_time()
            wrong += decode(data_, declared).text != expected
            total += 1
            if len(text) > SNIPPET:  # what a snippet takes is the call, not its bytes
                spent, size = spent + time.process_time() - start, size + len(data_)
    return wrong, total, 1e9 * spent / size


def _snippet(text: str) -> str:
    """A hundred characters from where the text is Japanese."""
    for at in range(len(text) // 3, len(text) - SNIPPET, SNIPPET):
        piece = text[at : at + SNIPPET]
        if sum("\u3041" <= c <= "\u30fe" for c in piece) > SNIPPET // 5:
            return piece
    return ""


def measure(data: Path, *, quick: bool, each: bool) -> dict[str, Any]:
    """All figures; what a peer is missing for is null."""
    step = QUICK if quick else 1
    peers = list(tools())
    found: dict[str, Any] = {**filings(data, step), "cpu_ratio_trafilatura": cpu_ratio(data, step)}
    chosen = [name for name in peers if not quick or name == "ours" or name.startswith("trafilatura")]
    tables = {key: scores(list(pages(data)), chosen, each=each) for key, pages in SETS.items()}
    for key, table in tables.items():
        print_table(key, table)
        best = [row["f1"] for name, row in table.items() if name.startswith("trafilatura")]
        found[f"f1_{key}"] = table["ours"]["f1"]
        found[f"f1_{key}_trafilatura"] = max(best) if best else None
        found[f"worst_{key}"] = table["ours"]["worst"]
    found["code_lines_kept"] = tables["lectures"]["ours"]["code"]
    found["lecture_headings_kept"] = tables["lectures"]["ours"]["headings"]
    found["encoding_errors"], found["encoding_items"], found["encoding_ms_per_mb"] = encoding_errors(data)
    return found


def print_table(title: str, table: dict[str, dict[str, float]]) -> None:
    print(f"\n{title:22} {'F1':>7} {'worst':>7} {'code':>7} {'headings':>9}")
    for name, row in table.items():
        print(f"{name:22} {row['f1']:7.3f} {row['worst']:7.3f} {row['code']:7.3f} {row['headings']:9.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="every fourth filing, trafilatura the only peer")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--pages", action="store_true", help="a line for every page")
    parser.add_argument("--peers", help="site-packages folder with further peers")
    options = parser.parse_args()
    if options.peers:
        sys.path.append(options.peers)
    found = measure(options.data, quick=options.quick, each=options.pages)
    print()
    for key, value in found.items():
        print(f"{key:26} {value:.4f}" if isinstance(value, float) else f"{key:26} {value}")
    if options.json:
        print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
