"""The ruled lines of a page: what a table's grid is drawn with.

In: a pypdfium2 page. Out: `Rulings`, horizontal and vertical, joined where they touch. A stroke, a thin filled box
and the sides of a box all count. pdfplumber finds the same lines by interpreting the page a second time in Python
(130 ms); PDFium has them already, so this costs 0.2-1 ms a page and no page is read twice.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from pipelines.extract.pdf.glyphs import Frame, address, bind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pypdfium2 import PdfPage

THIN = 3.0  # points: a box not wider than this is a line
JOIN = 2.5  # points between two ends that meet
MOST_OBJECTS = 20_000  # of a page; a map or a chart has more, and holds no table grid worth the time
MOST_SEGMENTS = 400  # of a path; a curve has more

TEXT, PATH, FORM = pdfium.FPDF_PAGEOBJ_TEXT, pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_FORM
IDENTITY = np.eye(3)
Lines = NDArray[np.float32]  # (n, 3): position across, start, end
Boxes = NDArray[np.floating]  # (n, 4): left, bottom, right, top in PDF units
Matrix = NDArray[np.float64]  # (3, 3), for row vectors

_HANDLE, _INT = ctypes.c_void_p, ctypes.c_int
_page_object = bind(pdfium.FPDFPage_GetObject, ctypes.c_size_t, _HANDLE, _INT)
_form_object = bind(pdfium.FPDFFormObj_GetObject, ctypes.c_size_t, _HANDLE, ctypes.c_ulong)
_form_count = bind(pdfium.FPDFFormObj_CountObjects, _INT, _HANDLE)
_kind = bind(pdfium.FPDFPageObj_GetType, _INT, _HANDLE)
_bounds = bind(pdfium.FPDFPageObj_GetBounds, _INT, *[_HANDLE] * 5)
_matrix = bind(pdfium.FPDFPageObj_GetMatrix, _INT, _HANDLE, _HANDLE)
_mode = bind(pdfium.FPDFPath_GetDrawMode, _INT, _HANDLE, _HANDLE, _HANDLE)
_segments = bind(pdfium.FPDFPath_CountSegments, _INT, _HANDLE)
_segment = bind(pdfium.FPDFPath_GetPathSegment, ctypes.c_size_t, _HANDLE, _INT)
_point = bind(pdfium.FPDFPathSegment_GetPoint, _INT, _HANDLE, _HANDLE, _HANDLE)
_segment_kind = bind(pdfium.FPDFPathSegment_GetType, _INT, _HANDLE)


@dataclass(frozen=True, slots=True)
class Rulings:
    """Lines as (n, 3) arrays, in points from the page's top left: `across` as (y, x0, x1), `down` as (x, y0, y1)."""

    across: Lines
    down: Lines

    def __bool__(self) -> bool:
        return len(self.across) > 1 and len(self.down) > 1


def read_rulings(page: PdfPage, frame: Frame) -> Rulings:
    """The ruled lines of a page, in the frame of `read_glyphs`."""
    left, _, _, top = frame
    found = np.concatenate([np.zeros((0, 4)), *_boxes(page)]) * [1, -1, 1, -1] + [-left, top, -left, top]
    x0, y1, x1, y0 = found.astype(np.float32).T
    flat = (y1 - y0 <= THIN) & (x1 - x0 > y1 - y0)
    tall = (x1 - x0 <= THIN) & (y1 - y0 > x1 - x0)
    across = np.stack([(y0 + y1) / 2, x0, x1], axis=1)[flat]
    down = np.stack([(x0 + x1) / 2, y0, y1], axis=1)[tall]
    return Rulings(joined(across), joined(down))


def joined(lines: Lines) -> Lines:
    """Lines at one position that touch, as one; lines shorter than a letter are dropped after that."""
    if not len(lines):
        return lines
    lines = lines[np.argsort(lines[:, 0], kind="stable")]
    level = np.append(0, np.cumsum(np.diff(lines[:, 0]) > 1.0))
    lines, level = _sorted_within(lines, level)
    merged: list[list[float]] = []
    last = -1
    for (position, start, end), group in zip(lines.tolist(), level.tolist(), strict=True):
        if group == last and start <= merged[-1][2] + JOIN:
            merged[-1][2] = max(merged[-1][2], end)
        else:
            merged.append([position, start, end])
        last = group
    result = np.array(merged, np.float32)
    return result[result[:, 2] - result[:, 1] > 4.0]


def _sorted_within(lines: Lines, level: NDArray[np.intp]) -> tuple[Lines, NDArray[np.intp]]:
    order = np.lexsort((lines[:, 1], level))
    return lines[order], level[order]


def _boxes(page: PdfPage) -> Iterator[Boxes]:
    """Every line on the page and in the forms drawn on it."""
    count = min(pdfium.FPDFPage_CountObjects(page.raw), MOST_OBJECTS)
    level = [(list(map(_page_object, repeat(address(page.raw)), range(count))), IDENTITY)]
    seen = 0
    while level and seen < MOST_OBJECTS:
        handles, place = level.pop()
        seen += len(handles)
        drawn = [(kind, handle) for kind, handle in zip(map(_kind, handles), handles, strict=True) if kind != TEXT]
        yield from _lines_of([handle for kind, handle in drawn if kind == PATH], place)
        for form in (handle for kind, handle in drawn if kind == FORM):
            children = range(max(min(_form_count(form), MOST_OBJECTS - seen), 0))
            level.append((list(map(_form_object, repeat(form), children)), _own_matrix(form) @ place))


def _lines_of(paths: list[int], place: Matrix) -> Iterator[Boxes]:
    """A thin path is one line; of a path with few corners, its straight edges are."""
    if not paths:
        return
    edges = np.zeros((len(paths), 4), np.float32)
    at = edges.ctypes.data
    columns = [range(at + side, at + side + 16 * len(paths), 16) for side in (0, 4, 8, 12)]
    bounded = np.fromiter(map(_bounds, paths, *columns), bool, len(paths))
    boxes = _placed(edges, place)
    thin = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) <= THIN
    yield boxes[bounded & thin]
    filled, stroked = ctypes.c_int(), ctypes.c_int()
    for index in np.flatnonzero(bounded & ~thin).tolist():
        _mode(paths[index], ctypes.addressof(filled), ctypes.addressof(stroked))
        count = _segments(paths[index])
        if stroked.value and count <= MOST_SEGMENTS:
            straight = _straight(paths[index], count, _own_matrix(paths[index]) @ place)
            yield straight[(straight[:, 2:] - straight[:, :2]).min(axis=1) < 0.5]


def _own_matrix(handle: int) -> Matrix:
    """An object's matrix for row vectors; the identity where it has none."""
    values = (ctypes.c_float * 6)(1, 0, 0, 1, 0, 0)
    _matrix(handle, ctypes.addressof(values))
    a, b, c, d, e, f = values
    return np.array([[a, b, 0], [c, d, 0], [e, f, 1]], np.float64)


def _placed(boxes: Boxes, place: Matrix) -> Boxes:
    """The boxes around `boxes` where a matrix puts them."""
    if place is IDENTITY:
        return boxes
    low, high = (boxes[:, side] @ place[:2, :2] + place[2, :2] for side in ([0, 1], [2, 3]))
    return np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1)


def _straight(handle: int, count: int, place: Matrix) -> Boxes:
    """The boxes of the straight segments of a path, the closing one of a box included."""
    points = np.zeros((count, 2), np.float32)
    handles = list(map(_segment, repeat(handle), range(count)))
    kinds = np.fromiter(map(_segment_kind, handles), np.intp, count)
    start = points.ctypes.data
    for _ in map(_point, handles, range(start, start + 8 * count, 8), range(start + 4, start + 4 + 8 * count, 8)):
        pass
    at = points @ place[:2, :2] + place[2, :2]
    ends = np.flatnonzero(kinds[1:] == pdfium.FPDF_SEGMENT_LINETO) + 1
    starts = ends - 1
    if count == 4:
        starts, ends = np.append(starts, -1), np.append(ends, 0)
    return np.concatenate([np.minimum(at[starts], at[ends]), np.maximum(at[starts], at[ends])], axis=1)
