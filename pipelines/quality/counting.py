"""Everything that rules count of many documents, in one call of machine code: a short record has little time for more.

In: code points and words of texts, one text after another, and tables. Out: the arrays and counts that quality/texts.py
keeps. Called pass by pass and record by record, this takes 30 us of a record of 60 characters, which MeCab reads in 30.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.quality.openings import find_openings
from pipelines.quality.pairs import count_pairs
from pipelines.quality.scan import (
    count_characters,
    count_words,
    find_lines,
    find_prose,
    find_sentences,
    hash_prose,
    sum_up,
)

OF_CHARACTERS, OF_LINES, OF_SENTENCES, OF_WORDS, OF_PAIRS = 0, 12, 15, 20, 31  # where the counts of each pass begin
COUNTS = 35
_LINE_END = 10

_u8, _u16, _u32, _i32, _i64, _bool = map(
    vector, (types.uint8, types.uint16, types.uint32, types.int32, types.int64, types.boolean)
)
_table = vector(types.int32, dimensions=2, writable=True)
_marks, _kinds, _hashes, _places = (
    vector(kind, writable=True) for kind in (types.uint8, types.uint16, types.uint64, types.int32)
)
_matrix = vector(types.int64, dimensions=2, writable=True)
_characters = types.Tuple([_kinds, _hashes])  # type: ignore[no-untyped-call]
_lists = types.Tuple([_table, _table, _table, _hashes, _places])  # type: ignore[no-untyped-call]


@kernel(
    types.Tuple([_characters, _marks, _lists, _matrix, _matrix]),  # type: ignore[no-untyped-call]
    _u32, _i64, _i32, _i32, _u8, _bool, _i32, _i64, _u16, _u8, _u8, _u8, _bool,
)  # fmt: skip
def count_all(
    codes: Any, texts: Any, start: Any, end: Any, pos: Any, unknown: Any, cost: Any, words: Any,
    table: Any, pairs: Any, roles: Any, told: Any, openings: Any,
) -> Any:  # fmt: skip
    """Count n texts; `texts` and `words`, [n + 1], say where the characters and words of each begin.

    Returns:
        What each character is, and the hash of the text up to each place; marks of words; lines, lines of prose,
        sentences, hashes of the words of prose, and openings, of all texts; (5, n + 1) where those of each text begin;
        and (n, COUNTS) counts. Places within a text count from its beginning.
    """
    size, n = codes.size, texts.size - 1
    kinds, sums, marks = np.empty(size, np.uint16), sum_up(codes), np.empty(start.size, np.uint8)
    most = n + (codes == _LINE_END).sum()
    lines, prose = np.empty((most, 3), np.int32), np.empty((most, 3), np.int32)
    sentences = np.empty((most + size // 2, 3), np.int32)
    hashes, places = np.empty(start.size + 1, np.uint64), np.empty(start.size, np.int32)
    at, counts = np.zeros((5, n + 1), np.int64), np.zeros((n, COUNTS), np.int64)
    for i in range(n):
        first, last, word, after = texts[i], texts[i + 1], words[i], words[i + 1]
        code, kind, some, row = codes[first:last], kinds[first:last], sums[first : last + 1], counts[i]
        begin, stop, new, mark = start[word:after], end[word:after], unknown[word:after], marks[word:after]
        count_characters(code, table, kind, row[OF_CHARACTERS:OF_LINES])
        at[0, i + 1] = at[0, i] + find_lines(code, kind, lines[at[0, i] :])
        mine = lines[at[0, i] : at[0, i + 1]]
        at[1, i + 1] = at[1, i] + find_prose(code, kind, mine, prose[at[1, i] :], row[OF_LINES:OF_SENTENCES])
        mine = prose[at[1, i] : at[1, i + 1]]
        at[2, i + 1] = at[2, i] + find_sentences(kind, mine, sentences[at[2, i] :], row[OF_SENTENCES:OF_WORDS])
        count_words(kind, begin, stop, pos[word:after], new, cost[word:after], mine, mark, row[OF_WORDS:OF_PAIRS])
        at[3, i + 1] = at[3, i] + hash_prose(some, begin, stop, mark, hashes[at[3, i] :])
        count_pairs(code, kind, pairs, roles, told, begin, stop, new, row[OF_PAIRS:COUNTS])
        at[4, i + 1] = at[4, i] + find_openings(code, begin, openings, places[at[4, i] :])
    lists = lines[: at[0, n]], prose[: at[1, n]], sentences[: at[2, n]], hashes[: at[3, n]], places[: at[4, n]]
    return (kinds, sums), marks, lists, at, counts
