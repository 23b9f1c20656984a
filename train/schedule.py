"""Learning-rate schedules: one plain function per schedule, step -> share of the highest rate, from 0 to 1.

`cosine` with `start` 0 is the re-warming and re-decaying of Ibrahim et al., 2403.08763; `rewarm` does it again whenever
new data come; `wsd` holds the rate and decays it at the end (Hu et al., 2404.06395). Lengths below 1 are shares of the
steps, others are steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from registry.names import Registry

schedule: Registry[Callable[..., float]] = Registry("schedule")


def _steps(length: float, steps: int) -> int:
    return round(length * steps) if length < 1 else round(length)


def _warm(step: int, warmup: int, start: float) -> float:
    return start + (1 - start) * (step + 1) / (warmup + 1)


@schedule
def constant(step: int, steps: int, *, warmup: float = 0.0, start: float = 0.0) -> float:
    """The highest rate after the warm-up."""
    return wsd(step, steps, warmup=warmup, start=start, decay=0)


@schedule
def cosine(step: int, steps: int, *, warmup: float = 0.01, start: float = 0.0, minimum: float = 0.1) -> float:
    """Up from `start` in the warm-up, then half a cosine down to `minimum`."""
    warm = _steps(warmup, steps)
    if step < warm:
        return _warm(step, warm, start)
    progress = min(1.0, (step - warm) / max(1, steps - warm))
    return minimum + (1 - minimum) * (1 + math.cos(math.pi * progress)) / 2


@schedule
def wsd(
    step: int, steps: int, *, warmup: float = 0.01, start: float = 0.0, decay: float = 0.2, minimum: float = 0.0
) -> float:
    """Warm up, hold, and fall in a line to `minimum` in the last `decay` steps."""
    warm, last = _steps(warmup, steps), _steps(decay, steps)
    if step < warm:
        return _warm(step, warm, start)
    return 1.0 if step < steps - last else minimum + (1 - minimum) * (steps - step) / (last + 1)


@schedule
def rewarm(
    step: int, steps: int, *, at: tuple[int, ...] = (), warmup: float = 0.01, start: float = 0.1, minimum: float = 0.1
) -> float:
    """A cosine from step 0 and from each step of `at`, with a warm-up from `start`."""
    begin = max(b for b in (0, *at) if b <= step)
    end = min((b for b in at if b > step), default=steps)
    return cosine(step - begin, end - begin, warmup=warmup, start=start, minimum=minimum)
