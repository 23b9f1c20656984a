"""The glyphs of a page as arrays: code point, box, size, weight, rotation.

In: a pypdfium2 page. Out: `Glyphs`, in the order of the content stream, which later files do not trust.

One call per character (its box) and four where a stretch of them starts (size, matrix, font, weight), bound once with
plain integers as handles: 1 ms for a page of 1,260 characters, where pypdfium2's own helpers take 12 and pdfplumber
130. Boxes are PDFium's loose ones (ascent to descent), so that 一 and 国 are equally high and rows can be told by
overlap.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pypdfium2.raw as pdfium

from pipelines.extract.pdf.characters import SECOND_HALF, is_space, repaired, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from pypdfium2 import PdfPage

REGULAR, BOLD = 400.0, 700.0
BOLD_NAME = re.compile(rb"bold|black|heavy|demi|gothic-?[beu]|-[bhw][6-9]?$|w[6-9]\b", re.IGNORECASE)
TALL = 1.45  # em: a box higher than this says nothing of where the glyph is
Frame = tuple[float, float, float, float]  # of a page's crop box: left, bottom, right, top in PDF units
ADJACENT = 0.5  # of a box's height: glyphs further apart start a stretch
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

    def __len__(self) -> int:
        return len(self.code)

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """The glyphs at `index`, which may be a mask."""
        return type(self)(*(array[index] for array in _arrays(self)))


_arrays = attrgetter(*Glyphs.__dataclass_fields__)


def read_glyphs(page: PdfPage, frame: Frame) -> Glyphs:
    """The visible glyphs of a page. What lies outside its crop box `frame` is not visible."""
    text_page = pdfium.FPDFText_LoadPage(page.raw)
    if not text_page:
        nothing = np.zeros((0, 4), np.float32)
        return _glyphs(np.zeros(0, np.uint32), nothing, nothing, np.zeros(0, np.int8), frame)
    try:
        handle = address(text_page)
        count = max(pdfium.FPDFText_CountChars(text_page), 0)
        codes, boxes = _codes(handle, count), _boxes(handle, count)
        blank = is_space(codes)
        spaces = _spaces(codes, blank, boxes)
        seen = np.flatnonzero(~blank & _within(boxes, frame))
        boxes = boxes[seen]
        return _glyphs(codes[seen], boxes, _styles(handle, seen, boxes), spaces[seen], frame)
    finally:
        pdfium.FPDFText_ClosePage(text_page)


def _codes(handle: int, count: int) -> NDArray[np.uint32]:
    """(count,) code points: in one call where the page's text has one UTF-16 unit for each character, else in many."""
    text = np.zeros(count + 1, np.uint16)
    if _text(handle, 0, count, text.ctypes.data) == count + 1:
        return whole(text[:count].astype(np.uint32))
    return whole(np.fromiter(map(_unicode, repeat(handle), range(count)), np.uint32, count))


def _boxes(handle: int, count: int) -> NDArray[np.float32]:
    """(count, 4): left, top, right, bottom of every character, in PDF units (y upwards)."""
    boxes = np.zeros((count, 4), np.float32)
    addresses = range(boxes.ctypes.data, boxes.ctypes.data + 16 * count, 16)
    for _ in map(_box, repeat(handle), range(count), addresses):
        pass
    return boxes


def _styles(handle: int, index: NDArray[np.intp], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 4): drawn size, weight, quarter turns, and the y of the baseline (PDF units, upright text) at `index`.

    Asked once per stretch: 40 to 400 of them on a page, where 1,300 characters may be as many text objects.
    """
    first = _stretches(boxes)
    indices = index[first].tolist()
    matrices = np.zeros((len(first), 6), np.float32)
    start = matrices.ctypes.data
    places = range(start, start + 24 * len(first), 24)
    found = np.fromiter(map(_matrix, repeat(handle), indices, places), bool, len(first))
    sizes = np.fromiter(map(_size, repeat(handle), indices), np.float32, len(first))
    a, b, c, d, _, baseline = matrices.T
    quarters = np.arctan2(b, a) * np.float32(2 / np.pi)
    straight = np.round(quarters)
    styles = np.empty((len(first), 4), np.float32)
    styles[:, 0] = sizes * np.sqrt(abs(a * d - b * c)) * found
    styles[:, 1] = _weights(map(_object, repeat(handle), indices))
    styles[:, 2] = np.where(abs(quarters - straight) < 0.1, straight % 4, -1) * found
    styles[:, 3] = baseline
    return styles.repeat(np.diff(first, append=len(boxes)), axis=0)


def _stretches(boxes: NDArray[np.float32]) -> NDArray[np.intp]:
    """Where stretches of one style start: where a character is not next to the one before, or at another height.

    At another height is what shares neither top nor bottom with it, or is half as high: ruby beside the end of a
    vertical line shares one. A word in bold on a line of the same height is not told apart; what is read of a stretch
    is its first glyph's.
    """
    if not len(boxes):
        return np.zeros(0, np.intp)
    before, after = boxes[:-1], boxes[1:]
    height = abs(boxes[:, 1] - boxes[:, 3])
    alike = abs(height[1:] - height[:-1]) < 0.4 * np.maximum(height[1:], height[:-1])
    level = abs(after[:, 1::2] - before[:, 1::2]).min(axis=1) < 0.01
    near = abs(after[:, 0] - before[:, 2]) < ADJACENT * height[1:]
    return np.flatnonzero(np.append(True, ~(level & alike & near)))


def _weights(objects: Iterable[int]) -> list[float]:
    """The weight of each text object's font; a page has few fonts. PDFium's own spaces have no object."""
    fonts = [_font(one) if one else 0 for one in objects]
    name = ctypes.create_string_buffer(128)
    weights = {font: _weight_of(font, name) for font in set(fonts)}
    return [weights[font] for font in fonts]


def _weight_of(font: int, name: ctypes.Array[ctypes.c_char]) -> float:
    """As the font's name has it, else as its descriptor has it; PDFium alone gives 0 for "Times New Roman,Bold"."""
    if not font:
        return REGULAR
    _font_name(font, ctypes.addressof(name), len(name))
    if BOLD_NAME.search(name.value):
        return BOLD
    weight = _font_weight(font)
    return min(float(weight), BOLD) if weight > 0 else REGULAR


def _within(boxes: NDArray[np.float32], frame: Frame) -> NDArray[np.bool_]:
    """Which boxes have their middle in the frame."""
    left, bottom, right, top = frame
    x, y = boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]  # twice the middle; no comparison holds for a NaN
    within: NDArray[np.bool_] = (x > 2 * left) & (x < 2 * right) & (y > 2 * bottom) & (y < 2 * top)
    return within


def _glyphs(
    codes: NDArray[np.uint32],
    boxes: NDArray[np.float32],
    styles: NDArray[np.float32],
    spaces: NDArray[np.int8],
    frame: Frame,
) -> Glyphs:
    """Glyphs with y growing downwards from the frame's top."""
    left, _, _, top = frame
    x0, y0, x1, y1 = np.ascontiguousarray(_without_overhang(boxes, styles).T)
    size, weight, turn, _ = np.ascontiguousarray(styles.T)
    size = np.where(size > 0.5, size, np.maximum(y0 - y1, 0.5))
    return Glyphs(repaired(codes), x0 - left, top - y0, x1 - left, top - y1, size, weight, turn.astype(np.int8), spaces)


def _without_overhang(boxes: NDArray[np.float32], styles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes no higher than a line: fonts for mathematics claim up to three em, which would join two lines in one."""
    size, _, turn, baseline = styles.T
    low, high = boxes[:, 1], boxes[:, 3]
    tall = (abs(high - low) > TALL * size) & (size > 0) & (turn == 0) & (baseline > boxes[:, [1, 3]].min(axis=1))
    boxes[:, 1] = np.where(tall, np.minimum(low, baseline + 1.0 * size), low)
    boxes[:, 3] = np.where(tall, np.maximum(high, baseline - 0.3 * size), high)
    return boxes


def _spaces(codes: NDArray[np.uint32], blank: NDArray[np.bool_], boxes: NDArray[np.float32]) -> NDArray[np.int8]:
    """What stands before each character: PDFium's own spaces have no width, those of the document do."""
    kind = np.where(blank, np.where(boxes[:, 2] > boxes[:, 0], REAL_SPACE, ASSUMED_SPACE), NO_SPACE).astype(np.int8)
    kind[codes == 0x3000] = WIDE_SPACE
    kind[codes == SECOND_HALF] = NO_SPACE
    before = np.zeros(len(codes), np.int8)
    for index in (np.flatnonzero(blank[1:] & blank[:-1]) + 1).tolist():
        kind[index] = max(kind[index], kind[index - 1])  # of several spaces in a row, the widest counts
    before[1:] = kind[:-1]
    return before
