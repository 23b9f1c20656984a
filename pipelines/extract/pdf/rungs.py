"""Rules across a page that may be of one table: one under the other, of one width, and met by none that runs down.

In: the rulings of a stream. Out: groups of them, each from top to bottom, as `ladders` looks for tables in.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from pipelines.extract.pdf.grid import meeting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipelines.extract.pdf.rulings import Lines, Rulings

RULES = 3  # at least, from the top of a table to its foot
ENDS = 3.0  # points by which the ends of a table's rules may differ
SHORTEST = 10.0  # em: of a rule of a table
HIGHEST = 0.4  # of the page: between two rules of a table


def _alone(rulings: Rulings) -> Lines:
    """The rules across that no rule down meets."""
    return rulings.across[~meeting(rulings).any(axis=1)]


def rungs(rulings: Rulings, em: float, height: float) -> Iterator[Lines]:
    """Groups of rules that start and end at the same places, from top to bottom, no two far apart on a page so high."""
    across = _alone(rulings)
    if len(across) < RULES:
        return
    wide = _whole(across, em)
    wide = wide[wide[:, 2] - wide[:, 1] > SHORTEST * em]
    ends = np.column_stack([_bundles(wide[:, 1]), _bundles(wide[:, 2])])
    order = np.lexsort((wide[:, 0], ends[:, 1], ends[:, 0]))
    for _, group in groupby(order.tolist(), key=lambda i: tuple(ends[i].tolist())):
        rules = wide[list(group)]
        rules = rules[np.append(True, np.diff(rules[:, 0]) > 0.5 * em)]
        cuts = np.flatnonzero(np.diff(rules[:, 0]) > HIGHEST * height) + 1
        yield from (part for part in np.split(rules, cuts) if len(part) >= RULES)


def _bundles(ends: NDArray[np.floating]) -> NDArray[np.intp]:
    """A number for each value, the same for those that differ by no more than `ENDS` from a neighbour."""
    order = np.argsort(ends, kind="stable")
    bundles = np.zeros(len(ends), np.intp)
    bundles[order[1:]] = np.cumsum(np.diff(ends[order]) > ENDS)
    return bundles


def _whole(across: Lines, em: float) -> Lines:
    """Rules at one height whose ends are no more than two em apart, as one: a table may have a rule for each column."""
    rules: list[list[float]] = []
    for y, start, end in across[np.lexsort((across[:, 1], np.round(across[:, 0])))].tolist():
        if rules and abs(rules[-1][0] - y) < 1 and start - rules[-1][2] < 2 * em:
            rules[-1][2] = max(rules[-1][2], end)
        else:
            rules.append([y, start, end])
    return np.array(rules, np.float32)
