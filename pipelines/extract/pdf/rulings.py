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

from pipelines.extract.pdf.glyphs import address, bind

if TYPE_CHECKING:
    from collections.abc import Collection

    from pypdfium2 import PdfPage

THIN = 3.0  # points: a box not wider than this is a line
JOIN = 2.5  # points between two ends that meet
MOST_OBJECTS = 20_000  # of a page; a map or a chart has more, and holds no table grid worth the time
MOST_SEGMENTS = 400  # of a path; a curve has more

PATH, FORM = pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_FORM
IDENTITY = np.eye(3)
Lines = NDArray[np.float32]  # (n, 3): position across, start, end

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


def read_rulings(page: PdfPage, text_objects: Collection[int] = frozenset()) -> Rulings:
    """The ruled lines of a page, in the frame of `read_glyphs`. Known text objects need not be asked what they are."""
    boxes: list[tuple[float, float, float, float]] = []
    _collect(page, text_objects, boxes)
    left, _, _, top = page.get_bbox()
    found = np.array(boxes, np.float32).reshape(-1, 4) * [1, -1, 1, -1] + [-left, top, -left, top]
    x0, x1 = np.minimum(found[:, 0], found[:, 2]), np.maximum(found[:, 0], found[:, 2])
    y0, y1 = np.minimum(found[:, 1], found[:, 3]), np.maximum(found[:, 1], found[:, 3])
    flat = (y1 - y0 <= THIN) & (x1 - x0 > y1 - y0)
    tall = (x1 - x0 <= THIN) & (y1 - y0 > x1 - x0)
    across = np.stack([(y0 + y1) / 2, x0, x1], axis=1)[flat]
    down = np.stack([(x0 + x1) / 2, y0, y1], axis=1)[tall]
    return Rulings(joined(across.astype(np.float32)), joined(down.astype(np.float32)))


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


def _collect(page: PdfPage, known: Collection[int], boxes: list[tuple[float, float, float, float]]) -> None:
    """Append left, bottom, right, top of every line on the page and in the forms drawn on it."""
    count = min(pdfium.FPDFPage_CountObjects(page.raw), MOST_OBJECTS)
    objects = map(_page_object, repeat(address(page.raw)), range(count))
    level = [([one for one in objects if one not in known], IDENTITY)]
    seen = 0
    while level and seen < MOST_OBJECTS:
        handles, place = level.pop()
        seen += len(handles)
        for handle, kind in zip(handles, map(_kind, handles), strict=True):
            if kind == PATH:
                _add_path(handle, place, boxes)
            elif kind == FORM:
                children = range(max(min(_form_count(handle), MOST_OBJECTS - seen), 0))
                level.append((list(map(_form_object, repeat(handle), children)), _own_matrix(handle) @ place))


def _own_matrix(handle: int) -> NDArray[np.float64]:
    """An object's matrix for row vectors; the identity where it has none."""
    values = (ctypes.c_float * 6)(1, 0, 0, 1, 0, 0)
    _matrix(handle, ctypes.addressof(values))
    a, b, c, d, e, f = values
    return np.array([[a, b, 0], [c, d, 0], [e, f, 1]], np.float64)


def _add_path(handle: int, place: NDArray[np.float64], boxes: list[tuple[float, float, float, float]]) -> None:
    """A thin path is one line; of a path with few corners, its straight edges are."""
    edges = (ctypes.c_float * 4)()
    at = ctypes.addressof(edges)
    if not _bounds(handle, at, at + 4, at + 8, at + 12):
        return
    left, bottom, right, top = _placed((edges[0], edges[1], edges[2], edges[3]), place)
    if min(right - left, top - bottom) <= THIN:
        boxes.append((left, bottom, right, top))
        return
    filled, stroked = ctypes.c_int(), ctypes.c_int()
    _mode(handle, ctypes.addressof(filled), ctypes.addressof(stroked))
    count = _segments(handle)
    if stroked.value and count <= MOST_SEGMENTS:
        boxes += [
            edge
            for edge in _straight(handle, count, _own_matrix(handle) @ place)
            if min(edge[2] - edge[0], edge[3] - edge[1]) < 0.5
        ]


def _placed(box: tuple[float, float, float, float], place: NDArray[np.float64]) -> tuple[float, float, float, float]:
    if place is IDENTITY:
        return box
    corners = np.array([[box[0], box[1], 1], [box[2], box[3], 1]]) @ place
    (x0, y0), (x1, y1) = corners[:, :2].tolist()
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _straight(handle: int, count: int, place: NDArray[np.float64]) -> list[tuple[float, float, float, float]]:
    """The boxes of the straight segments of a path, the closing one of a box included."""
    x, y = ctypes.c_float(), ctypes.c_float()
    points = np.ones((count, 3))
    kinds = np.zeros(count, np.intp)
    for index in range(count):
        segment = _segment(handle, index)
        kinds[index] = _segment_kind(segment)
        _point(segment, ctypes.addressof(x), ctypes.addressof(y))
        points[index, :2] = x.value, y.value
    at = (points @ place)[:, :2]
    line = np.flatnonzero(kinds[1:] == pdfium.FPDF_SEGMENT_LINETO) + 1
    pairs = (
        np.concatenate([np.stack([at[line - 1], at[line]], axis=1), at[[-1, 0]][None]])
        if count == 4
        else np.stack([at[line - 1], at[line]], axis=1)
    )
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    return [(x0, y0, x1, y1) for (x0, y0), (x1, y1) in zip(low.tolist(), high.tolist(), strict=True)]
