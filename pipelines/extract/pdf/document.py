"""A PDF file from the first page to the last.

In: a path. Out: a `Reading`: the text and what was counted on the way. Pages are read one by one and closed at once;
only their lines stay until the running heads are known.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pypdfium2

from pipelines.extract.pdf.continued import paragraphs
from pipelines.extract.pdf.fonts import use_boxes
from pipelines.extract.pdf.markdown import Text, markdown
from pipelines.extract.pdf.pages import Page, read_page
from pipelines.extract.pdf.patterns import pattern
from pipelines.extract.pdf.running import without_running_heads
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


FIRST_YEAR, LAST_YEAR = 1993, 2099  # PDF is from 1993; programs that know no date write 1601, 1904 or 1970
DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")  # ISO 32000-1, 7.9.4


@dataclass(frozen=True, slots=True)
class Options:
    """How files are read: passwords to try, whether ruby stays, and the most pages that are taken."""

    passwords: tuple[str, ...] = ()
    keep_ruby: bool = False
    most_pages: int = 5000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says."""

    text: Text
    title: str  # as the file itself gives it
    date: str  # ISO 8601, when the file says it was made
    pages: int
    pages_without_text: int
    glyphs: int
    undecodable: int

    @property
    def page_lines(self) -> list[int]:
        """The line of the text (from 0) that each page starts on."""
        starts, line = [], 0
        for page in range(1, self.pages + 1):
            line = self.text.page_lines.get(page, line)
            starts.append(line)
        return starts


def read(path: Path, options: Options, last_page: int | None = None) -> Reading:
    """Read a PDF file, to `last_page` where that is given.

    Raises:
        InputError: `encrypted`, `broken` or `too_large`.
    """
    document = _opened(path, options.passwords)
    try:
        if len(document) > options.most_pages:
            raise InputError("too_large", f"{len(document)} pages, at most {options.most_pages} are read")
        pages = [
            _page(document, number, keep_ruby=options.keep_ruby)
            for number in range(1, min(len(document), last_page or len(document)) + 1)
        ]
        title, made = _title(document), iso_date(document.get_metadata_value("CreationDate"))
    finally:
        document.close()
    text = markdown(list(paragraphs(without_running_heads(pages))))
    empty = sum(not page.glyphs for page in pages)
    glyphs, undecodable = sum(p.glyphs for p in pages), sum(p.undecodable for p in pages)
    return Reading(text, title, made, len(pages), empty, glyphs, undecodable)


def iso_date(value: str) -> str:
    """A PDF date's day: "D:20230330091500+09'00'" is "2023-03-30". Nothing for what is no date, or an unlikely one."""
    found = DATE.match(value)
    if not found or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        return ""
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return ""


def _title(document: pypdfium2.PdfDocument) -> str:
    """The title as the file itself gives it, unless that is but the name of a file it was made from."""
    title: str = document.get_metadata_value("Title").strip()
    return "" if pattern("file_title").search(title) else title


def _page(document: pypdfium2.PdfDocument, number: int, *, keep_ruby: bool) -> Page:
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return Page(number, 0, 0, [], 0, 0)  # a damaged page counts as one without text
    try:
        return read_page(page, number, keep_ruby=keep_ruby)
    finally:
        page.close()


def _opened(path: Path, passwords: Sequence[str]) -> pypdfium2.PdfDocument:
    """The document, with the first password that opens it."""
    use_boxes()
    for password in (None, *passwords):
        _forget_errors()
        try:
            document = pypdfium2.PdfDocument(path, password=password)
        except pypdfium2.PdfiumError as error:
            if "password" not in str(error).lower():
                reason = str(error).partition("PDFium: ")[2].rstrip(").")
                raise InputError("broken", f"PDFium cannot open it ({reason})") from None
        else:
            if len(document) == 0:
                raise InputError("broken", "no pages")
            return document
    raise InputError(
        "encrypted", "it needs a password" if not passwords else f"none of {len(passwords)} passwords opens it"
    )


def _forget_errors() -> None:
    """Make "Data format error" PDFium's last one: for some damage it names none, and the last file's would be told."""
    with suppress(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(b"")
