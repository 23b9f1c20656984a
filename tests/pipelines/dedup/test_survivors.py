"""The order of preference among documents."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup.survivors import halves, merit

document = st.tuples(st.integers(-5, 5), st.integers(0, 100).map(lambda q: q / 100), st.integers(0, 2**40))


@given(st.lists(document, max_size=30))
def test_priority_then_quality_then_length(documents):
    columns = list(zip(*documents, strict=True)) or [(), (), ()]
    numbers = merit(np.array(columns[0], np.int64), np.array(columns[1], np.float64), np.array(columns[2], np.int64))
    keys = [(-p, -q, -min(n, 2**32 - 1)) for p, q, n in documents]
    for a, b in zip(range(len(keys)), range(1, len(keys)), strict=False):
        assert (int(numbers[a]) > int(numbers[b])) - (int(numbers[a]) < int(numbers[b])) == (keys[a] > keys[b]) - (
            keys[a] < keys[b]
        )


def test_a_quality_that_is_not_a_number_is_the_lowest():
    one = np.ones(2, dtype=np.int64)
    unknown, worst = merit(one, np.array([np.nan, 0.0]), one)
    assert unknown > worst


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=20))
def test_halves_sort_as_the_bytes_do(hashes):
    high, low = halves(b"".join(hashes))
    assert [hashes[i] for i in np.lexsort((low, high))] == sorted(hashes)
