"""Documents -> bins of a fixed number of tokens, as a pure function of (lengths, capacity, seed, epoch, method).

In: how long each document is. Out: which piece of which document lies in which bin, in which order; no token is
touched, so trainer and exporters share it. Every token of every document is in exactly one bin.

"best_fit" is best-fit-decreasing: no document that fits into a bin is cut, and longer ones are cut into whole bins and
a rest. Equal lengths and equal bins are handled together, so 10 million documents of log-normal lengths take 11 s
(numpy alone), and fill 0.9999 of bins of 2,048 tokens; "concatenate" lays documents end to end, fills all bins but the
last, and cuts 30 % of the documents that would fit; "single" gives each document bins of its own, for models that
cannot tell two in one apart. Which document stands beside which, and in what order, is drawn anew for every epoch.

Ding et al., "Fewer Truncations Improve Language Modeling", ICML 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from registry.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64 = NDArray[np.int64]

Method = Literal["best_fit", "concatenate", "single"]

LARGEST = 1 << 24  # tokens in a bin; the bit set of rooms is as long, and is shifted for every kind of item


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The pieces of all bins: those of bin b are ``[offsets[b]:offsets[b + 1]]`` of the other arrays, in their order.

    Attributes:
        capacity: tokens that a bin takes.
        offsets: int64 [bins + 1] into the pieces.
        documents: int64 [pieces] number of the document a piece is of.
        starts: int64 [pieces] where in its document a piece begins.
        lengths: int64 [pieces] its tokens, at least 1.
    """

    capacity: int
    offsets: Int64
    documents: Int64
    starts: Int64
    lengths: Int64

    def __len__(self) -> int:
        """Bins."""
        return len(self.offsets) - 1

    def pieces(self, index: int) -> tuple[Int64, Int64, Int64]:
        """Documents, starts and lengths of the pieces of one bin.

        Raises:
            IndexError: there is no such bin.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"bin {index} of {len(self)}")
        span = slice(self.offsets[index], self.offsets[index + 1])
        return self.documents[span], self.starts[span], self.lengths[span]

    @property
    def fill(self) -> float:
        """Share of the room in all bins that holds tokens, from 0 to 1."""
        return float(self.lengths.sum() / (len(self) * self.capacity)) if len(self) else 1.0

    def cut_rate(self, lengths: Int64) -> float:
        """Share of the documents that fit into a bin and yet are in several, from 0 to 1."""
        pieces = np.bincount(self.documents, minlength=len(lengths))
        fitting = (lengths > 0) & (lengths <= self.capacity)
        return float(np.mean(pieces[fitting] > 1)) if fitting.any() else 0.0


def pack(lengths: Int64, capacity: int, *, seed: int, epoch: int, method: Method) -> Packed:
    """Pack documents of `lengths` [n] into bins of `capacity` tokens. Empty documents are in no bin.

    Raises:
        UsageError: the capacity is not from 1 to 2**24; a length, seed or epoch is negative; there is no such method.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    if not 1 <= capacity <= LARGEST:
        raise UsageError(f"bins of {capacity} tokens: 1 to {LARGEST} can be packed")
    if min(seed, epoch, int(lengths.min(initial=0))) < 0:
        raise UsageError(f"packing takes no negative seed ({seed}), epoch ({epoch}) or length")
    generator = np.random.Generator(np.random.PCG64([seed, epoch]))
    documents = generator.permutation(np.flatnonzero(lengths))
    match method:
        case "concatenate":
            return _concatenate(documents, lengths[documents], capacity)
        case "best_fit":
            return _best_fit(documents, lengths[documents], capacity, generator)
        case "single":
            return _single(documents, lengths[documents], capacity, generator)
        case _:
            raise UsageError(f"there is no packing {method!r}; known: {', '.join(get_args(Method))}")


def _concatenate(documents: Int64, lengths: Int64, capacity: int) -> Packed:
    """Documents in their order, cut wherever a bin is full."""
    ends = np.cumsum(lengths)
    begins = ends - lengths
    first = begins // capacity
    counts = (ends - 1) // capacity - first + 1
    owner = np.repeat(np.arange(documents.size), counts)
    bins = first[owner] + _ranks(counts)
    starts = np.maximum(begins[owner], bins * capacity)
    stops = np.minimum(ends[owner], (bins + 1) * capacity)
    return Packed(capacity, _offsets(bins), documents[owner], starts - begins[owner], stops - starts)


def _single(documents: Int64, lengths: Int64, capacity: int, generator: np.random.Generator) -> Packed:
    """A piece in each bin, in random order."""
    counts = -(-lengths // capacity)
    order = generator.permutation(int(counts.sum()))
    owner, starts = np.repeat(np.arange(documents.size), counts)[order], _ranks(counts)[order] * capacity
    sizes = np.minimum(lengths[owner] - starts, capacity)
    return Packed(capacity, np.arange(owner.size + 1), documents[owner], starts, sizes)


def _best_fit(documents: Int64, lengths: Int64, capacity: int, generator: np.random.Generator) -> Packed:
    """Whole bins of long documents, then what is left of them and the others into the tightest room, longest first."""
    whole, rest = np.divmod(lengths, capacity)
    full = np.repeat(np.arange(documents.size), whole)
    partial = np.flatnonzero(rest)
    narrow = np.min_scalar_type(capacity)  # 16 bits are sorted by radix, ten times as fast
    partial = partial[np.argsort((capacity - rest[partial]).astype(narrow), kind="stable")]
    bins, opened = _fit(rest[partial], capacity)
    owner = np.concatenate((full, partial))
    starts = np.concatenate((_ranks(whole) * capacity, (whole * capacity)[partial]))
    sizes = np.concatenate((np.full(full.size, capacity), rest[partial]))
    number = generator.permutation(full.size + opened)[np.concatenate((np.arange(full.size), full.size + bins))]
    mixed = generator.permutation(owner.size)  # or else the longest would always come first in its bin
    order = mixed[np.argsort(number[mixed], kind="stable")]
    return Packed(capacity, _offsets(number), documents[owner[order]], starts[order], sizes[order])


def _ranks(counts: Int64) -> Int64:
    """0, 1, ... count - 1 for each of `counts`, laid end to end."""
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)


def _offsets(bins: Int64) -> Int64:
    """Where the pieces of each bin begin once they are grouped by bin, and where the last one's end."""
    return np.concatenate(([0], np.cumsum(np.bincount(bins)))).astype(np.int64)


def _fit(sizes: Int64, capacity: int) -> tuple[Int64, int]:
    """Best-fit-decreasing: the bin of each of `sizes`, which are in descending order, and the number of bins.

    All items of one size meet all bins of one free room at once: k bins take m items each. A bit set of the rooms that
    some bin has makes the smallest that fits one shift away.
    """
    bins = np.empty(sizes.size, dtype=np.int64)
    free: dict[int, list[Int64]] = {}  # room -> bins that have it
    rooms = opened = at = 0  # `rooms` has bit r where free[r] is not empty
    values, counts = np.unique(-sizes, return_counts=True)
    for size, end in zip((-values).tolist(), np.cumsum(counts).tolist(), strict=True):
        while at < end:
            fitting = rooms >> size
            room = size + (fitting & -fitting).bit_length() - 1 if fitting else capacity
            many = min(room // size, end - at)  # items per bin: the tightest room takes the next one of equal size, too
            wanted = (end - at) // many
            if fitting:
                some = _take(free[room], wanted)
                rooms ^= 0 if free[room] else 1 << room
            else:
                some = np.arange(opened, opened + wanted)
                opened += wanted
            bins[at : at + many * some.size] = np.repeat(some, many)
            at += many * some.size
            if left := room - many * size:
                free.setdefault(left, []).append(some)
                rooms |= 1 << left
    return bins, opened


def _take(stacks: list[Int64], wanted: int) -> Int64:
    """Up to `wanted` bins off the last stack."""
    some = stacks[-1]
    if some.size <= wanted:
        return stacks.pop()
    stacks[-1] = some[:-wanted]
    return some[-wanted:]
