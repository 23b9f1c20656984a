"""Which of several documents that say the same stays: by policy, never by luck or by the order they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORST = np.uint64((1 << 64) - 1)


def merit(priority: NDArray[np.int64], quality: NDArray[np.float64], chars: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One number [n] per document that sorts the best first; equals are told apart by their ids.

    The higher priority of the source comes first (16 bits), then the higher quality (0 to 1 in steps of 1/65,534; NaN
    is the lowest), then more characters (32 bits).
    """
    by_priority = 32767 - np.clip(priority, -32768, 32767)
    by_quality = np.where(np.isnan(quality), 65535, np.round(65534 * (1 - np.clip(np.nan_to_num(quality), 0, 1))))
    by_length = (1 << 32) - 1 - np.clip(chars, 0, (1 << 32) - 1)
    high = (by_priority.astype(np.uint64) << np.uint64(16)) | by_quality.astype(np.uint64)
    return (high << np.uint64(32)) | by_length.astype(np.uint64)


def halves(hashes: bytes) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """128-bit hashes, one after another, as their upper and lower halves [n]; they sort as the bytes do."""
    pairs = np.frombuffer(hashes, dtype=">u8").reshape(-1, 2).astype(np.uint64)
    return pairs[:, 0].copy(), pairs[:, 1].copy()
