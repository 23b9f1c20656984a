"""Packing: every token once, no bin over-full, nothing cut that fits; the same for the same arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.packing import LARGEST, pack

HOUSE = Path(__file__).resolve().parents[2]
METHODS = ["best_fit", "concatenate", "single"]
lengths_ = st.lists(st.integers(0, 60), max_size=80)


def lognormal(n, seed=0):
    return np.random.default_rng(seed).lognormal(6.3, 1, n).astype(np.int64)


def reference_best_fit(lengths, capacity):
    """How many bins best-fit-decreasing opens, one item at a time."""
    rest = sorted((r for n in lengths for r in [n % capacity] if r), reverse=True)
    rooms = []
    for size in rest:
        fitting = [room for room in rooms if room >= size]
        room = min(fitting, default=capacity)
        if fitting:
            rooms.remove(room)
        rooms.append(room - size)
    return len(rooms) + sum(n // capacity for n in lengths)


@settings(max_examples=150, deadline=None)
@given(lengths_, st.integers(1, 40), st.sampled_from(METHODS), st.integers(0, 3))
def test_every_token_is_in_one_bin_and_no_bin_is_over_full(lengths, capacity, method, epoch):
    packed = pack(np.array(lengths, dtype=np.int64), capacity, seed=1, epoch=epoch, method=method)
    seen = sorted(
        (document, start + i)
        for index in range(len(packed))
        for document, start, length in zip(*(array.tolist() for array in packed.pieces(index)), strict=True)
        for i in range(length)
    )
    assert seen == [(document, i) for document, n in enumerate(lengths) for i in range(n)]
    sizes = [int(packed.pieces(index)[2].sum()) for index in range(len(packed))]
    assert all(0 < size <= capacity for size in sizes)
    if method == "concatenate":
        assert all(size == capacity for size in sizes[:-1])
    if method == "single":
        assert len(packed.documents) == len(packed)
    if sizes:
        assert packed.fill == pytest.approx(sum(lengths) / (len(sizes) * capacity))


@settings(max_examples=150, deadline=None)
@given(lengths_, st.integers(1, 40))
def test_best_fit_opens_the_bins_that_one_item_at_a_time_would(lengths, capacity):
    packed = pack(np.array(lengths, dtype=np.int64), capacity, seed=0, epoch=0, method="best_fit")
    assert len(packed) == reference_best_fit(lengths, capacity)
    assert packed.cut_rate(np.array(lengths, dtype=np.int64)) == 0
    pieces = np.bincount(packed.documents, minlength=len(lengths)) if lengths else []
    assert [int(n) for n in pieces] == [-(-n // capacity) for n in lengths]


def test_it_is_a_pure_function_that_differs_by_seed_and_epoch():
    lengths = lognormal(5000)
    for method in METHODS:
        a, b = (pack(lengths, 2048, seed=1, epoch=2, method=method) for _ in range(2))
        assert all(np.array_equal(getattr(a, f), getattr(b, f)) for f in ("offsets", "documents", "starts", "lengths"))
        for other in ({"seed": 2, "epoch": 2}, {"seed": 1, "epoch": 3}):
            c = pack(lengths, 2048, method=method, **other)
            assert not np.array_equal(a.documents[:100], c.documents[:100])


def test_real_lengths_fill_and_are_not_cut():
    lengths = lognormal(200_000)
    best = pack(lengths, 2048, seed=0, epoch=0, method="best_fit")
    laid = pack(lengths, 2048, seed=0, epoch=0, method="concatenate")
    assert best.fill > 0.999
    assert best.cut_rate(lengths) == 0
    assert 0.25 < laid.cut_rate(lengths) < 0.35


def test_long_documents_do_not_always_come_first():
    packed = pack(lognormal(5000), 2048, seed=0, epoch=0, method="best_fit")
    first = packed.lengths[packed.offsets[:-1]][np.diff(packed.offsets) > 1]
    largest = np.maximum.reduceat(packed.lengths, packed.offsets[:-1])[np.diff(packed.offsets) > 1]
    assert 0.1 < np.mean(first == largest) < 0.7


def test_a_document_of_ten_million_tokens_and_empty_ones():
    for method in METHODS:
        packed = pack(np.array([0, 10_000_000, 0, 5]), 2048, seed=0, epoch=0, method=method)
        assert packed.lengths.sum() == 10_000_005
        assert set(packed.documents.tolist()) == {1, 3}


def test_no_documents_make_no_bins():
    for lengths in ([], [0, 0]):
        for method in METHODS:
            packed = pack(np.array(lengths, dtype=np.int64), 8, seed=0, epoch=0, method=method)
            assert (len(packed), packed.fill, packed.cut_rate(np.array(lengths))) == (0, 1.0, 0.0)


def test_bad_arguments_are_refused():
    good = {"seed": 0, "epoch": 0, "method": "best_fit"}
    for lengths, capacity, changes in (
        ([1], 0, {}),
        ([1], LARGEST + 1, {}),
        ([-1], 8, {}),
        ([1], 8, {"seed": -1}),
        ([1], 8, {"epoch": -1}),
        ([1], 8, {"method": "greedy"}),
    ):
        with pytest.raises(UsageError):
            pack(np.array(lengths), capacity, **{**good, **changes})
    packed = pack(np.array([1]), 8, **good)
    for index in (-1, 1):
        with pytest.raises(IndexError):
            packed.pieces(index)


def test_it_needs_numpy_alone():
    script = "import sys; import registry.packing; print({'numba', 'scipy', 'pyarrow', 'torch'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
