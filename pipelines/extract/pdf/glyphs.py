"""The glyphs of a page as arrays: code point, box, size, weight, rotation.

In: a pypdfium2 page. Out: `Glyphs`, in the order of the content stream, which later files do not trust.

Three calls per character (code, box, text object) and four per text object (size, matrix, weight), bound once with
plain integers as handles: 2 ms for a page of 1,260 characters, where pypdfium2's own helpers take 12 and pdfplumber
130. Boxes are PDFium's loose ones (ascent to descent), so that 一 and 国 are equally high and rows can be told by
overlap.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass, fields
from itertools import repeat
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pypdfium2.raw as pdfium

from pipelines.extract.pdf.characters import is_space, repaired

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pypdfium2 import PdfPage

REGULAR, BOLD = 400.0, 700.0
BOLD_NAME = re.compile(rb"bold|black|heavy|demi|gothic-?[beu]|-[bhw][6-9]?$|w[6-9]\b", re.IGNORECASE)
TALL = 1.45  # em: a box higher than this says nothing of where the glyph is
NO_SPACE, ASSUMED_SPACE, REAL_SPACE, WIDE_SPACE = range(4)  # what stands before a glyph in the content stream


def address(handle: Any) -> int:
    """A ctypes pointer as a plain integer."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def bind(function: object, result: type, *arguments: type) -> Callable[..., int]:
    """A second binding of a PDFium function, that takes handles as plain integers and keeps the interpreter's lock.

    0.25 us a call, of which a page needs thousands; pypdfium2's own binding takes 0.45.
    """
    return ctypes.PYFUNCTYPE(result, *arguments)(address(function))


_HANDLE, _INT, _DOUBLE = ctypes.c_void_p, ctypes.c_int, ctypes.c_double
_unicode = bind(pdfium.FPDFText_GetUnicode, ctypes.c_uint, _HANDLE, _INT)
_text = bind(pdfium.FPDFText_GetText, _INT, _HANDLE, _INT, _INT, _HANDLE)
_box = bind(pdfium.FPDFText_GetLooseCharBox, _INT, _HANDLE, _INT, _HANDLE)
_object = bind(pdfium.FPDFText_GetTextObject, ctypes.c_size_t, _HANDLE, _INT)
_size = bind(pdfium.FPDFText_GetFontSize, _DOUBLE, _HANDLE, _INT)
_font = bind(pdfium.FPDFTextObj_GetFont, ctypes.c_size_t, _HANDLE)
_font_name = bind(pdfium.FPDFFont_GetBaseFontName, ctypes.c_size_t, _HANDLE, _HANDLE, ctypes.c_size_t)
_font_weight = bind(pdfium.FPDFFont_GetWeight, _INT, _HANDLE)
_matrix = bind(pdfium.FPDFText_GetMatrix, _INT, _HANDLE, _INT, _HANDLE)


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Visible glyphs, one per index. Lengths in points from the page's top left, x to the right and y downwards."""

    code: NDArray[np.uint32]
    x0: NDArray[np.float32]
    y0: NDArray[np.float32]
    x1: NDArray[np.float32]
    y1: NDArray[np.float32]
    size: NDArray[np.float32]  # of the font as it is drawn
    weight: NDArray[np.float32]  # of the font: 400 is regular, 700 bold
    turn: NDArray[np.int8]  # quarter turns of the glyph, counter-clockwise; -1 where it stands askew
    space: NDArray[np.int8]  # what the content stream has before it: NO_SPACE, ASSUMED_SPACE, REAL_SPACE, WIDE_SPACE

    text_object: NDArray[np.uint64]  # PDFium's handle of what drew it

    def __len__(self) -> int:
        return len(self.code)

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The glyphs at `index`, which may be a mask."""
        return type(self)(*(getattr(self, f.name)[index] for f in fields(self)))


def read_glyphs(page: PdfPage) -> Glyphs:
    """The visible glyphs of a page. What lies outside its crop box is not visible."""
    box = page.get_bbox()
    text_page = pdfium.FPDFText_LoadPage(page.raw)
    if not text_page:
        nothing = np.zeros((0, 4), np.float32)
        return _visible(np.zeros(0, np.uint32), nothing, nothing, np.zeros(0, np.uint64), box)
    try:
        handle = address(text_page)
        count = max(pdfium.FPDFText_CountChars(text_page), 0)
        objects = _objects(handle, count)
        return _visible(_codes(handle, count), _boxes(handle, count), _styles(handle, objects), objects, box)
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def _codes(handle: int, count: int) -> NDArray[np.uint32]:
    """(count,) code points: in one call where the page's text has one UTF-16 unit for each character, else in many."""
    text = np.zeros(count + 1, np.uint16)
    if _text(handle, 0, count, text.ctypes.data) == count + 1:
        return text[:count].astype(np.uint32)
    return np.fromiter(map(_unicode, repeat(handle), range(count)), np.uint32, count)


def _boxes(handle: int, count: int) -> NDArray[np.float32]:
    """(count, 4): left, top, right, bottom of every character, in PDF units (y upwards)."""
    boxes = np.zeros((count, 4), np.float32)
    addresses = range(boxes.ctypes.data, boxes.ctypes.data + 16 * count, 16)
    for _ in map(_box, repeat(handle), range(count), addresses):
        pass
    return boxes


def _styles(handle: int, objects: NDArray[np.uint64]) -> NDArray[np.float32]:
    """(count, 4): drawn size, weight, quarter turns, and the y of the baseline (PDF units, upright text).

    Asked once per text object, of which a page has 1 to 1,300.
    """
    each, first, inverse = np.unique(objects, return_index=True, return_inverse=True)
    matrices = np.zeros((len(first), 6), np.float32)
    indices = first.tolist()
    start = matrices.ctypes.data
    places = range(start, start + 24 * len(first), 24)
    found = np.fromiter(map(_matrix, repeat(handle), indices, places), bool, len(first))
    sizes = np.fromiter(map(_size, repeat(handle), indices), np.float32, len(first))
    a, b, c, d, _, baseline = matrices.T
    quarters = np.arctan2(b, a) * 2 / np.pi
    straight = np.round(quarters)
    turns = np.where(abs(quarters - straight) < 0.1, straight % 4, -1)
    styles = [sizes * np.sqrt(abs(a * d - b * c)) * found, _weights(each), turns * found, baseline]
    return np.stack(styles, axis=1)[inverse]


def _weights(objects: NDArray[np.uint64]) -> NDArray[np.float32]:
    """The weight of each text object's font; a page has few fonts."""
    fonts = np.zeros(len(objects), np.uint64)
    text = objects != 0
    fonts[text] = np.fromiter(map(_font, objects[text].tolist()), np.uint64)
    weights = {font: _weight_of(font) for font in set(fonts.tolist())}
    return np.array([weights[font] for font in fonts.tolist()], np.float32)


def _weight_of(font: int) -> float:
    """As the font's name has it, else as its descriptor has it; PDFium alone gives 0 for "Times New Roman,Bold"."""
    if not font:
        return REGULAR
    name = ctypes.create_string_buffer(128)
    _font_name(font, ctypes.addressof(name), len(name))
    if BOLD_NAME.search(name.value):
        return BOLD
    weight = _font_weight(font)
    return min(float(weight), BOLD) if weight > 0 else REGULAR


def _objects(handle: int, count: int) -> NDArray[np.uint64]:
    """The text object of every character, 0 for spaces that PDFium adds.

    An object is a run of characters: every fourth is asked, and those between where two of them differ.
    """
    objects = np.zeros(count, np.uint64)
    asked = np.append(np.arange(0, count - 1, 4), count - 1) if count else np.zeros(0, np.intp)
    objects[asked] = np.fromiter(map(_object, repeat(handle), asked.tolist()), np.uint64, len(asked))
    left, right, span = objects[asked[:-1]], objects[asked[1:]], np.diff(asked)
    objects[:-1] = left.repeat(span)
    unknown = np.append(((left != right) | (left == 0)).repeat(span), False)[:count]
    unknown[asked] = False
    missing = np.flatnonzero(unknown).tolist()
    objects[missing] = np.fromiter(map(_object, repeat(handle), missing), np.uint64, len(missing))
    return objects


def _visible(
    codes: NDArray[np.uint32],
    boxes: NDArray[np.float32],
    styles: NDArray[np.float32],
    objects: NDArray[np.uint64],
    page: tuple[float, float, float, float],
) -> Glyphs:
    """Drop spaces (remembering where they stood) and what is cropped, and let y grow downwards."""
    left, bottom, right, top = page
    boxes = _without_overhang(boxes, styles)
    x0, y1, x1, y0 = (boxes[:, 0] - left, top - boxes[:, 3], boxes[:, 2] - left, top - boxes[:, 1])
    ink = ~is_space(codes)
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    ink &= (middle_x > 0) & (middle_x < right - left) & (middle_y > 0) & (middle_y < top - bottom)
    ink &= np.isfinite(boxes).all(axis=1)
    size = np.where(styles[:, 0] > 0.5, styles[:, 0], np.maximum(y1 - y0, 0.5))
    glyphs = Glyphs(
        repaired(codes),
        x0,
        y0,
        x1,
        y1,
        size.astype(np.float32),
        styles[:, 1],
        styles[:, 2].astype(np.int8),
        _spaces(codes, x0, x1),
        objects,
    )
    return glyphs.take(ink)


def _without_overhang(boxes: NDArray[np.float32], styles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes no higher than a line: fonts for mathematics claim up to three em, which would join two lines in one."""
    size, _, turn, baseline = styles.T
    low, high = boxes[:, 1], boxes[:, 3]
    tall = (abs(high - low) > TALL * size) & (size > 0) & (turn == 0) & (baseline > boxes[:, [1, 3]].min(axis=1))
    boxes[:, 1] = np.where(tall, np.minimum(low, baseline + 1.0 * size), low)
    boxes[:, 3] = np.where(tall, np.maximum(high, baseline - 0.3 * size), high)
    return boxes


def _spaces(codes: NDArray[np.uint32], x0: NDArray[np.float32], x1: NDArray[np.float32]) -> NDArray[np.int8]:
    """What stands before each character: PDFium's own spaces have no width, those of the document do."""
    kind = np.zeros(len(codes), np.int8)
    space = is_space(codes)
    kind[space] = np.where(x1[space] > x0[space], REAL_SPACE, ASSUMED_SPACE)
    kind[codes == 0x3000] = WIDE_SPACE
    before = np.zeros(len(codes), np.int8)
    before[1:] = kind[:-1]
    run = space[1:] & space[:-1]  # of several spaces in a row, the widest counts
    for index in np.flatnonzero(run) + 1:
        kind[index] = max(kind[index], kind[index - 1])
    before[1:] = kind[:-1]
    return before
