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

_STRIDE = 127  # of a sample; prime, so that the columns of a matrix take turns
_SMALL = 2048  # values that are not worth a sample
_LARGEST = 0xFFFFFFFF


class Stack:
    """A tensor of the base and of each model.

    Attributes:
        name: of the tensor.
        weights: one per model.
        count: values of the tensor.

    `room` [models, values of the largest tensor] is for what must be in memory as a whole. It is one for all tensors of
    a merge, and nothing where it is not touched: to get new memory for each tensor costs up to 1.5 ns a value.
    """

    def __init__(
        self, name: str, base: Tensor | None, models: Sequence[Tensor], weights: Sequence[float], room: Float32
    ) -> None:
        self.name, self.weights, self.count = name, list(weights), models[0].size
        self._base, self._models, self._room = base, list(models), room

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

        The bits of numbers that are not negative have their order as integers too. All |d| of the tensor are held in
        memory for it.
        """
        sizes, at = self._room[:, : self.count], 0
        for base, deltas in self.deltas():
            np.abs(deltas, out=sizes[:, at : at + base.size])
            at += base.size
        bits = np.array([nth_largest(row.view(np.uint32), rank) for row in sizes], dtype=np.uint32)
        return bits.view(np.float32)[:, None]

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


def nth_largest(values: UInt32, rank: int) -> int:
    """The `rank`-th largest of the values, for ranks from 1 on.

    A sample tells between which two it lies; those above are counted, and of the few between the right one is found in
    the same way: 1.0 to 1.9 ns a value. Partitioning all takes 0.5 ns on Intel's AVX-512, but 5 to 8 on AMD's Zen 4,
    where stores that compress are slow. Floyd and Rivest, "Expected time bounds for selection", 1975.
    """
    if values.size > _SMALL:
        low, high = _between(values, rank)
        pieces = [values[start : start + CHUNK] for start in range(0, values.size, CHUNK)]
        above = sum(int(np.count_nonzero(piece > high)) for piece in pieces)
        if low < high:  # what is below `low` wraps around
            some = np.concatenate([piece[np.flatnonzero(piece - low <= high - low)] for piece in pieces])
            if above < rank <= above + some.size <= above + values.size // 2:
                return nth_largest(some, rank - above)
        elif above < rank <= sum(int(np.count_nonzero(piece >= low)) for piece in pieces):
            return int(low)  # one of many that are equal, as differences of bfloat16 are
    return int(np.partition(values, values.size - rank)[values.size - rank])


def _between(values: UInt32, rank: int) -> tuple[np.uint32, np.uint32]:
    """Two values between which the `rank`-th largest is with all but certainty: 4 standard deviations of a sample."""
    sample = np.sort(values[::_STRIDE])
    place, margin = (values.size - rank) / _STRIDE, 2 * math.sqrt(sample.size) + 2
    low = sample[int(place - margin)] if place >= margin else np.uint32(0)
    high = sample[int(place + margin)] if place + margin < sample.size else np.uint32(_LARGEST)
    return low, high


def _chunks(tensors: Sequence[Tensor]) -> Iterator[Float32]:
    buffer, count = np.empty((len(tensors), CHUNK), dtype=np.float32), tensors[0].size
    first = CHUNK - tensors[0].offset // SIZES[tensors[0].dtype] % CHUNK
    for start, end in pairwise((0, *range(first, count, CHUNK), count)):
        chunk = buffer[:, : end - start]
        for tensor, row in zip(tensors, chunk, strict=True):
            tensor.read(start, row)
        yield chunk
