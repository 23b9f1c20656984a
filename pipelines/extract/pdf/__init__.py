"""PDF -> Markdown: paragraphs whole, columns in order, ruby and running heads gone, tables as rows.

In: a PDF file. Out: one `Part` with its text, or one `Failure` that says why not. Reading goes from the file's glyphs
up, each step in its own file:

    glyphs, rulings     what PDFium knows, as arrays
    flow                which way the text runs; from here on it runs to the right
    segments, ruby      stretches of a line; the small kana over them
    grid, tables        ruled and unruled tables
    columns, lines      regions in reading order, line by line
    running             headers, footers and page numbers, by repetition
    paragraphs          joined across lines, columns and pages
    markdown            headings and the text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipelines.extract import Failure, Part, Raw
from registry.errors import InputError
from registry.names import extractor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.extract.pdf.document import Reading

GARBLED = 0.3  # share of glyphs without a meaning, above which a text is not one


@extractor("pdf")
def extract_pdf(
    raw: Raw, *, ruby: Literal["drop", "keep"] = "drop", passwords: list[str] | None = None, most_pages: int = 5000
) -> Iterator[Part | Failure]:
    """The text of a PDF as Markdown.

    Args:
        raw: the file.
        ruby: "keep" leaves reading aids in 《》 after their words.
        passwords: tried in turn on an encrypted file, after none.
        most_pages: a file with more pages is refused as `too_large`.
    """
    from pipelines.extract.pdf.document import read

    try:
        yield _part(read(raw.path, passwords=passwords or [], keep_ruby=ruby == "keep", most_pages=most_pages))
    except InputError as error:
        yield Failure(error.reason, error.detail)


def _part(reading: Reading) -> Part:
    if not reading.glyphs:
        raise InputError("no_text_layer", f"{reading.pages} pages, none with text; an OCR tool can add it")
    if reading.undecodable > GARBLED * reading.glyphs:
        raise InputError("garbled", f"{reading.undecodable} of {reading.glyphs} characters have no Unicode mapping")
    return Part(
        text=reading.text.text,
        title=reading.title or reading.text.title,
        metadata={"pages": str(reading.pages), "page_lines": " ".join(str(line) for line in reading.page_lines)},
        measurements={
            "pages": float(reading.pages),
            "pages_without_text": float(reading.pages_without_text),
            "undecodable": float(reading.undecodable),
        },
    )
