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
from typing import TYPE_CHECKING

import numpy as np

from registry.configuration import load
from registry.errors import UsageError, nearest
from train.config import Evaluate, Judged
from train.merge.run import merge

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    sweep = config.sweep
    if sweep is None:
        raise UsageError("the configuration has no `sweep`")
    if out.exists():
        raise UsageError(f"{out} is there already; a merge makes a new folder")
    wanted = load(folder / sweep.evaluate, Evaluate)
    work = out.with_name(f".{out.name}.sweep")
    shutil.rmtree(work, ignore_errors=True)

    def measured(weights: list[float], made: Path) -> float:
        parts = [p.model_copy(update={"weight": w}) for p, w in zip(config.models, weights, strict=True)]
        merge(config.model_copy(update={"models": parts}), folder, made)
        return _measure(wanted, folder / sweep.evaluate, made, sweep.metric)

    sign = 1 if sweep.maximize else -1
    grid, tried, values = np.array(list(product(*sweep.weights))), list[int](), list[float]()
    try:
        while len(tried) < min(sweep.trials or len(grid), len(grid)):
            tried.append(chosen(grid, tried, values, sweep.trials))
            weights = grid[tried[-1]].tolist()
            value = measured(weights, work / "trial")
            values.append(sign * value)
            yield f"weights {', '.join(f'{w:g}' for w in weights)}: {sweep.metric} {value:.4f}"
            if values[-1] > max(values[:-1], default=-math.inf):
                shutil.rmtree(work / "best", ignore_errors=True)
                (work / "trial").rename(work / "best")
            shutil.rmtree(work / "trial", ignore_errors=True)
        (work / "best").rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _measure(wanted: Evaluate, path: Path, made: Path, metric: str) -> float:
    from train.evaluate import KINDS, evaluate

    judged = [Judged(name="trial", model=str(made.resolve()))]
    results = evaluate(wanted.model_copy(update={"models": judged}), path.parent, made / "evaluation")["trial"]
    known = {f"{kind}.{name}": told["mean"] for kind in KINDS for name, told in results[kind].items()}
    if metric not in known:
        raise UsageError(f"sweep.metric: the evaluation has no {metric!r}; {nearest(metric, known)}")
    return float(known[metric])


def chosen(grid: Points, tried: list[int], values: list[float], most: int) -> int:
    """Which point of the grid comes next, after the `values` of those tried (more is better); `most` 0: one by one."""
    if not most or most >= len(grid):
        return len(tried)
    if len(tried) < _FIRST:
        return round(len(tried) * (len(grid) - 1) / (_FIRST - 1))
    spread = np.ptp(grid, axis=0)
    scaled = (grid - grid.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    gain = expected_improvement(scaled[tried], np.array(values), scaled)
    gain[tried] = -1.0
    return int(np.argmax(gain))


def expected_improvement(known: Points, values: Points, points: Points) -> Points:
    """How much better than the best value each point is expected to be, under a Gaussian process."""
    centred = (values - values.mean()) / (values.std() or 1.0)
    inverse = np.linalg.inv(_kernel(known, known) + _NOISE * np.eye(len(known)))
    cross = _kernel(points, known)
    mean = cross @ inverse @ centred
    deviation = np.sqrt(np.maximum(1e-12, 1 - np.einsum("ij,jk,ik->i", cross, inverse, cross)))
    z = (mean - centred.max()) / deviation
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    below = np.array([0.5 * (1 + math.erf(each / math.sqrt(2))) for each in z])
    result: Points = deviation * (z * below + density)
    return result


def _kernel(a: Points, b: Points) -> Points:
    result: Points = np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(-1) / _LENGTH**2)
    return result
