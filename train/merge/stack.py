"""The same tensor of all models of a merge, in chunks of float32, and what a method must know of the whole of it.

A chunk has a row for each model and 65,536 columns: a method's arrays stay in a core's cache, where an operation takes
0.07 ns a value, and its calls cost a sixth of the time; with 16,384 columns it was half. A tensor's first chunk ends
where a block of the file does, as BLAKE3 takes 0.15 ns a byte of whole blocks, and 0.20 of others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from registry.errors import UsageError
from train.merge.tensors import CHUNK, SIZES, Float32, Tensor

UInt32 = np.typing.NDArray[np.uint32]

_BLOCKS, _BLOCK = 32, 256  # of values from all over a tensor, which tell where its thresholds are
_STRIDE = 127  # of a sample; prime, so that the columns of a matrix take turns
_SMALL = 1 << 12  # values that are not worth a sample
_LARGEST = 0xFFFFFFFF


class Stack:
    """A tensor of the base and of each model.

    Attributes:
        name: of the tensor.
        weights: one per model.
        count: values of the tensor.
    """

    def __init__(self, name: str, base: Tensor | None, models: Sequence[Tensor], weights: Sequence[float]) -> None:
        self.name, self.weights, self.count = name, list(weights), models[0].size
        self._base, self._models = base, list(models)

    def models(self) -> Iterator[Float32]:
        """Chunks [models, values]; the array is used again for the next one."""
        return _chunks(self._models)

    def all(self) -> Iterator[Float32]:
        """Chunks [1 + models, values] with the base in the first row.

        Raises:
            UsageError: there is no base.
        """
        if self._base is None:
            raise UsageError("this method works on differences to a base model: give `base`")
        return _chunks([self._base, *self._models])

    def deltas(self) -> Iterator[tuple[Float32, Float32]]:
        """Chunks of the base [values], and of the task vectors [models, values]."""
        for chunk in self.all():
            yield chunk[0], np.subtract(chunk[1:], chunk[0], out=chunk[1:])

    def thresholds(self, rank: int) -> Float32:
        """The `rank`-th largest |d| of each model [models, 1], for ranks from 1 on; exact.

        A sample tells between which two each lies, so one pass finds them, and few values are held in memory. Where the
        sample misled, a second pass holds all.
        """
        bounds = self._bounds(rank)
        while True:
            searches = [Search(low, high) for low, high in bounds]
            for _, deltas in self.deltas():
                for search, row in zip(searches, _sizes(deltas), strict=True):
                    search.see(row)
            found = [search.largest(rank) for search in searches]
            if None not in found:
                return np.array(found, dtype=np.uint32).view(np.float32)[:, None]
            bounds = [(0, _LARGEST)] * len(searches)

    def _bounds(self, rank: int) -> list[tuple[int, int]]:
        """Of each model two sizes between which the `rank`-th largest |d| is likely, by blocks from all over."""
        width = min(_BLOCK, self.count)
        starts = np.unique(np.linspace(0, self.count - width, _BLOCKS).astype(int)).tolist()
        tensors = [tensor for tensor in (self._base, *self._models) if tensor]
        sample = np.empty((len(tensors), len(starts) * width), dtype=np.float32)
        for place, start in enumerate(starts):
            for tensor, row in zip(tensors, sample, strict=True):
                tensor.read(start, row[place * width : (place + 1) * width])
        return [between(row, rank / self.count) for row in _sizes(sample[1:] - sample[0])]

    def gram(self, *, deltas: bool) -> np.typing.NDArray[np.float64]:
        """Inner products of the task vectors, or of the models themselves: [models, models], summed in float64."""
        total = np.zeros((len(self._models), len(self._models)))
        for chunk in (d for _, d in self.deltas()) if deltas else self.models():
            total += (wide := chunk.astype(np.float64)) @ wide.T
        return total

    def coins(self, keep: float, seed: int) -> Callable[[int], np.typing.NDArray[np.bool_]]:
        """Draws [models, n] booleans, true with probability `keep` (to 1/65,536); a function of seed and tensor.

        Whatever n is from call to call: the chunks of a tensor depend on where it lies.
        """
        keys = [hashlib.sha256(f"{seed} {i} {self.name}".encode()).digest() for i in range(len(self._models))]
        generators = [np.random.SFC64(int.from_bytes(key[:16], "little")) for key in keys]
        limit, left = round(keep * (1 << 16)), np.empty((len(keys), 0), dtype=np.uint16)

        def draw(count: int) -> np.typing.NDArray[np.bool_]:
            nonlocal left
            words = np.stack([generator.random_raw((count + 3) // 4) for generator in generators])
            drawn = np.hstack([left, words.view(np.uint16)])
            left = drawn[:, count:]
            return drawn[:, :count] < limit

        return draw


class Search:
    """Finds a value by its rank among integers that come in pieces, if it is from `low` to `high`."""

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = np.uint32(low), np.uint32(high)
        self._above = self._equal = self.kept = 0
        self._between: list[UInt32] = []

    def see(self, piece: UInt32) -> None:
        """Count what is above, and keep what is between."""
        self._above += int(np.count_nonzero(piece > self._high))
        if self._low == self._high:  # many may be equal, as differences of bfloat16 are
            self._equal += int(np.count_nonzero(piece == self._low))
        else:  # what is below `low` wraps around
            self._between.append(piece[np.flatnonzero(piece - self._low <= self._high - self._low)])
            self.kept += self._between[-1].size

    def largest(self, rank: int) -> int | None:
        """The `rank`-th largest of all that was seen; None if it is not from `low` to `high`."""
        rank -= self._above
        if 0 < rank <= self._equal:
            return int(self._low)
        return nth_largest(np.concatenate(self._between), rank) if 0 < rank <= self.kept else None


def nth_largest(values: UInt32, rank: int) -> int:
    """The `rank`-th largest of the values, for ranks from 1 on: Floyd and Rivest, 1975.

    1.0 to 1.9 ns a value. Partitioning all takes 0.5 ns on Intel's AVX-512, but 5 to 8 on AMD's Zen 4, where stores
    that compress are slow.
    """
    if values.size > _SMALL:
        search = Search(*between(values[::_STRIDE], rank / values.size))
        search.see(values)
        if 2 * search.kept < values.size and (found := search.largest(rank)) is not None:
            return found
    return int(np.partition(values, values.size - rank)[values.size - rank])


def between(sample: UInt32, share: float) -> tuple[int, int]:
    """Two values between which lies what a `share` of all exceeds, but for a chance of 4 standard deviations."""
    ordered, margin = np.sort(sample), 2 * math.sqrt(sample.size) + 2
    place = (1 - share) * sample.size
    low = int(ordered[int(place - margin)]) if place >= margin else 0
    return low, int(ordered[int(place + margin)]) if place + margin < sample.size else _LARGEST


def _sizes(deltas: Float32) -> UInt32:
    """|d|, in the place of d, as integers: without their sign numbers have the same order as their bits."""
    bits: UInt32 = deltas.view(np.uint32)
    return np.bitwise_and(bits, np.uint32(_LARGEST >> 1), out=bits)


def _chunks(tensors: Sequence[Tensor]) -> Iterator[Float32]:
    buffer, count = np.empty((len(tensors), CHUNK), dtype=np.float32), tensors[0].size
    first = CHUNK - tensors[0].offset // SIZES[tensors[0].dtype] % CHUNK
    for start, end in pairwise((0, *range(first, count, CHUNK), count)):
        chunk = buffer[:, : end - start]
        for tensor, row in zip(tensors, chunk, strict=True):
            tensor.read(start, row)
        yield chunk
