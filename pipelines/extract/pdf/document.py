"""A PDF file from the first page to the last.

In: a path. Out: a `Reading`: the text and what was counted on the way. Pages are read first, by one process or several,
and stay packed; what needs the whole document (running heads, text that reads on, headings) goes over them afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pipelines.extract.pdf.continued import paragraphs
from pipelines.extract.pdf.markdown import Text, markdown
from pipelines.extract.pdf.packed import Pages
from pipelines.extract.pdf.patterns import pattern
from pipelines.extract.pdf.ranges import Source, first_opened
from pipelines.extract.pdf.running import without_running_heads
from pipelines.extract.pdf.together import read_pages
from registry.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import pypdfium2

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
    document, password = first_opened(str(path), options.passwords)
    try:
        count = len(document)
        title, made = _title(document), iso_date(document.get_metadata_value("CreationDate"))
    finally:
        document.close()
    if count == 0:
        raise InputError("broken", "no pages")
    if count > options.most_pages:
        raise InputError("too_large", f"{count} pages, at most {options.most_pages} are read")
    source = Source(str(path), password, keep_ruby=options.keep_ruby)
    pages = read_pages(source, min(count, last_page or count))
    text = markdown(paragraphs(without_running_heads(Pages(pages))))
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
