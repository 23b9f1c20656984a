"""The main text of a web page by majority: the blocks that most of several readings of it keep.

In: all blocks of a page, and readings of its main text by extractors that go about it in different ways. Out: the
blocks of the page of whose characters, reading by reading, at least half are kept. Extractors fail on different pages,
so what two of three agree on is right where each of them is wrong somewhere (Bevendorff et al., An Empirical
Comparison of Web Content Extraction Algorithms, SIGIR 2023).

On 24 English and 20 other pages with gold it gives F1 .963 and .950, and no page less than .79; of its three readings
trafilatura gives .935 and .921 (worst .60), our article .932 and .933 (.71), readability .954 and .928 (.52).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.extract.tables import Block

MARKS = re.compile(r"[\s|#*`_>\-\\]+|^\d+\. ")
GRAM = 8  # characters: a line of twice as many is known by its pieces, a shorter one only as a whole
MOST = 0.8  # of its pieces that a reading must have


def agreed(page: Sequence[Block], readings: Sequence[Sequence[Block]]) -> list[Block]:
    """The blocks of `page` that at least half of the `readings` keep; those of no text have no say."""
    kept = [_Reading(reading) for reading in readings if reading]
    blocks = []
    for block in page:
        lines = list(_lines(block))
        votes = sum(len(line) for line in lines for reading in kept if reading.has(line))
        if votes and 2 * votes >= len(kept) * sum(map(len, lines)):
            blocks.append(block)
    return blocks


def _lines(block: Block) -> Iterator[str]:
    """The lines of a block, without white space and Markdown's marks."""
    yield from filter(None, (MARKS.sub("", line) for line in block.text.split("\n")))


class _Reading:
    """What an extractor keeps of a page, as lines and their pieces."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        lines = [line for block in blocks for line in _lines(block)]
        text = "".join(lines)
        self.lines = frozenset(lines)
        self.pieces = frozenset(text[at : at + GRAM] for at in range(len(text) - GRAM + 1))

    def has(self, line: str) -> bool:
        """Whether the line is in it: it may be broken otherwise, and lack a word."""
        if line in self.lines:
            return True
        starts = range(len(line) - GRAM + 1)
        return len(line) >= 2 * GRAM and sum(line[at : at + GRAM] in self.pieces for at in starts) > MOST * len(starts)
