"""Ranges of pages: a file is opened, read for some pages, and closed, so that PDFium keeps nothing of it.

In: a file, its password, and the pages wanted. Out: these, packed. PDFium keeps 16 KB for every page that it has ever
loaded, closed or not, until the document is closed; opening a report of 915 pages again for each 32 of them costs 4 %
of the time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypdfium2

from pipelines.extract.pdf.fonts import use_boxes
from pipelines.extract.pdf.packed import Packed, pack
from pipelines.extract.pdf.pages import Page, read_page
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LENGTH = 32  # pages


@dataclass(frozen=True, slots=True)
class Source:
    """A file that opens, and how its pages are read."""

    path: str
    password: str | None = None
    keep_ruby: bool = False


def ranges(pages: int) -> list[range]:
    """The numbers of so many pages, from 1, in ranges."""
    return [range(first, min(first + LENGTH, pages + 1)) for first in range(1, pages + 1, LENGTH)]


def read_range(source: Source, numbers: range) -> Iterator[Packed]:
    """The pages of these numbers, one by one."""
    document = opened(source.path, source.password)
    try:
        for number in numbers:
            yield pack(_page(document, number, keep_ruby=source.keep_ruby))
    finally:
        document.close()


def _page(document: pypdfium2.PdfDocument, number: int, *, keep_ruby: bool) -> Page:
    try:
        page = document[number - 1]
    except pypdfium2.PdfiumError:
        return Page(number, 0, 0, [], 0, 0)  # a damaged page counts as one without text
    try:
        return read_page(page, number, keep_ruby=keep_ruby)
    finally:
        page.close()


def first_opened(path: str, passwords: Sequence[str]) -> tuple[pypdfium2.PdfDocument, str | None]:
    """The document, which the caller closes, and the first password that opens it, after none.

    Raises:
        InputError: `encrypted` or `broken`.
    """
    for password in (None, *passwords):
        try:
            return opened(path, password), password
        except pypdfium2.PdfiumError as error:
            if "password" not in str(error).lower():
                reason = str(error).partition("PDFium: ")[2].rstrip(").")
                raise InputError("broken", f"PDFium cannot open it ({reason})") from None
    raise InputError(
        "encrypted", "it needs a password" if not passwords else f"none of {len(passwords)} passwords opens it"
    )


def opened(path: str, password: str | None) -> pypdfium2.PdfDocument:
    """The document, which the caller closes; where that fails, PDFium's reason is of this file."""
    use_boxes()
    with suppress(pypdfium2.PdfiumError):
        pypdfium2.PdfDocument(b"")  # for some damage PDFium names no reason, and that of the last file would be told
    return pypdfium2.PdfDocument(path, password=password)
