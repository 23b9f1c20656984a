"""Paragraphs that stand in many documents: found while a document is refined, counted over all, cut where asked.

A paragraph is a line of at least SHORTEST characters that is no row of a table and no heading; hashes ignore spaces.
In: a refined text. Out: `marked` gives 32 bytes per paragraph; `repeated` reads those of many documents and tells, of
each that stands in more than k of them, which documents have it, the best first.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHORTEST = 20  # characters; a recipe can only ask for more
MARK = np.dtype([("hash", "<u8"), ("start", "<i8"), ("end", "<i8"), ("words", "<i8")])
_LINE = re.compile(rf"^(?![ \t]*[|#])[^\n]{{{SHORTEST},}}$", re.MULTILINE)


def marked(text: str, words: NDArray[np.int32]) -> bytes:
    """One MARK per paragraph: hash, first and last character, words; `words` are the places where words begin."""
    spans = [(line.start(), line.end()) for line in _LINE.finditer(text)]
    marks = np.empty(len(spans), dtype=MARK)
    if spans:
        marks["start"], marks["end"] = np.array(spans).T
        marks["words"] = np.searchsorted(words, marks["end"]) - np.searchsorted(words, marks["start"])
        marks["hash"] = [_hash(text[start:end]) for start, end in spans]
    return marks.tobytes()


def _hash(line: str) -> int:
    squeezed = "".join(line.split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(squeezed, digest_size=8).digest(), "little")


def repeated(marks: NDArray[Any], documents: NDArray[np.int64], more_than: int) -> tuple[Any, Any, Any]:
    """The marks of paragraphs that stand in more than `more_than` documents.

    Args:
        marks: [m] MARKs.
        documents: [m] the place of each mark's document in the order of preference.
        more_than: how many documents may have one.

    Returns:
        Places [k] into `marks`; in how many documents that paragraph stands [k]; and the place [k] of the mark's
        document among them, 0 the best. A second time in the same document counts as the same document.
    """
    order = np.lexsort((marks["start"], documents, marks["hash"]))
    hashes, owners = marks["hash"][order], documents[order]
    fresh = np.ones(order.size, dtype=np.bool_)
    fresh[1:] = hashes[1:] != hashes[:-1]
    another = fresh.copy()
    another[1:] |= owners[1:] != owners[:-1]
    begin = np.flatnonzero(fresh)
    run = np.cumsum(fresh) - 1
    number = np.cumsum(another)
    rank = number - number[begin][run]
    seen = np.add.reduceat(another.astype(np.int64), begin)[run] if order.size else number
    wanted = seen > more_than
    return order[wanted], seen[wanted], rank[wanted]
