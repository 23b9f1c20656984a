"""`corpus merge --sweep`: weights searched against an evaluation, over a grid or by Bayesian optimisation.

OptiMer (2603.28858) finds mixture ratios this way after training, at a fraction of the cost of training on each mix.
With fewer trials than the grid has points, the next point is the one with the highest expected improvement under a
Gaussian process (squared exponential kernel, length 0.3 of each range), after three spread over the grid. Points are
always of the grid, so the same configuration gives the same trials.
"""

from __future__ import annotations

import math
import shutil
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.configuration import load
from registry.errors import UsageError, nearest
from train.config import Evaluate, Judged
from train.merge.run import merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from train.merge.config import Merge

    Points = NDArray[np.float64]

_FIRST = 3
_LENGTH, _NOISE = 0.3, 1e-6


def search(config: Merge, folder: Path, out: Path) -> Iterator[str]:
    """Merge and measure trial after trial, each told in a line; the best merge is what `out` holds in the end.

    Raises:
        UsageError: there is no sweep in the configuration, or the evaluation has no such metric.
    """
    if config.sweep is None:
        raise UsageError("the configuration has no `sweep`")
    if out.exists():
        raise UsageError(f"{out} is there already; a merge makes a new folder")
    work = out.with_name(f".{out.name}.sweep")
    shutil.rmtree(work, ignore_errors=True)
    direction = 1.0 if config.sweep.maximize else -1.0
    wanted = load(folder / config.sweep.evaluate, Evaluate)
    best = -math.inf
    try:
        for number, weights in enumerate(trials := _Trials(config.sweep.weights, config.sweep.trials)):
            parts = [p.model_copy(update={"weight": w}) for p, w in zip(config.models, weights, strict=True)]
            made = merge(config.model_copy(update={"models": parts}), folder, work / str(number))
            value = _measure(wanted, folder / config.sweep.evaluate, made, config.sweep.metric)
            trials.told(direction * value)
            yield f"weights {', '.join(f'{w:g}' for w in weights)}: {config.sweep.metric} {value:.4f}"
            if direction * value > best:
                best = direction * value
                shutil.rmtree(work / "best", ignore_errors=True)
                made.rename(work / "best")
            else:
                shutil.rmtree(made)
        (work / "best").rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _measure(wanted: Evaluate, path: Path, made: Path, metric: str) -> float:
    from train.evaluate import KINDS, evaluate

    judged = [Judged(name="trial", model=str(made.resolve()))]
    results = evaluate(wanted.model_copy(update={"models": judged}), path.parent, made / "evaluation")["trial"]
    kind, _, key = metric.partition(".")
    known = {f"{k}.{name}": told["mean"] for k in KINDS for name, told in results[k].items()}
    if f"{kind}.{key}" not in known:
        raise UsageError(f"sweep.metric: the evaluation has no {metric!r}; {nearest(metric, known)}")
    return float(known[metric])


class _Trials:
    """Points of a grid, each after the values of those before are told."""

    def __init__(self, axes: list[list[float]], most: int) -> None:
        self._grid = np.array(list(product(*axes)))
        self._most = min(most or len(self._grid), len(self._grid))
        spread = np.ptp(self._grid, axis=0)
        self._scaled = (self._grid - self._grid.min(axis=0)) / np.where(spread > 0, spread, 1.0)
        self._tried: list[int] = []
        self._values: list[float] = []

    def told(self, value: float) -> None:
        """The value of the last point; more is better."""
        self._values.append(value)

    def __iter__(self) -> Iterator[list[float]]:
        while len(self._tried) < self._most:
            self._tried.append(self._next())
            yield self._grid[self._tried[-1]].tolist()

    def _next(self) -> int:
        if self._most == len(self._grid):
            return len(self._tried)
        if len(self._tried) < _FIRST:
            return round(len(self._tried) * (len(self._grid) - 1) / (_FIRST - 1))
        gain = expected_improvement(self._scaled[self._tried], np.array(self._values), self._scaled)
        gain[self._tried] = -1.0
        return int(np.argmax(gain))


def expected_improvement(known: Points, values: Points, points: Points) -> Points:
    """How much better than the best value each point is expected to be, under a Gaussian process."""
    scale = values.std() or 1.0
    centred = (values - values.mean()) / scale
    kernel: Callable[[Points, Points], Any] = lambda a, b: np.exp(  # noqa: E731
        -0.5 * ((a[:, None] - b[None]) ** 2).sum(-1) / _LENGTH**2
    )
    inverse = np.linalg.inv(kernel(known, known) + _NOISE * np.eye(len(known)))
    cross = kernel(points, known)
    mean = cross @ inverse @ centred
    deviation = np.sqrt(np.maximum(1e-12, 1 - np.einsum("ij,jk,ik->i", cross, inverse, cross)))
    z = (mean - centred.max()) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * (1 + math.erf(each / math.sqrt(2))) for each in z])
    result: Points = deviation * (z * below + density)
    return result
