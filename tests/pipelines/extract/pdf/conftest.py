"""A typesetter for tests: text at places and lines between points, written as a PDF without any library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.extract import Failure, Part, Raw
from pipelines.extract.pdf import extract_pdf

HEIGHT = 842
Drawing = tuple[str, float, float, float, Any]


def text(x: float, y: float, size: float, words: str) -> Drawing:
    """`words` with their top left at (x, y), y downwards; ideographs are one `size` wide."""
    return ("H" if not words.isascii() else "L", x, y + size, size, words)


def down(x: float, y: float, size: float, words: str) -> Drawing:
    """`words` set vertically, centred on x, from y downwards."""
    return ("V", x, y, size, words)


def line(x0: float, y0: float, x1: float, y1: float) -> Drawing:
    return ("line", x0, y0, x1, y1)


def _operators(drawing: Drawing) -> bytes:
    kind, x, y, third, last = drawing
    if kind == "line":
        return b"%.2f %.2f m %.2f %.2f l S" % (x, HEIGHT - y, third, HEIGHT - last)
    code = last.encode("latin-1") if kind == "L" else last.encode("utf-16-be")
    return b"BT /%s %.2f Tf %.2f %.2f Td <%s> Tj ET" % (kind.encode(), third, x, HEIGHT - y, code.hex().encode())


def typeset(pages: list[list[Drawing]], information: str = "") -> bytes:
    """The bytes of a PDF of A4 pages; `information` is the inside of its document information dictionary."""
    system = b"<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>"
    cid = b"<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiMin-W3/DW 1000/CIDSystemInfo%s>>" % system
    composite = b"<</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/UniJIS-UCS2-%s/DescendantFonts[4 0 R]>>"
    kids = b" ".join(b"%d 0 R" % (7 + 2 * n) for n in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d/MediaBox[0 0 595 %d]>>" % (kids, len(pages), HEIGHT),
        composite % b"H",
        cid,
        composite % b"V",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, page in enumerate(pages):
        stream = b"\n".join(_operators(drawing) for drawing in page)
        fonts = b"<</Font<</H 3 0 R/V 5 0 R/L 6 0 R>>>>"
        objects.append(b"<</Type/Page/Parent 2 0 R/Resources%s/Contents %d 0 R>>" % (fonts, 8 + 2 * number))
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
    objects.append(b"<<%s>>" % information.encode())
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj%sendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R/Info %d 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (
            size,
            table,
            size,
            size - 1,
            len(body),
        )
    )


@pytest.fixture
def extract(tmp_path: Path) -> Callable[..., Part | Failure]:
    """Typeset pages (or take bytes as they are) and extract the file."""

    def run(pages: list[list[Drawing]] | bytes, **options: Any) -> Part | Failure:
        path = tmp_path / "typeset.pdf"
        path.write_bytes(pages if isinstance(pages, bytes) else typeset(pages))
        (result,) = extract_pdf(Raw(path, "typeset.pdf", "report", "application/pdf"), **options)
        return result

    return run


@pytest.fixture
def as_pdf() -> Callable[[list[list[Drawing]]], bytes]:
    """`typeset`, for tests that want the bytes."""
    return typeset


@pytest.fixture
def set_text() -> tuple[Callable[..., Drawing], ...]:
    """`text`, `down` and `line`, for tests that are collected without a package."""
    return text, down, line
