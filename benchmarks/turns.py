"""CPU seconds of ways to do the same work, which take turns: what else the machine does falls on all alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any


def turns(ways: dict[str, Callable[[Any], Any]], pieces: list[Any], passes: int) -> dict[str, float]:
    """CPU seconds of each way for all pieces of work, each piece at its fastest of `passes` turns.

    Sums of all turns differ by 10 % between equal ways beside other load. The order is drawn anew for every turn: a way
    that always came after another with the same tables would find them in the cache.
    """
    names = list(ways)
    drawn = random.Random(0)
    fastest = {name: [float("inf")] * len(pieces) for name in names}
    for at in [*range(len(pieces))] * passes:
        drawn.shuffle(names)
        for name in names:
            started = time.process_time()
            ways[name](pieces[at])
            fastest[name][at] = min(fastest[name][at], time.process_time() - started)
    return {name: sum(seconds) for name, seconds in fastest.items()}
