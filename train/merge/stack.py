"""The same tensor of all models of a merge, in chunks of float32, and what a method must know of the whole of it.

A chunk has a row for each model and 131,072 columns: a method's arrays stay in the cache, where an operation takes 0.1
ns a value, and its call a tenth of that; with 16,384 columns calls took half of the time. A tensor's first chunk ends
where a block of the file does, as BLAKE3 takes 0.15 ns a byte of whole blocks, and 0.20 of others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from registry.errors import UsageError
from train.merge.selection import LARGEST, Selection, UInt32, between
from train.merge.tensors import CHUNK, SIZES, Float32, Tensor

_SAMPLED = 512  # values of a sample that lie side by side


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

        A sample tells between which two each lies, so one pass finds them, and few values are held in memory. Where it
        misled, a second pass goes by a sample of the whole, and a third holds all.
        """
        bounds, passes = self._bounds(rank), 0
        while True:
            passes += 1
            selections = [Selection(low, high) for low, high in bounds]
            for _, deltas in self.deltas():
                for selection, row in zip(selections, _sizes(deltas), strict=True):
                    selection.see(row)
            found = [selection.largest(rank) for selection in selections]
            if None not in found:
                return np.array(found, dtype=np.uint32).view(np.float32)[:, None]
            every = [(0, LARGEST)] * len(selections)
            bounds = [selection.bounds(rank / self.count) for selection in selections] if passes == 1 else every

    def _bounds(self, rank: int) -> list[tuple[int, int]]:
        """Of each model two sizes between which the `rank`-th largest |d| is likely, by blocks from all over."""
        starts, width = _starts(self.count), min(_SAMPLED, self.count)
        tensors = [tensor for tensor in (self._base, *self._models) if tensor]
        sample = np.empty((len(tensors), len(starts), width), dtype=np.float32)
        for tensor, rows in zip(tensors, sample, strict=True):
            tensor.sample(starts, rows)
        return [between(rows.reshape(-1), rank / self.count, len(starts)) for rows in _sizes(sample[1:] - sample[0])]

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


def _starts(count: int) -> list[int]:
    """Where the blocks of a sample of `count` values begin.

    Four times the sample leaves half as many values between: one that grows as count to the 2/3 takes the least time.
    """
    blocks = 8 + int((2 * count) ** (2 / 3)) // _SAMPLED
    return sorted(set(np.linspace(0, max(count - _SAMPLED, 0), blocks).astype(int).tolist()))


def _sizes(deltas: Float32) -> UInt32:
    """|d|, in the place of d, as integers: without their sign numbers have the same order as their bits."""
    bits: UInt32 = deltas.view(np.uint32)
    return np.bitwise_and(bits, np.uint32(LARGEST >> 1), out=bits)


def _chunks(tensors: Sequence[Tensor]) -> Iterator[Float32]:
    buffer, count = np.empty((len(tensors), CHUNK), dtype=np.float32), tensors[0].size
    first = CHUNK - tensors[0].offset // SIZES[tensors[0].dtype] % CHUNK
    for start, end in pairwise(sorted({0, *range(first, count, CHUNK), count})):
        chunk = buffer[:, : end - start]
        for tensor, row in zip(tensors, chunk, strict=True):
            tensor.read(start, row)
        yield chunk
