"""How tensors are merged: one plain function per method, registered by its name.

A method gets a `Stack`, the same tensor of all models, and yields the merged values as float32 in chunks; its
keyword-only parameters are its options in a configuration. Chunks of 32,768 values stay in a core's cache, in buffers
that are used again, so arithmetic costs 0.1-0.3 ns a value and memory does not grow with the tensors. What a method
must know of a whole tensor (norms, thresholds) it gathers in an earlier pass.

In the formulas: b is the base, m the models, w their weights, d = m - b their task vectors.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

from registry.errors import UsageError
from registry.names import Registry
from train.merge.tensors import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from train.merge.tensors import Tensor

    Float32 = NDArray[np.float32]

_SAMPLES = 32, 1024  # places of a tensor, and values at each, that a guess of a threshold rests on
method: Registry[Callable[..., Iterator[Float32]]] = Registry("merge method")


class Stack:
    """The same tensor of the base and of each model.

    Attributes:
        name: of the tensor.
        weights: one per model.
        count: values of the tensor.
    """

    def __init__(self, name: str, base: Tensor | None, models: Sequence[Tensor], weights: Sequence[float]) -> None:
        self.name, self.weights, self.count = name, list(weights), models[0].count
        self._base, self._models = base, models

    def values(self) -> Iterator[list[Float32]]:
        """Chunks of the models, without the base; the arrays are used again for the next ones."""
        buffers = [np.empty(CHUNK, dtype=np.float32) for _ in self._models]
        for start in range(0, self.count, CHUNK):
            views = [buffer[: self.count - start] for buffer in buffers]
            for tensor, view in zip(self._models, views, strict=True):
                tensor.read(start, view)
            yield views

    def with_base(self) -> Iterator[tuple[Float32, list[Float32]]]:
        """Chunks of the base and of the models.

        Raises:
            UsageError: there is no base.
        """
        if self._base is None:
            raise UsageError("this method works on differences to a base model: give `base`")
        buffer = np.empty(CHUNK, dtype=np.float32)
        for number, models in enumerate(self.values()):
            base = buffer[: models[0].size]
            self._base.read(number * CHUNK, base)
            yield base, models

    def deltas(self) -> Iterator[tuple[Float32, list[Float32]]]:
        """Chunks of the base and of the task vectors."""
        for base, models in self.with_base():
            for model in models:
                np.subtract(model, base, out=model)
            yield base, models

    def thresholds(self, ranks: Sequence[int]) -> list[list[float]]:
        """For each model, the `rank`-th largest |d| of its tensor, for each rank from 1 on; exact.

        A sample brackets each threshold; one pass counts what is above the bracket and gathers what is inside, which
        alone is sorted (Floyd and Rivest, 1975). A bracket that missed is widened to everything.
        """
        brackets = self._brackets(ranks)
        found = self._gather(brackets)
        missed = [
            [
                (0.0, math.inf) if not 0 < rank - above <= inside.size else bracket
                for rank, bracket, (above, inside) in row
            ]
            for row in ([*zip(ranks, b, f, strict=True)] for b, f in zip(brackets, found, strict=True))
        ]
        if missed != brackets:
            found = self._gather(missed)
        return [
            [_largest(inside, rank - above) for rank, (above, inside) in zip(ranks, row, strict=True)] for row in found
        ]

    def _brackets(self, ranks: Sequence[int]) -> list[list[tuple[float, float]]]:
        """For each model and rank, bounds that its threshold most likely lies between."""
        places, size = _SAMPLES
        if self._base is None or self.count <= 4 * places * size:
            return [[(0.0, math.inf)] * len(ranks) for _ in self._models]
        base, model = np.empty(size, dtype=np.float32), np.empty(size, dtype=np.float32)
        samples: list[list[Float32]] = [[] for _ in self._models]
        for place in range(places):
            start = place * (self.count - size) // (places - 1)
            self._base.read(start, base)
            for tensor, sample in zip(self._models, samples, strict=True):
                tensor.read(start, model)
                sample.append(np.abs(model - base))
        n = places * size
        margin = 2.5 * math.sqrt(n)  # five standard deviations
        sorted_samples = [np.sort(np.concatenate(sample)) for sample in samples]
        middles = [n - rank / self.count * n for rank in ranks]
        return [
            [
                (
                    float(values[round(middle - margin)]) if middle > margin else 0.0,
                    float(values[round(middle + margin)]) if middle + margin < n - 1 else math.inf,
                )
                for middle in middles
            ]
            for values in sorted_samples
        ]

    def _gather(self, brackets: list[list[tuple[float, float]]]) -> list[list[tuple[int, Float32]]]:
        """For each model and bracket, how many |d| are above it, and those inside."""
        above = [[0] * len(row) for row in brackets]
        inside: list[list[list[Float32]]] = [[[] for _ in row] for row in brackets]
        for _, deltas in self.deltas():
            for number, delta in enumerate(deltas):
                size = np.abs(delta, out=delta)
                for place, (low, high) in enumerate(brackets[number]):
                    over = size > np.float32(high)
                    above[number][place] += int(np.count_nonzero(over))
                    inside[number][place].append(size[(size >= np.float32(low)) ^ over])
        return [
            [(count, np.concatenate(some)) for count, some in zip(counts, row, strict=True)]
            for counts, row in zip(above, inside, strict=True)
        ]

    def gram(self, *, deltas: bool) -> NDArray[np.float64]:
        """Inner products of the task vectors, or of the models themselves: [models, models], summed in float64."""
        total = np.zeros((len(self._models), len(self._models)))
        for chunk in (d for _, d in self.deltas()) if deltas else self.values():
            stacked = np.stack(chunk).astype(np.float64)
            total += stacked @ stacked.T
        return total

    def coins(self, keep: float, seed: int, number: int) -> Callable[[int], NDArray[np.bool_]]:
        """Draws booleans, true with probability `keep` (to 1/65,536), for one model; a function of seed and tensor."""
        key = hashlib.sha256(f"{seed} {number} {self.name}".encode()).digest()
        generator = np.random.SFC64(int.from_bytes(key[:16], "little"))
        limit = round(keep * (1 << 16))

        def draw(count: int) -> NDArray[np.bool_]:
            words = generator.random_raw((count + 3) // 4)
            return np.asarray(words).view(np.uint16)[:count] < limit

        return draw


def _largest(values: Float32, rank: int) -> float:
    return float(np.sort(values)[values.size - rank])  # on so few, and with many equal, faster than np.partition


def _share(name: str, value: float) -> float:
    if not 0 < value <= 1:
        raise UsageError(f"{name} is a share above 0 and up to 1, got {value}")
    return value


@method
def linear(stack: Stack, *, normalize: bool = True) -> Iterator[Float32]:
    """Weighted mean of the models: sum of w m, over the sum of w unless normalize is off. 2203.05482."""
    total = sum(stack.weights) if normalize else 1.0
    if not total:
        raise UsageError("the weights sum to 0, so they have no mean")
    for models in stack.values():
        for weight, model in zip(stack.weights, models, strict=True):
            np.multiply(model, np.float32(weight / total), out=model)
        yield _sum(models)


@method
def task_arithmetic(stack: Stack, *, scale: float = 1.0) -> Iterator[Float32]:
    """B + scale sum of w d. Ilharco et al., 2212.04089; for finance models, 2409.19854.

    Computed as (1 - scale sum of w) b + scale sum of w m, so a weight of 1 alone gives that model to the last bit.
    """
    factors = [np.float32(scale * weight) for weight in stack.weights]
    rest = np.float32(1 - scale * sum(stack.weights))
    for base, models in stack.with_base():
        np.multiply(base, rest, out=base)
        for factor, model in zip(factors, models, strict=True):
            np.add(base, np.multiply(model, factor, out=model), out=base)
        yield base


@method
def ties(stack: Stack, *, density: float = 0.5, scale: float = 1.0) -> Iterator[Float32]:
    """Of each d the largest, of these the ones whose sign has more weight, their weighted mean. 2306.01708."""
    if min(stack.weights) <= 0:
        raise UsageError("ties takes means, so its weights must be above 0")
    tops = [top for (top,) in stack.thresholds([_rank(stack, density)])]
    for base, deltas in stack.deltas():
        kept = np.empty_like(base)
        for delta, top in zip(deltas, tops, strict=True):
            kept[:] = np.abs(delta, out=kept) >= np.float32(top)
            np.multiply(delta, kept, out=delta)
        yield _consensus(base, deltas, stack.weights, scale, mean=True)


@method
def dare_linear(stack: Stack, *, density: float = 0.5, scale: float = 1.0, seed: int = 0) -> Iterator[Float32]:
    """B + scale sum of w d, each d dropped at random to `density` and divided by it. Yu et al., 2311.03099."""
    for base, deltas in _dropped(stack, density, seed):
        for weight, delta in zip(stack.weights, deltas, strict=True):
            np.multiply(delta, np.float32(scale * weight), out=delta)
            np.add(base, delta, out=base)
        yield base


@method
def dare_ties(stack: Stack, *, density: float = 0.5, scale: float = 1.0, seed: int = 0) -> Iterator[Float32]:
    """As dare_linear, but only what agrees with the sign that has more weight is summed. Yu et al., 2311.03099."""
    for base, deltas in _dropped(stack, density, seed):
        yield _consensus(base, deltas, stack.weights, scale, mean=False)


@method
def slerp(stack: Stack, *, t: float = 0.5) -> Iterator[Float32]:
    """Along the arc from the first model to the second; along the line where they are nearly parallel."""
    if len(stack.weights) != 2:
        raise UsageError(f"slerp merges two models, not {len(stack.weights)}")
    gram = stack.gram(deltas=False)
    norms = math.sqrt(gram[0, 0] * gram[1, 1])
    cosine = min(1.0, max(-1.0, gram[0, 1] / norms)) if norms else 1.0
    angle = math.acos(cosine)
    line = abs(cosine) > 0.9995
    first = 1 - t if line else math.sin((1 - t) * angle) / math.sin(angle)
    second = t if line else math.sin(t * angle) / math.sin(angle)
    for one, other in stack.values():
        np.multiply(one, np.float32(first), out=one)
        np.multiply(other, np.float32(second), out=other)
        yield np.add(one, other, out=one)


@method
def breadcrumbs(stack: Stack, *, density: float = 0.9, top: float = 0.01, scale: float = 1.0) -> Iterator[Float32]:
    """B + scale sum of w d, without the largest `top` of each d and the smallest beyond `density`. 2312.06795."""
    outliers = int(top * stack.count)
    ranks = [min(outliers + 1, stack.count), min(outliers + _rank(stack, density), stack.count)]
    limits = stack.thresholds(ranks)
    for base, deltas in stack.deltas():
        for weight, delta, (most, least) in zip(stack.weights, deltas, limits, strict=True):
            size = np.abs(delta)
            np.multiply(delta, (size <= np.float32(most)) & (size >= np.float32(least)), out=delta)
            np.multiply(delta, np.float32(scale * weight), out=delta)
            np.add(base, delta, out=base)
        yield base


@method
def model_stock(stack: Stack) -> Iterator[Float32]:
    """Base + t mean of d, t = n cos / (1 + (n - 1) cos) by the mean cosine of the n task vectors. 2403.19522."""
    n = len(stack.weights)
    if n < 2:
        raise UsageError("model_stock needs two models or more: it goes by the angle between them")
    gram = stack.gram(deltas=True)
    norms = np.sqrt(np.diag(gram))
    pairs = [gram[i, j] / max(norms[i] * norms[j], 1e-30) for i in range(n) for j in range(i)]
    cosine = max(0.0, float(np.mean(pairs)))
    ratio = n * cosine / (1 + (n - 1) * cosine)
    for base, deltas in stack.deltas():
        mean = _sum(deltas)
        np.multiply(mean, np.float32(ratio / n), out=mean)
        yield np.add(base, mean, out=base)


def _rank(stack: Stack, density: float) -> int:
    return max(1, round(_share("density", density) * stack.count))


def _sum(arrays: list[Float32]) -> Float32:
    for other in arrays[1:]:
        np.add(arrays[0], other, out=arrays[0])
    return arrays[0]


def _dropped(stack: Stack, density: float, seed: int) -> Iterator[tuple[Float32, list[Float32]]]:
    keep = _share("density", density)
    coins = [stack.coins(keep, seed, number) for number in range(len(stack.weights))]
    for base, deltas in stack.deltas():
        for delta, draw in zip(deltas, coins, strict=True):
            np.multiply(delta, draw(delta.size), out=delta)
            np.multiply(delta, np.float32(1 / keep), out=delta)
        yield base, deltas


def _consensus(base: Float32, deltas: list[Float32], weights: list[float], scale: float, *, mean: bool) -> Float32:
    """B + scale sum of the w d whose sign is that of the sum of all w d; over the sum of their w for the mean.

    Flipped by the elected sign (one exclusive or), what agrees is positive. Where the sum is 0, the positive ones are
    taken, as in the authors' code.
    """
    for weight, delta in zip(weights, deltas, strict=True):
        np.multiply(delta, np.float32(weight), out=delta)
    sign = _sum([deltas[0].copy(), *deltas[1:]]).view(np.uint32)
    np.bitwise_and(sign, np.uint32(1 << 31), out=sign)
    share, agrees = np.zeros_like(base), np.empty_like(base)
    for weight, delta in zip(weights, deltas, strict=True):
        np.bitwise_xor(delta.view(np.uint32), sign, out=delta.view(np.uint32))
        agrees[:] = delta > 0
        np.multiply(delta, agrees, out=delta)
        if mean:
            np.add(share, np.multiply(agrees, np.float32(weight), out=agrees), out=share)
    total = _sum(deltas)
    if mean:
        np.divide(total, np.maximum(share, np.float32(1e-30), out=share), out=total)
    np.multiply(total, np.float32(scale), out=total)
    np.bitwise_xor(total.view(np.uint32), sign, out=total.view(np.uint32))
    return np.add(base, total, out=base)
