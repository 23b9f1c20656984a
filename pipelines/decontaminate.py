"""Documents against benchmark items: which document holds an item, and where.

In: items and a text. Out: the items whose wording stands close together in it, with the share found and the span. Both
are folded first: one width, one case, no white space and punctuation, every figure the same; so choices in another
order, other widths and other numbers hide nothing. Of an item's n-grams those that stand in many items (次の記述のうち
最も不適切なものはどれか) do not count. N-grams are looked up in a bitmap first: 60 MB/s against 4,000 items.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.items import Item

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONG, BRIEF = 8, 4  # folded characters of an n-gram; the shorter ones are for items that are too brief for the longer
FEWEST = 5  # n-grams
SHORT = 20  # n-grams; of an item with fewer nearly all have to be there
SHORT_SHARE = 0.9
COMMON = 5  # items; an n-gram that stands in more of them is a set phrase
_BITS = 22
_SIZE = 0x30000
_DROP, _FIGURE = np.uint32(0), np.uint32(48)

_u32, _u64 = vector(types.uint32), vector(types.uint64)


@dataclass(frozen=True, slots=True)
class Overlap:
    """An item that a text holds: `share` of its n-grams, where `needed` are enough, between `start` and `end`."""

    item: str
    share: float
    needed: float
    start: int
    end: int


class Decontaminator:
    """Finds benchmark items in texts."""

    def __init__(self, items: Sequence[Item], *, share: float = 0.6) -> None:
        """Index the items. `share`: how much of an item's own, or of its quoted, n-grams a text has to hold.

        Attributes:
            too_short: ids of items that cannot be told from chance.
        """
        sides = [(item.id, lines) for item in items for lines in (item.own, item.quoted) if lines]
        long = _Index(sides, LONG, share)
        brief = _Index([side for side in sides if side[0] not in long.names], BRIEF, share)
        self._indexes = (long, brief)
        self.too_short = sorted({item.id for item in items} - long.names - brief.names)

    def find(self, text: str) -> list[Overlap]:
        """The items that `text` holds, in the order in which they stand; one per item, the largest share of it."""
        folded, places = _fold(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), _folding())
        best: dict[str, Overlap] = {}
        for index in self._indexes:
            for name, share, needed, begin, end in index.find(folded):
                if name not in best or share > best[name].share:
                    best[name] = Overlap(name, share, needed, int(places[begin]), int(places[end]) + 1)
        return sorted(best.values(), key=lambda overlap: (overlap.start, overlap.item))


class _Index:
    """The n-grams of the lines of items, for one n."""

    def __init__(self, sides: Sequence[tuple[str, Sequence[str]]], n: int, share: float) -> None:
        grams = [_grams_of(lines, n) for _, lines in sides]
        holders = Counter(gram for some in grams for gram in some)
        kept = [{gram for gram in some if holders[gram] <= COMMON} for some in grams]
        indexed = [(name, some) for (name, _), some in zip(sides, kept, strict=True) if len(some) >= FEWEST]
        pairs = sorted((gram, side) for side, (_, some) in enumerate(indexed) for gram in some)
        self._n, self._share = n, share
        self._sides = [(name, len(some)) for name, some in indexed]
        self.names = {name for name, _ in indexed}
        self._grams = np.array([gram for gram, _ in pairs], np.uint64)
        self._owners = np.array([side for _, side in pairs], np.int64)
        self._bitmap = np.zeros(1 << _BITS, bool)
        self._bitmap[self._grams >> np.uint64(64 - _BITS)] = True

    def find(self, folded: NDArray[np.uint32]) -> Iterator[tuple[str, float, float, int, int]]:
        """Name, share, share needed, first and last folded character of every side of an item that is there."""
        hashes = _rolling(folded, self._n)
        hits = np.flatnonzero(self._bitmap[hashes >> np.uint64(64 - _BITS)])
        first = np.searchsorted(self._grams, hashes[hits], "left")
        last = np.searchsorted(self._grams, hashes[hits], "right")
        matches: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for hit, low, high in zip(hits.tolist(), first.tolist(), last.tolist(), strict=True):
            for side in self._owners[low:high].tolist():
                matches[side].append((hit, low))
        for side, some in matches.items():
            name, total = self._sides[side]
            needed = self._share if total >= SHORT else max(self._share, SHORT_SHARE)
            share, begin, end = _densest(some, total, self._n)
            if share >= needed:
                yield name, share, needed, begin, end + self._n - 1


def without(text: str, overlaps: Iterable[Overlap]) -> str:
    """`text` without the spans of `overlaps`."""
    kept, at = [], 0
    for overlap in sorted(overlaps, key=lambda one: one.start):
        kept.append(text[at : max(overlap.start, at)])
        at = max(overlap.end, at)
    return "".join([*kept, text[at:]])


def _densest(matches: list[tuple[int, int]], total: int, n: int) -> tuple[float, int, int]:
    """The largest share of `total` different n-grams within a window of three times their length; and the window."""
    width = 3 * (total + n)
    inside: Counter[int] = Counter()
    best = (0, 0, 0)
    left = 0
    for place, gram in matches:
        inside[gram] += 1
        while matches[left][0] < place - width:
            old = matches[left][1]
            inside[old] -= 1
            if not inside[old]:
                del inside[old]
            left += 1
        if len(inside) > best[0]:
            best = (len(inside), matches[left][0], place)
    return best[0] / total, best[1], best[2]


def _grams_of(lines: Sequence[str], n: int) -> set[int]:
    """The n-grams of each line; none goes over its end, so that lines may come in any order."""
    grams: set[int] = set()
    for line in lines:
        codes = np.frombuffer(line.encode("utf-32-le", "surrogatepass"), np.uint32)
        grams.update(_rolling(_fold(codes, _folding())[0], n).tolist())
    return grams


@cache
def _folding() -> NDArray[np.uint32]:
    """What each code point is folded to: a letter, 48 for any digit, 0 for what is dropped."""
    table = np.arange(_SIZE, dtype=np.uint32)
    for code in range(_SIZE):
        character = unicodedata.normalize("NFKC", chr(code)).casefold()[:1]
        kind = unicodedata.category(character)[0] if character else "C"
        table[code] = ord(character) if kind == "L" else _FIGURE if kind == "N" else _DROP
    return table


@kernel(
    types.Tuple([vector(types.uint32, writable=True), vector(types.int32, writable=True)]),  # type: ignore[no-untyped-call]
    _u32,
    _u32,
)
def _fold(codes: Any, table: Any) -> Any:
    """The folded code points, every figure one of them, and the place that each comes from."""
    folded, places = np.empty(codes.size, np.uint32), np.empty(codes.size, np.int32)
    count = 0
    for i in range(codes.size):
        code = table[codes[i]] if codes[i] < table.size else codes[i]
        if code != _DROP and not (code == _FIGURE and count and folded[count - 1] == _FIGURE):
            folded[count], places[count] = code, i
            count += 1
    return folded[:count].copy(), places[:count].copy()


@kernel(vector(types.uint64, writable=True), _u32, types.int64)
def _rolling(codes: Any, n: Any) -> Any:
    """A hash of every n code points in a row."""
    base, highest = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
    for _ in range(n):
        highest *= base
    hashes = np.empty(max(codes.size - n + 1, 0), np.uint64)
    value = np.uint64(0)
    for i in range(codes.size):
        value = value * base + np.uint64(codes[i])
        if i >= n:
            value -= highest * np.uint64(codes[i - n])
        if i >= n - 1:
            mixed = value ^ (value >> np.uint64(31))
            hashes[i - n + 1] = mixed * np.uint64(0xD6E8FEB86659FD93)
    return hashes
