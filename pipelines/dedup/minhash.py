"""A document -> its sketch: the set of its shingles and the MinHash signature of that set.

The signature is datasketch 2's ``affine32`` bit for bit, so ``datasketch.MinHash(hashvalues=..., scheme="affine32")``
can take it over (Broder 1997; https://github.com/ekzhu/datasketch/issues/212). Everything after MeCab is loops over
arrays: 320 MB/s per core for 5-grams of words and 155 for characters, 180 and 115 document by document, where
datasketch, given the words, does 1.8 and MeCab itself 9 (1,850 characters of law each, 120 permutations).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.dedup.shingle import shingle_characters, shingle_words
from registry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.dedup.shingle import Spans

Shingle = Literal["words", "chars"]
Numbers = Literal["keep", "mask"]

LARGEST = np.uint32(0xFFFFFFFF)  # every lane of an empty document's signature, as in datasketch
TOGETHER = 64  # documents that are sketched in one call of the kernels; the work of 500 leaves the nearer caches
AT_ONCE = 4096  # shingles that stay in the nearest cache while all permutations pass over them

_u32 = vector(types.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What the search for near-duplicates knows of a document; one without words has no shingles, matches nothing."""

    shingles: NDArray[np.uint32]  # [m] hashes, sorted, unique
    signature: NDArray[np.uint32]  # [permutations]
    form: int = 0  # two texts with the same form and other figures differ in figures alone (shingle.py)
    figures: int = 0


class Sketches(NamedTuple):
    """The sketches of some documents, one after another."""

    shingles: NDArray[np.uint32]
    offsets: NDArray[np.int64]  # [documents + 1] where the shingles of each begin
    signatures: NDArray[np.uint32]  # [documents, permutations]
    form: NDArray[np.uint64]  # [documents]
    figures: NDArray[np.uint64]  # [documents]

    def one(self, place: int) -> Sketch:
        """The sketch of the document at a place."""
        shingles = self.shingles[self.offsets[place] : self.offsets[place + 1]]
        return Sketch(shingles, self.signatures[place], int(self.form[place]), int(self.figures[place]))


class Signer:
    """Makes sketches. Two sketches can be compared where their signers had the same options."""

    def __init__(
        self,
        *,
        shingle: Shingle = "words",
        n: int = 5,
        numbers: Numbers = "keep",
        permutations: int = 120,
        seed: int = 1,
    ) -> None:
        """Set up the permutations.

        Args:
            shingle: n-grams of the MeCab words, or of characters, which needs no MeCab.
            n: how many words or characters make a shingle.
            numbers: whether figures count, or are all the same.
            permutations: lanes of the signature.
            seed: of the permutations, 32-bit.

        Raises:
            UsageError: an option is out of its range.
        """
        for value, valid in ((shingle, get_args(Shingle)), (numbers, get_args(Numbers))):
            if value not in valid:
                raise UsageError(f"{value!r} is neither {valid[0]!r} nor {valid[1]!r}")
        if n < 1 or permutations < 1 or not 0 <= seed < 1 << 32:
            raise UsageError(f"n={n} and permutations={permutations} must be at least 1, seed={seed} a 32-bit number")
        self._words, self._n, self._mask = shingle == "words", n, numbers == "mask"
        self._factors, self._summands = draw_permutations(permutations, seed)

    def sketch(self, text: str, start: NDArray[np.int32], end: NDArray[np.int32]) -> Sketch:
        """The sketch of a text whose words are ``text[start[i]:end[i]]``; for characters the offsets do not matter.

        A document shorter than a shingle gives one shingle of all its words, one without words gives none.

        Raises:
            ValueError: an offset lies outside the text.
        """
        return self.sketch_all([text], [(start, end)]).one(0)

    def sketch_all(self, texts: Sequence[str], words: Sequence[Spans]) -> Sketches:
        """The sketches of many texts, twice as fast as one by one.

        Raises:
            ValueError: an offset lies outside its text.
        """
        cuts = range(0, max(1, len(texts)), TOGETHER)
        found = [self._sketch_some(texts[at : at + TOGETHER], words[at : at + TOGETHER]) for at in cuts]
        if len(found) == 1:
            return found[0]
        shingles, _, signatures, form, figures = map(np.concatenate, zip(*found, strict=True))
        sizes = np.concatenate([np.diff(some.offsets) for some in found])
        return Sketches(shingles, np.concatenate(([0], np.cumsum(sizes))), signatures, form, figures)

    def _sketch_some(self, texts: Sequence[str], words: Sequence[Spans]) -> Sketches:
        if self._words:
            shingled = shingle_words(texts, words, n=self._n, mask=self._mask)
        else:
            shingled = shingle_characters(texts, n=self._n, mask=self._mask)
        for begin, end in pairwise(shingled.offsets.tolist()):
            shingled.hashes[begin:end].sort()  # numpy's, 5 times as fast as one in a kernel
        offsets, signatures = _sign_all(shingled.hashes, shingled.offsets, self._factors, self._summands)
        figures = np.zeros_like(shingled.figures) if self._mask else shingled.figures
        return Sketches(shingled.hashes[: offsets[-1]], offsets, signatures, shingled.form, figures)


def sign(shingles: NDArray[np.uint32], *, permutations: int = 120, seed: int = 1) -> NDArray[np.uint32]:
    """The signature [permutations] of a set of 32-bit shingle hashes [m], in any order, repeated or not."""
    signature: NDArray[np.uint32] = sign_with(
        np.ascontiguousarray(shingles, dtype=np.uint32), *draw_permutations(permutations, seed)
    )
    return signature


def draw_permutations(permutations: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The odd factors and the summands of ``factor * hash + summand mod 2^32``, drawn as datasketch draws them."""
    draw = np.random.RandomState(seed)
    factors = draw.randint(0, 1 << 31, permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, draw.randint(0, 1 << 32, permutations, dtype=np.uint32)


@kernel(vector(types.uint32, writable=True), _u32, _u32, _u32)
def sign_with(shingles: Any, factors: Any, summands: Any) -> Any:
    """The least ``factor * mixed + summand`` of each permutation, where mixed is MurmurHash3's 32-bit finalizer."""
    signature = np.full(factors.size, LARGEST)
    mixed = np.empty(min(AT_ONCE, shingles.size), np.uint32)
    for begin in range(0, shingles.size, AT_ONCE):
        size = min(AT_ONCE, shingles.size - begin)
        for j in range(size):
            h = shingles[begin + j]
            h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B))
            h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35))
            mixed[j] = h ^ (h >> np.uint32(16))
        for k in range(factors.size):
            factor, summand, least = factors[k], summands[k], signature[k]
            for j in range(size):
                least = min(least, np.uint32(np.uint32(mixed[j] * factor) + summand))
            signature[k] = least
    return signature


_i64, _u32w = vector(types.int64), vector(types.uint32, writable=True)
_two = types.Tuple([vector(types.int64, writable=True), vector(types.uint32, dimensions=2, writable=True)])  # type: ignore[no-untyped-call]


@kernel(_two, _u32w, _i64, _u32, _u32)
def _sign_all(hashes: Any, offsets: Any, factors: Any, summands: Any) -> Any:
    """Draw the distinct ones of each document's hashes, which are in order, together; where they begin; signatures."""
    begins, size = np.zeros(offsets.size, np.int64), 0
    signatures = np.empty((offsets.size - 1, factors.size), np.uint32)
    for document in range(offsets.size - 1):
        for i in range(offsets[document], offsets[document + 1]):
            hashes[size] = hashes[i]
            size += 1 if i + 1 == offsets[document + 1] or hashes[i + 1] != hashes[i] else 0
        begins[document + 1] = size
        signature = sign_with(hashes[begins[document] : size], factors, summands)
        for k in range(signature.size):
            signatures[document, k] = signature[k]
    return begins, signatures
