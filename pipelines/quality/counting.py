"""Everything that rules count of a document, in one call of machine code: a short record has little time for more.

In: the code points of a text, its words, and tables. Out: the arrays and counts that quality/text.py keeps. Called one
by one, the eight passes take 30 us of a record of 60 characters, which MeCab reads in 30.
"""

from __future__ import annotations

from typing import Any

from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.quality.openings import find_openings
from pipelines.quality.pairs import count_pairs
from pipelines.quality.scan import count_characters, count_words, find_lines, find_sentences, hash_prose, sum_up

_u8, _u16, _u32, _i32, _bool = map(vector, (types.uint8, types.uint16, types.uint32, types.int32, types.boolean))
_table = vector(types.int32, dimensions=2, writable=True)
_marks, _kinds, _counts, _hashes = (
    vector(kind, writable=True) for kind in (types.uint8, types.uint16, types.int64, types.uint64)
)
_arrays = types.Tuple([_kinds, _table, _table, _table, _marks, _hashes, _hashes, _counts])  # type: ignore[no-untyped-call]
_all_counts = types.UniTuple(_counts, 5)  # type: ignore[no-untyped-call]


@kernel(
    types.Tuple([_arrays, _all_counts]),  # type: ignore[no-untyped-call]
    _u32, _i32, _i32, _u8, _bool, _i32, _u16, _u8, _u8, _u8, _bool,
)  # fmt: skip
def count_all(
    codes: Any, start: Any, end: Any, pos: Any, unknown: Any, cost: Any,
    table: Any, pairs: Any, roles: Any, told: Any, openings: Any,
) -> Any:  # fmt: skip
    """What each character is, lines, lines of prose, sentences, marks of words, hashes up to each place and of the words of prose, openings.

    Then the counts of characters, lines, sentences, words and pairs: see quality/text.py.
    """
    kinds, of_characters = count_characters(codes, table)
    lines, prose, of_lines = find_lines(codes, kinds)
    sentences, of_sentences = find_sentences(kinds, prose)
    marks, of_words = count_words(kinds, start, end, pos, unknown, cost, prose)
    sums = sum_up(codes)
    hashes = hash_prose(sums, start, end, marks)
    of_pairs = count_pairs(codes, kinds, pairs, roles, told, start, end, unknown)
    places = find_openings(codes, start, openings)
    arrays = kinds, lines, prose, sentences, marks, sums, hashes, places
    return arrays, (of_characters, of_lines, of_sentences, of_words, of_pairs)
