"""Jobs that ended before they began: which nodes to keep away from, and when it is no accident.

In: each such job, by array and node, and each job that did begin. Out: nodes for the next array to leave out, as long
as there are others that work, and whether to stop. A node whose daemon has just died or come back, whose prolog fails,
or which lacks a mount ends each job at once, and so is the first that is free for the next one: it can eat a whole
array. So what it lost is handed in again to other nodes. Where the cause is in the build, or in the way to the
packages, it is the same on all nodes.
"""

from __future__ import annotations

_IN_A_ROW = 3


class EarlyDeaths:
    """Of the arrays of a build."""

    def __init__(self) -> None:
        self._bad: set[str] = set()
        self._good: set[str] = set()
        self._row: list[tuple[int, str]] = []
        self._begun: set[int] = set()

    def begun(self, array: int, node: str) -> None:
        """A job of `array` works, so it can be done: what died before was an accident, and so is what dies after."""
        self._good.add(node)
        self._bad.discard(node)
        self._begun.add(array)
        self._row.clear()

    def add(self, array: int, node: str) -> None:
        """A job of `array` has died before it began, on `node` if that is known."""
        if node:
            self._bad.add(node)
            self._good.discard(node)
        if array not in self._begun:
            self._row.append((array, node))

    def avoid(self) -> list[str]:
        """Nodes to leave out. None where no other is known to work: all others may be down, and would be waited for."""
        return sorted(self._bad) if self._good else []

    def forgive(self) -> None:
        """Leave no node out any more: a stage later it may have come back."""
        self._bad.clear()

    def no_accident(self) -> bool:
        """Whether several have died in a row, on more than one node or in more than one array."""
        return len(self._row) >= _IN_A_ROW and len(set(self._row)) > 1
