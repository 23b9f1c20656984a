"""A number and its noise: a ratio of sums over items, and how much better one is than another on the same items.

Published differences on Japanese finance benchmarks are mostly within 2 standard errors, so nothing is told without n
and its standard error, and two models are compared by a paired bootstrap over the same items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

BOOTSTRAP = 2000


def told(mean: float, error: float, n: int) -> dict[str, float | int | None]:
    """A number with its noise in JSON, which knows no NaN."""
    return {"mean": mean if math.isfinite(mean) else None, "error": error if math.isfinite(error) else None, "n": n}


class Score(NamedTuple):
    """The sum of what items have over the sum of their sizes: a mean without sizes, or bits per byte."""

    items: Sequence[float]
    sizes: Sequence[float] = ()

    @property
    def weights(self) -> np.typing.NDArray[Any]:
        """The sizes; 1 each without any."""
        return np.array(self.sizes) if self.sizes else np.ones(len(self.items))

    @property
    def mean(self) -> float:
        """Their ratio; NaN of no items."""
        return float(np.sum(self.items) / self.weights.sum()) if self.items else math.nan

    @property
    def error(self) -> float:
        """Its standard error, by the spread of the items (ratio estimator); NaN for a single one."""
        residuals, n = np.array(self.items) - self.mean * self.weights, len(self.items)
        return float(np.linalg.norm(residuals) * math.sqrt(n / (n - 1)) / self.weights.sum()) if n > 1 else math.nan

    def told(self) -> dict[str, float | int | None]:
        """In JSON."""
        return told(self.mean, self.error, len(self.items))

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.error:.3f} (n={len(self.items)})"


class Difference(NamedTuple):
    """Of two models on the same items: mean and 95 % interval of the bootstrap, which a single item has not."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f}" + ("" if math.isnan(self.low) else f" [{self.low:+.3f}, {self.high:+.3f}]")


def paired(first: Score, second: Score, *, seed: int = 0) -> Difference:
    """How much more the second is: a paired bootstrap over items.

    Raises:
        ValueError: they are not of the same items.
    """
    sizes, n = first.weights, len(first.items)
    if n == 0 or not np.array_equal(sizes, second.weights):
        raise ValueError(f"{n} and {len(second.items)} items cannot be paired")
    differences, draw = np.array(second.items) - np.array(first.items), np.random.default_rng(seed)
    drawn = (draw.integers(0, n, n) for _ in range(BOOTSTRAP if n > 1 else 0))
    means = [differences[some].sum() / sizes[some].sum() for some in drawn]
    low, high = np.quantile(means, [0.025, 0.975]) if means else (math.nan, math.nan)
    return Difference(float(differences.sum() / sizes.sum()), float(low), float(high))
