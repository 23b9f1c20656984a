"""What a text says, whatever white space it has: exact duplicates share 16 bytes.

In: the code points of a text. Out: a hash of its UTF-16 without white space.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLANE, _HIGH, _LOW = np.uint32(0x10000), np.uint32(0xD800), np.uint32(0xDC00)
_HALF, _LOWER = np.uint32(10), np.uint32(0x3FF)


def content(codes: NDArray[np.uint32]) -> bytes:
    """16 bytes for the characters of `codes` that are no white space."""
    return hashlib.blake2b(_units(codes, _blank()), digest_size=16).digest()


@cache
def _blank() -> NDArray[np.bool_]:
    """Which code points are white space; none from U+3001 on is."""
    return np.array([chr(code).isspace() for code in range(0x3001)])


@kernel(vector(types.uint16, writable=True), vector(types.uint32), vector(types.boolean))
def _units(codes: Any, blank: Any) -> Any:
    """UTF-16 of the characters that are not white space."""
    units = np.empty(2 * codes.size, np.uint16)
    count = 0
    for i in range(codes.size):
        code = codes[i]
        if code >= _PLANE:
            units[count] = _HIGH + ((code - _PLANE) >> _HALF)
            units[count + 1] = _LOW + ((code - _PLANE) & _LOWER)
            count += 2
        else:
            units[count] = code
            count += code >= blank.size or not blank[code]
    return units[:count]
