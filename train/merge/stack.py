"""The same tensor of all models of a merge, in chunks of float32, and what a method must know of the whole of it.

A chunk has a row for each model and 65,536 columns: a method's arrays stay in a core's cache, where an operation takes
0.07 ns a value, and its calls cost a sixth of the time; with 16,384 columns it was half.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from registry.errors import UsageError
from train.merge.tensors import CHUNK, Float32, Tensor


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

        The bits of numbers that are not negative have their order as integers too, and selecting among integers takes
        half as long (0.5 ns a value). All |d| of the tensor are held in memory for it.
        """
        sizes, at = self._room[:, : self.count], 0
        for base, deltas in self.deltas():
            np.abs(deltas, out=sizes[:, at : at + base.size])
            at += base.size
        for row in sizes:
            row.view(np.uint32).partition(self.count - rank)
        return sizes[:, self.count - rank, None].copy()

    def gram(self, *, deltas: bool) -> np.typing.NDArray[np.float64]:
        """Inner products of the task vectors, or of the models themselves: [models, models], summed in float64."""
        total = np.zeros((len(self._models), len(self._models)))
        for chunk in (d for _, d in self.deltas()) if deltas else self.models():
            total += (wide := chunk.astype(np.float64)) @ wide.T
        return total

    def coins(self, keep: float, seed: int) -> Callable[[int], np.typing.NDArray[np.bool_]]:
        """Draws [models, n] booleans, true with probability `keep` (to 1/65,536); a function of seed and tensor."""
        keys = [hashlib.sha256(f"{seed} {i} {self.name}".encode()).digest() for i in range(len(self._models))]
        generators = [np.random.SFC64(int.from_bytes(key[:16], "little")) for key in keys]
        limit = round(keep * (1 << 16))

        def draw(count: int) -> np.typing.NDArray[np.bool_]:
            words = np.stack([generator.random_raw((count + 3) // 4) for generator in generators])
            return words.view(np.uint16)[:, :count] < limit

        return draw


def _chunks(tensors: Sequence[Tensor]) -> Iterator[Float32]:
    buffer, count = np.empty((len(tensors), CHUNK), dtype=np.float32), tensors[0].size
    for start in range(0, count, CHUNK):
        chunk = buffer[:, : count - start]
        for tensor, row in zip(tensors, chunk, strict=True):
            tensor.read(start, row)
        yield chunk
