"""`corpus merge --sweep`: weights searched against an evaluation, over a grid or by Bayesian optimisation.

OptiMer (2603.28858) finds mixture ratios this way after training, at a fraction of the cost of training on each mix.
With fewer trials than the grid has points, the next point is the one with the highest expected improvement under a
Gaussian process (squared exponential kernel, length 0.3 of each range), after three spread over the grid. Points are
always of the grid, so the same configuration gives the same trials.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from scipy.stats import norm

from registry.configuration import load
from registry.errors import UsageError, nearest
from train.config import Evaluate, Judged
from train.merge.config import Merge
from train.merge.run import merge

Points = np.typing.NDArray[np.float64]

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
    grid, tried, values = np.array(list(product(*sweep.weights))), list[int](), list[float]()
    work = out.with_name(f".{out.name}.sweep")
    shutil.rmtree(work, ignore_errors=True)
    try:
        while len(tried) < min(sweep.trials or len(grid), len(grid)):
            tried.append(chosen(grid, tried, values, sweep.trials))
            weights = grid[tried[-1]].tolist()
            parts = [p.model_copy(update={"weight": w}) for p, w in zip(config.models, weights, strict=True)]
            made = merge(config.model_copy(update={"models": parts}), folder, work / f"trial{len(tried)}")
            value = _measure(wanted, (folder / sweep.evaluate).parent, made, sweep.metric)
            values.append(value if sweep.maximize else -value)
            yield f"weights {', '.join(f'{w:g}' for w in weights)}: {sweep.metric} {value:.4f}"
            best = work / f"trial{1 + int(np.argmax(values))}"
            for other in work.iterdir():
                if other != best:
                    shutil.rmtree(other)
        best.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _measure(wanted: Evaluate, folder: Path, made: Path, metric: str) -> float:
    from train.evaluate import KINDS, evaluate

    judged = [Judged(name="trial", model=str(made.resolve()))]
    results = evaluate(wanted.model_copy(update={"models": judged}), folder, made / "evaluation")["trial"]
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
    cross = _kernel(points, known)
    solved = np.linalg.solve(_kernel(known, known) + _NOISE * np.eye(len(known)), np.column_stack([centred, cross.T]))
    deviation = np.sqrt(np.maximum(1e-12, 1 - np.einsum("ij,ji->i", cross, solved[:, 1:])))
    z = (cross @ solved[:, 0] - centred.max()) / deviation
    return deviation * (z * norm.cdf(z) + norm.pdf(z))


def _kernel(a: Points, b: Points) -> Points:
    return np.exp(-0.5 * cdist(a, b, "sqeuclidean") / _LENGTH**2)
