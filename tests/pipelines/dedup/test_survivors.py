"""The order of preference among documents."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dedup.survivors import rank

document = st.tuples(
    st.integers(-5, 5), st.sampled_from([0.0, 0.5, 0.9]), st.integers(0, 3), st.text(alphabet="ab0金", max_size=4)
)


@given(st.lists(document, max_size=30, unique_by=lambda d: d[3]))
def test_priority_then_quality_then_length_then_id(documents):
    columns = list(zip(*documents, strict=True)) or [(), (), (), ()]
    places = rank(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.float64),
        np.array(columns[2], dtype=np.int64),
        list(columns[3]),
    )
    expected = sorted(documents, key=lambda d: (-d[0], -d[1], -d[2], d[3]))
    assert [expected.index(d) for d in documents] == places.tolist()


def test_a_quality_that_is_not_a_number_is_the_lowest():
    one = np.ones(2, dtype=np.int64)
    assert rank(one, np.array([np.nan, 0.0]), one, ["a", "b"]).tolist() == [1, 0]
