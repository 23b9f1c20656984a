"""How a search for duplicates is cut: documents into indexes, bands into rounds.

In: a number of bands. Out: the names of their columns, in rounds. The driver of a build asks for this alone; it stands
apart from the loops in machine code, with which a driver would hold 120 MB more.
"""

from __future__ import annotations

ROW_BITS = 20
ROWS = 1 << ROW_BITS  # documents in an index at most
_GROWTH = 4  # 1, 4 and 15 of 20 bands: after five, .78 of the pairs at 0.8 are linked and .98 of those at 0.9


def band_name(band: int) -> str:
    """The column of the keys of a band."""
    return f"band_{band:03d}"


def rounds(bands: int) -> list[list[str]]:
    """The bands in the rounds in which they are joined: the first alone, then four times as many each time."""
    names, found, size = [band_name(band) for band in range(bands)], [], 1
    while names:
        found.append(names[:size])
        names, size = names[size:], _GROWTH * size
    return found
