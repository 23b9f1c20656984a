"""Which of several documents that say the same stays: by policy, never by luck or by the order they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def rank(
    priority: NDArray[np.int64], quality: NDArray[np.float64], chars: NDArray[np.int64], ids: Sequence[str]
) -> NDArray[np.int64]:
    """The place [n] of each document in the order of preference, 0 the best.

    The higher priority of the source comes first, then the higher quality (NaN is the lowest), then more characters,
    then the id that sorts first.
    """
    names = np.array([name.encode("utf-8", "surrogatepass") for name in ids], dtype=np.bytes_)
    order = np.lexsort((names, -np.asarray(chars), -np.asarray(quality), -np.asarray(priority)))
    places = np.empty(order.size, dtype=np.int64)
    places[order] = np.arange(order.size)
    return places
