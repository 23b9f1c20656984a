"""Fonts that a PDF does not embed: a box of one em for every ideograph, whatever fonts the machine has.

In: PDFium's question for a font of the machine. Out: for a Japanese, Chinese or Korean one, always the same font of
boxes; for others nothing, so that PDFium takes those it brings along. Where text stands and how wide it is, the file
itself says; only the ink is the font's. Yet PDFium drops a 。 at a line's end that has no ink, so without a Japanese
font 1,123 lines of an EDINET report differ, and with one it draws every glyph to measure it: 2.3 s for the report that
takes 0.65 s with boxes. The text no longer depends on the machine.
"""

from __future__ import annotations

import ctypes
import struct
from functools import cache
from itertools import pairwise
from typing import Any

import pypdfium2.raw as pdfium

EM, ASCENT, DESCENT = 1000, 880, -120  # as usual in Japanese fonts
FULL, HALF, BLANK, VERTICAL = 1, 2, 3, 4  # glyphs; 0 is that of missing characters
# Advance, left and right of the ink: a letter leaves room at its sides, by which PDFium tells a space.
GLYPHS = {0: (EM, 0, EM), FULL: (EM, 0, EM), HALF: (500, 50, 450), BLANK: (500, 0, 0), VERTICAL: (EM, 0, EM)}
# The first of each stretch of code points and its glyph.
CHARACTERS = [
    (0x20, BLANK), (0x21, HALF), (0xA0, BLANK), (0xA1, HALF), (0x2000, BLANK), (0x2010, FULL), (0x3000, BLANK),
    (0x3001, FULL), (0xFF61, HALF), (0xFFE0, FULL), (0x110000, FULL),
]  # fmt: skip
CJK = {
    pdfium.FXFONT_SHIFTJIS_CHARSET,
    pdfium.FXFONT_HANGEUL_CHARSET,
    pdfium.FXFONT_GB2312_CHARSET,
    pdfium.FXFONT_CHINESEBIG5_CHARSET,
}
BOXES = 1  # the one font, as a handle
ONE, MAGIC = 1 << 16, 0x5F0F3CF5  # 1.0 as a number of 16.16 bits; what every `head` has


@cache
def use_boxes() -> pdfium.FPDF_SYSFONTINFO:
    """Have PDFium ask us, in this process and from now on; the cache keeps alive what it calls."""
    kinds = dict(pdfium.FPDF_SYSFONTINFO._fields_)
    info = pdfium.FPDF_SYSFONTINFO(
        version=1, MapFont=kinds["MapFont"](_map_font), GetFontData=kinds["GetFontData"](_font_data)
    )
    pdfium.FPDF_SetSystemFontInfo(info)
    return info


def _map_font(_info: Any, _weight: int, _italic: int, charset: int, *_: Any) -> int | None:
    return BOXES if charset in CJK else None


def _font_data(_info: Any, _font: int, table: int, buffer: Any, size: int) -> int:
    """The length of the font file, which is put into `buffer` where that is large enough; nothing for a table alone."""
    data = b"" if table else boxes()
    if data and size >= len(data):
        ctypes.memmove(buffer, data, len(data))
    return len(data)


@cache
def boxes() -> bytes:
    """The font as a TrueType file (ISO/IEC 14496-22)."""
    outlines = [_outline(left, right) for _, left, right in GLYPHS.values()]
    places = [sum(map(len, outlines[:n])) // 2 for n in range(len(outlines) + 1)]
    tables = {
        b"GSUB": _vertical_forms(),
        b"cmap": _characters(),
        b"glyf": b"".join(outlines),
        b"head": struct.pack(">4I2H2q4h2H3h", ONE, ONE, 0, MAGIC, 0, EM, 0, 0, 0, DESCENT, EM, ASCENT, 0, 8, 2, 0, 0),
        b"hhea": struct.pack(">I3hH11hH", ONE, ASCENT, DESCENT, 0, EM, 0, 0, EM, 1, *[0] * 7, len(GLYPHS)),
        b"hmtx": b"".join(struct.pack(">Hh", advance, left) for advance, left, _ in GLYPHS.values()),
        b"loca": struct.pack(f">{len(places)}H", *places),
        b"maxp": struct.pack(">I14H", ONE, len(GLYPHS), 4, 1, 0, 0, 1, *[0] * 8),
    }  # fmt: skip
    head, body = struct.pack(">I4H", ONE, len(tables), 128, 3, 0), b""
    start = len(head) + 16 * len(tables)
    for tag, data in tables.items():
        head += struct.pack(">4s3I", tag, 0, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    return head + body


def _outline(left: int, right: int) -> bytes:
    """A box from descent to ascent, as a contour of four points given by their steps; nothing where it has no width."""
    if left == right:
        return b""
    width, height = right - left, ASCENT - DESCENT
    steps = left, 0, width, 0, DESCENT, height, 0, -height
    return struct.pack(">h4h2H4B8h", 1, left, DESCENT, right, ASCENT, 3, 0, *[1] * 4, *steps)


def _characters() -> bytes:
    """A `cmap` of format 13: every character of a stretch has one glyph."""
    stretches = [(first, after - 1, glyph) for (first, glyph), (after, _) in pairwise(CHARACTERS)]
    groups = b"".join(struct.pack(">3I", *stretch) for stretch in stretches)
    return struct.pack(">4HI2H3I", 0, 1, 3, 10, 12, 13, 0, 16 + len(groups), 0, len(stretches)) + groups


def _vertical_forms() -> bytes:
    """A `GSUB` that gives ideographs and marks a glyph for vertical text; without it PDFium shifts the box of 、."""
    scripts = struct.pack(">H", 0)
    features = struct.pack(">H4sH3H", 1, b"vert", 8, 0, 1, 0)
    lookups = struct.pack(">2H", 1, 4) + struct.pack(">4H", 1, 0, 1, 8)
    single = struct.pack(">3H", 1, 6, VERTICAL - FULL) + struct.pack(">3H", 1, 1, FULL)
    start = 10 + len(scripts)
    return struct.pack(">I3H", ONE, 10, start, start + len(features)) + scripts + features + lookups + single
