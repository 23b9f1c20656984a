"""How tensors are merged: one plain function per method, registered by its name.

A method gets a `Stack`, the same tensor of all models, and yields the merged values as float32 in chunks; its
keyword-only parameters are its options in a configuration. What it must know of a whole tensor (norms, thresholds) it
asks of the stack first. It may overwrite the chunks that it gets, which keeps all of its arrays in the cache.

In the formulas: b is the base, m the models, w their weights, d = m - b their task vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce

import numpy as np

from registry.errors import UsageError
from registry.names import Registry
from train.merge.stack import Stack
from train.merge.tensors import CHUNK, Float32

method: Registry[Callable[..., Iterator[Float32]]] = Registry("merge method")


@method
def linear(stack: Stack, *, normalize: bool = True) -> Iterator[Float32]:
    """Weighted mean of the models: sum of w m, over the sum of w unless normalize is off. 2203.05482."""
    total = sum(stack.weights) if normalize else 1.0
    if not total:
        raise UsageError("the weights sum to 0, so they have no mean")
    for models in stack.models():
        yield _weighted(models, [weight / total for weight in stack.weights])


@method
def task_arithmetic(stack: Stack, *, scale: float = 1.0) -> Iterator[Float32]:
    """B + scale sum of w d. Ilharco et al., 2212.04089; for finance models, 2409.19854.

    Computed as (1 - scale sum of w) b + scale sum of w m, so a weight of 1 alone gives that model to the last bit.
    """
    weights = [scale * weight for weight in stack.weights]
    for chunk in stack.all():
        yield _weighted(chunk, [1 - sum(weights), *weights])


@method
def ties(stack: Stack, *, density: float = 0.5, scale: float = 1.0) -> Iterator[Float32]:
    """Of each d the largest, of these the ones whose sign has more weight, their weighted mean. 2306.01708."""
    if min(stack.weights) <= 0:
        raise UsageError("ties takes means, so its weights must be above 0")
    least = stack.thresholds(_rank(stack, density))
    buffer = np.empty((len(stack.weights), CHUNK), dtype=np.float32)  # one: a new one a chunk costs a tenth of the time
    for base, deltas in stack.deltas():
        kept = np.abs(deltas, out=buffer[:, : base.size])
        kept[:] = kept >= least
        np.multiply(deltas, kept, out=deltas)
        total, share = _consensus(deltas, stack.weights, kept)
        np.divide(total, np.add(share, np.float32(1e-30), out=share), out=total)  # what nobody shares is 0
        yield _added(base, total, scale)


@method
def dare_linear(stack: Stack, *, density: float = 0.5, scale: float = 1.0, seed: int = 0) -> Iterator[Float32]:
    """B + scale sum of w d, each d dropped at random to `density` and divided by it. Yu et al., 2311.03099."""
    for base, deltas in _dropped(stack, density, seed):
        yield _added(base, _weighted(deltas, stack.weights), scale)


@method
def dare_ties(stack: Stack, *, density: float = 0.5, scale: float = 1.0, seed: int = 0) -> Iterator[Float32]:
    """As dare_linear, but only what agrees with the sign that has more weight is summed. Yu et al., 2311.03099."""
    for base, deltas in _dropped(stack, density, seed):
        yield _added(base, _consensus(deltas, stack.weights, np.empty_like(deltas))[0], scale)


@method
def slerp(stack: Stack, *, t: float = 0.5) -> Iterator[Float32]:
    """Along the arc from the first model to the second; along the line where they are nearly parallel."""
    if len(stack.weights) != 2:
        raise UsageError(f"slerp merges two models, not {len(stack.weights)}")
    gram = stack.gram(deltas=False)
    norms = math.sqrt(gram[0, 0] * gram[1, 1])
    cosine = min(1.0, max(-1.0, gram[0, 1] / norms)) if norms else 1.0
    shares = [1 - t, t]
    if abs(cosine) <= 0.9995:
        angle = math.acos(cosine)
        shares = [math.sin(share * angle) / math.sin(angle) for share in shares]
    for models in stack.models():
        yield _weighted(models, shares)


@method
def breadcrumbs(stack: Stack, *, density: float = 0.9, top: float = 0.01, scale: float = 1.0) -> Iterator[Float32]:
    """B + scale sum of w d, without the largest `top` of each d and the smallest beyond `density`. 2312.06795."""
    outliers = int(top * stack.count)
    most = stack.thresholds(min(outliers + 1, stack.count))
    least = stack.thresholds(min(outliers + _rank(stack, density), stack.count))
    for base, deltas in stack.deltas():
        np.multiply(deltas, ((size := np.abs(deltas)) <= most) & (size >= least), out=deltas)
        yield _added(base, _weighted(deltas, stack.weights), scale)


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
        yield _added(base, _weighted(deltas, [1 / n] * n), ratio)


def _rank(stack: Stack, density: float) -> int:
    return max(1, round(_share(density) * stack.count))


def _share(density: float) -> float:
    if not 0 < density <= 1:
        raise UsageError(f"density is a share above 0 and up to 1, got {density}")
    return density


def _added(base: Float32, update: Float32, scale: float) -> Float32:
    """Base + scale update, in the base's place; the update is overwritten."""
    return np.add(base, _scaled(update[None], [scale])[0], out=base)


def _weighted(rows: Float32, weights: Sequence[float]) -> Float32:
    """The weighted sum of the rows, which are overwritten."""
    return _summed(_scaled(rows, weights))


def _summed(rows: Float32) -> Float32:
    """The sum of the rows, in the place of the first."""
    return reduce(lambda total, row: np.add(total, row, out=total), rows)


def _scaled(rows: Float32, weights: Sequence[float]) -> Float32:
    """The rows times their weights, in their place."""
    for row, weight in zip(rows, weights, strict=True):
        if weight != 1:
            np.multiply(row, np.float32(weight), out=row)
    return rows


def _dropped(stack: Stack, density: float, seed: int) -> Iterator[tuple[Float32, Float32]]:
    draw = stack.coins(_share(density), seed)
    for base, deltas in stack.deltas():
        np.multiply(deltas, draw(base.size), out=deltas)
        yield base, np.multiply(deltas, np.float32(1 / density), out=deltas)


def _consensus(deltas: Float32, weights: Sequence[float], agrees: Float32) -> tuple[Float32, Float32]:
    """Sum of the w d whose sign is that of the sum of all w d, and the sum of their w; `agrees` is a buffer.

    Flipped by the elected sign (one exclusive or), what agrees is positive. Where the sum is 0, the positive ones are
    taken, as in the authors' code.
    """
    sign = np.bitwise_and(reduce(np.add, _scaled(deltas, weights)).view(np.uint32), np.uint32(1 << 31))
    np.bitwise_xor(deltas.view(np.uint32), sign, out=deltas.view(np.uint32))
    agrees[:] = deltas > 0
    total = _summed(np.multiply(deltas, agrees, out=deltas))
    np.bitwise_xor(total.view(np.uint32), sign, out=total.view(np.uint32))
    return total, _weighted(agrees, weights)
