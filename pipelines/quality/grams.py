"""How often n-grams come again, for all lengths in one go, as machine code.

An n-gram can only come again where its first n - 1 words and its last n - 1 words do. So each length looks only at the
places that the length before left over, which soon are few: in one novel 43 % of the pairs came before, 2 % at 5 words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pipelines.dedup.folding import power
from pipelines.dedup.kernel import kernel, vector
from pipelines.quality.scan import hash_span

_FREE = np.int32(-1)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)

_u64, _i32 = vector(types.uint64), vector(types.int32)
_i64, _rows = vector(types.int64), vector(types.int32, dimensions=2)
_f64, _numbers = vector(types.float64, writable=True), vector(types.int32, writable=True)
_repeated = types.Tuple([vector(types.float64, dimensions=2, writable=True), _numbers])  # type: ignore[no-untyped-call]
_all_repeated = types.Tuple([vector(types.float64, dimensions=3, writable=True), _numbers])  # type: ignore[no-untyped-call]
_table = types.Tuple([types.int64, vector(types.int32, writable=True), vector(types.int32, writable=True)])  # type: ignore[no-untyped-call]


@kernel(types.int64, types.uint64, types.int64)
def _slot(key: Any, size: Any) -> Any:
    mixed = key * _SPREAD
    return np.int64((mixed ^ (mixed >> _HALF)) & np.uint64(size - 1))


@kernel(_table, _u64)
def number(keys: Any) -> Any:
    """How many different keys there are, the number of each key in order of appearance, and how often each comes."""
    size = 16
    while size < 2 * keys.size:
        size *= 2
    slots, known = np.full(size, _FREE), np.empty(keys.size, np.uint64)  # slots are looked up at random: kept small
    numbers, counts = np.empty(keys.size, np.int32), np.zeros(keys.size, np.int32)
    found = 0
    for i in range(keys.size):
        key = keys[i]
        slot = _slot(key, size)
        mine = slots[slot]
        while mine != _FREE and known[mine] != key:
            slot = (slot + 1) & (size - 1)
            mine = slots[slot]
        fresh = mine == _FREE  # written either way, since a branch on it would go wrong at every other key
        mine = np.int32(found) if fresh else mine
        slots[slot], known[mine], numbers[i] = mine, key, mine
        counts[mine] += 1
        found += fresh
    return found, numbers, counts[:found].copy()


@kernel(types.int64, _u64)
def count_different(keys: Any) -> Any:
    """How many different keys there are."""
    size, found = 16, 0
    while size < 2 * keys.size:
        size *= 2
    known = np.zeros(size, np.uint64)
    for i in range(keys.size):
        key = max(keys[i], np.uint64(1))  # 0 is a free slot; one key of 2^64 may be taken for another
        slot = _slot(key, size)
        while known[slot] != 0 and known[slot] != key:
            slot = (slot + 1) & (size - 1)
        found += known[slot] == 0
        known[slot] = key
    return found


@kernel(_repeated, _u64, types.int64)
def repetition(words: Any, longest: Any) -> Any:
    """(longest + 1, 2): for n-grams of each length, the share that occurred before, and the commonest's count.

    And a number of each word, in order of appearance.
    """
    result = np.zeros((longest + 1, 2))
    found, ones, counts = number(words)
    grams, places = ones.copy(), np.arange(words.size)
    for n in range(1, longest + 1):
        total = words.size - n + 1
        if total < 1:
            break
        result[n, 1] = 1
        if places.size:
            result[n, 0], result[n, 1] = (places.size - found) / total, counts.max()
        left = 0
        keys = np.empty(places.size, np.uint64)
        for i in range(places.size - 1):
            keys[left] = np.uint64(grams[i]) * np.uint64(words.size) + np.uint64(ones[places[i] + n])
            again = (counts[grams[i]] > 1) & (counts[grams[i + 1]] > 1) & (places[i + 1] == places[i] + 1)
            places[left] = places[i]
            left += again
        places = places[:left].copy()
        found, grams, counts = number(keys[:left].copy())
    return result, ones


@kernel(_all_repeated, _u64, _i64, types.int64, types.int64)
def repetition_all(words: Any, texts: Any, longest: Any, least: Any) -> Any:
    """`repetition` of each of n texts whose words begin at `texts`, [n + 1]; all 0 of those with fewer than `least`."""
    tables, numbers = np.zeros((texts.size - 1, longest + 1, 2)), np.zeros(words.size, np.int32)
    for text in range(texts.size - 1):
        first, last = texts[text], texts[text + 1]
        if last - first >= least:
            table, ones = repetition(words[first:last], longest)
            for n in range(longest + 1):
                tables[text, n, 0], tables[text, n, 1] = table[n, 0], table[n, 1]
            for i in range(ones.size):
                numbers[first + i] = ones[i]
    return tables, numbers


@kernel(types.float64, _u64, _rows, types.int64)
def _repeated_strings(sums: Any, lines: Any, n: Any) -> Any:
    total = 0
    for line in range(lines.shape[0]):
        total += max(lines[line, 1] - lines[line, 0] - n + 1, 0)
    keys, count = np.empty(total, np.uint64), 0
    factor = power(np.uint64(n))
    for line in range(lines.shape[0]):
        for i in range(lines[line, 0], lines[line, 1] - n + 1):
            keys[count] = sums[i + n] - sums[i] * factor
            count += 1
    return (total - count_different(keys)) / max(total, 1)


@kernel(_f64, _u64, _i64, _rows, _i64, types.int64)
def repeated_strings(sums: Any, texts: Any, lines: Any, lines_of: Any, n: Any) -> Any:
    """Of each text, the share of the n-grams of characters, within its `lines`, that occurred before."""
    shares = np.empty(texts.size - 1)
    for text in range(shares.size):
        mine = lines[lines_of[text] : lines_of[text + 1]]
        shares[text] = _repeated_strings(sums[texts[text] : texts[text + 1] + 1], mine, n)
    return shares


@kernel(types.float64, _u64, _rows, types.int64)
def _repeated_share(sums: Any, spans: Any, least: Any) -> Any:
    hashes = np.empty(spans.shape[0], np.uint64)
    for i in range(spans.shape[0]):
        hashes[i] = hash_span(sums, spans[i, 0], spans[i, 1])
    _, numbers, counts = number(hashes)
    seen = np.zeros(counts.size, np.bool_)
    total = repeated = 0
    for i in range(hashes.size):
        size = spans[i, 1] - spans[i, 0]
        total += size
        if seen[numbers[i]] and size >= least:
            repeated += size
        seen[numbers[i]] = True
    return repeated / max(total, 1)


@kernel(_f64, _u64, _i64, _rows, _i64, types.int64)
def repeated_share(sums: Any, texts: Any, spans: Any, spans_of: Any, least: Any) -> Any:
    """Of each text, the share of the characters in `spans`, of `least` characters or more, that were there before."""
    shares = np.empty(texts.size - 1)
    for text in range(shares.size):
        mine = spans[spans_of[text] : spans_of[text + 1]]
        shares[text] = _repeated_share(sums[texts[text] : texts[text + 1] + 1], mine, least)
    return shares


@kernel(_f64, _i32, _i64, vector(types.uint8), _i64, types.int64)
def distinct(numbers: Any, numbers_of: Any, marks: Any, words_of: Any, within: Any) -> Any:
    """Of each text, the share of different ones among its first `within` Japanese words of prose.

    `numbers` are those of the words of prose, `marks` of all words.
    """
    shares = np.empty(words_of.size - 1)
    for text in range(shares.size):
        mine = numbers[numbers_of[text] : numbers_of[text + 1]]
        seen = np.zeros(mine.size, np.bool_)
        count = found = word = 0
        for mark in marks[words_of[text] : words_of[text + 1]]:
            if mark == 3 and count < within:
                found += not seen[mine[word]]
                seen[mine[word]] = True
                count += 1
            word += mark >= 2
        shares[text] = found / max(count, 1)
    return shares
