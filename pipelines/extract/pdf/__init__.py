"""PDF -> Markdown: paragraphs whole, columns in order, ruby and running heads gone, tables as rows.

In: a PDF file. Out: one `Part` with its text, or one `Failure` that says why not. Reading goes from the file's glyphs
up, each step in its own file:

    fonts               boxes for the fonts that a file does not embed
    glyphs, rulings     what PDFium knows, as arrays
    flow                which way the text runs; from here on it runs to the right
    segments, ruby      stretches of a line; the small kana over them
    grid, tables        ruled tables
    rungs, ladders      tables ruled across only
    printed, heights    rows of a ruled table that have no rules between them
    gaps, bands         unruled tables, and what are their rows
    columns, lines      regions in reading order, line by line
    running             headers, footers and page numbers, by repetition
    paragraphs          lines that read on, joined
    continued           across columns, pages and floats; footnotes behind
    markdown            headings and the text

What stands between these and the document:

    packed              pages in few bytes, until all are there
    ranges              a file opened, read for some pages, and closed
    together            several processes that do so, where a file is long and cores stand idle

A file without a text layer can be given one first, by the OCR command of the recipe (`ocr`). Memory grows by 14 KB a
page, its text and where its lines stand: 57 MB in all for 915 pages, which one process reads in 4.1 s and two in 2.7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pipelines.extract import Failure, Part, Raw
from registry.errors import InputError
from registry.names import extractor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.extract.pdf.document import Reading

GARBLED = 0.1  # share of glyphs without a meaning, above which a text is not one
STRANGE = re.compile(
    "[\u0080-\u009f\u00a1-\u00ff\u0152-\u0192\u02c6-\u02dd\u2030\u2039\u203a\u3400-\u4dbf]"
)  # a wrong encoding's
MOJIBAKE = 0.3  # share of these; less in any language: 0.13 in Czech or Icelandic, next to none in Japanese


@extractor("pdf")
def extract_pdf(
    raw: Raw,
    *,
    ruby: Literal["drop", "keep"] = "drop",
    passwords: list[str] | None = None,
    most_pages: int = 5000,
    ocr: str = "",
    ocr_seconds: float = 100.0,
) -> Iterator[Part | Failure]:
    """The text of a PDF as Markdown.

    Args:
        raw: the file.
        ruby: "keep" leaves reading aids in 《》 after their words.
        passwords: tried in turn on an encrypted file, after none.
        most_pages: a file with more pages is refused as `too_large`.
        ocr: a command run on files without a text layer, such as "ocrmypdf --skip-text {input} {output}"; no shell.
        ocr_seconds: how long it may take; less than `extract.limits.seconds`, after which all ends as `timeout`.
    """
    from pipelines.extract.pdf.document import Options, read
    from pipelines.extract.pdf.ocr import recognised

    options = Options(tuple(passwords or ()), keep_ruby=ruby == "keep", most_pages=most_pages)
    try:
        reading = read(raw.path, options)
        if reading.glyphs or not ocr:
            yield _part(reading)
        else:
            with recognised(raw.path, ocr, ocr_seconds) as path:
                yield _part(read(path, options), recognised=1.0)
    except InputError as error:
        yield Failure(error.reason, error.detail)


def _part(reading: Reading, **measurements: float) -> Part:
    if not reading.glyphs:
        pages = "its page has no text" if reading.pages == 1 else f"{reading.pages} pages, none with text"
        raise InputError("no_text_layer", f"{pages}; an OCR tool can add it")
    if reading.undecodable > GARBLED * reading.glyphs:
        raise InputError("garbled", f"{reading.undecodable} of {reading.glyphs} characters have no Unicode mapping")
    strange = len(STRANGE.findall(reading.text.text))
    if strange > MOJIBAKE * reading.glyphs:
        raise InputError("garbled", f"{strange} of {reading.glyphs} characters are such as a wrong encoding gives")
    return Part(
        text=reading.text.text,
        title=reading.title or reading.text.title,
        date=reading.date,
        metadata={
            "pages": str(reading.pages),
            "page_lines": " ".join(str(line) for line in reading.page_lines),
            "headings": "\n".join(f"{line} {level} {text}" for line, level, text in reading.text.headings),
        },
        measurements={
            "pages": float(reading.pages),
            "pages_without_text": float(reading.pages_without_text),
            "undecodable": float(reading.undecodable),
            **measurements,
        },
    )
