"""A time beside another one of this very machine: a bound in seconds fails where processors are slower."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable


def ratio(one: Callable[[], object], other: Callable[[], object], *, rounds: int = 3) -> float:
    """How many times as long `one` takes as `other`: the least of some rounds, in turns, as others may work beside."""
    times = [[_seconds(run) for run in (one, other)] for _ in range(rounds)]
    least, beside = map(min, zip(*times, strict=True))
    return least / beside


def imports(*modules: str) -> Callable[[], object]:
    """Starts a Python that imports modules and ends: what a command with these libraries takes at least."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
