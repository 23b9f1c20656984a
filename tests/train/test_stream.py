"""Sequences: documents end to end, in an order that is a function of seed, epoch and index alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import UsageError
from registry.shards import Shards, ShardWriter
from train.stream import Stream

HOUSE = Path(__file__).resolve().parents[2]
FIELDS = ("input_ids", "positions", "segments")


def make_shards(folder: Path, lengths) -> Shards:
    """Document d has the tokens d * 1000, d * 1000 + 1, ...; two shards."""
    half = len(lengths) // 2
    for number, some in enumerate((range(half), range(half, len(lengths)))):
        with ShardWriter(folder / f"{number}.arrow", dtype="uint32") as writer:
            for d in some:
                writer.write(f"{d:032x}", "s", np.arange(lengths[d]) + d * 1000)
    return Shards(folder)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    lengths = np.random.default_rng(0).integers(0, 90, 200)
    return make_shards(tmp_path_factory.mktemp("shards"), lengths)


def epoch_of(stream, epoch):
    return stream.batch(epoch, 0, len(stream))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=25), st.integers(1, 30), st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_is_every_document_once_in_whole_pieces(lengths, length, seed, epoch):
    with tempfile.TemporaryDirectory() as folder:
        shards = make_shards(Path(folder), lengths)
        if shards.tokens < length:
            with pytest.raises(UsageError, match="do not fill"):
                Stream(shards, length=length, seed=seed)
            return
        stream = Stream(shards, length=length, seed=seed)
        batch = epoch_of(stream, epoch)
    flat = batch.input_ids.ravel()
    assert flat.size == sum(lengths) // length * length
    assert np.unique(flat).size == flat.size  # no token twice
    starts = np.flatnonzero(flat % 1000 == 0)  # every document begins with its multiple of 1000
    order = flat[starts] // 1000
    whole = np.concatenate([np.arange(lengths[d]) + d * 1000 for d in order])
    assert np.array_equal(whole[: flat.size], flat)


def test_positions_and_segments_begin_anew_with_each_document_and_sequence(shards):
    batch = epoch_of(Stream(shards, length=64, seed=1), 0)
    for ids, positions, segments in zip(batch.input_ids, batch.positions, batch.segments, strict=True):
        changes = np.flatnonzero(np.diff(ids // 1000)) + 1
        assert np.array_equal(np.flatnonzero(positions == 0), np.concatenate(([0], changes)))
        assert np.array_equal(np.diff(positions)[np.diff(segments) == 0], np.ones(63 - changes.size))
        assert np.array_equal(segments, np.cumsum(positions == 0) - 1)


def test_a_document_longer_than_a_sequence_goes_on_in_the_next(tmp_path):
    stream = Stream(make_shards(tmp_path, [25]), length=10, seed=0)
    batch = epoch_of(stream, 0)
    assert np.array_equal(batch.input_ids, np.arange(20).reshape(2, 10))
    assert np.array_equal(batch.positions, np.tile(np.arange(10), (2, 1)))
    assert np.all(batch.segments == 0)


def test_any_sequence_comes_alone_as_it_comes_in_order(shards):
    whole = epoch_of(Stream(shards, length=32, seed=7), 3)
    for index in np.random.default_rng(2).permutation(len(whole.input_ids))[:40]:
        alone = Stream(shards, length=32, seed=7).batch(3, int(index), 1)
        for field in FIELDS:
            assert np.array_equal(getattr(alone, field)[0], getattr(whole, field)[index])


def test_batches_of_any_size_are_the_same_sequences_also_across_epochs(shards):
    stream = Stream(shards, length=32, seed=7)
    count = len(stream)
    there = np.concatenate([epoch_of(stream, epoch).input_ids for epoch in (0, 1, 2)])
    for size in (1, 3, 17, 2 * count + 5):
        for index in (0, count - 1, count - 2 * size, 2 * count - 1):
            if index >= 0 and index + size <= 3 * count:
                assert np.array_equal(stream.batch(0, index, size).input_ids, there[index : index + size])


def test_seed_and_epoch_change_the_order(shards):
    first = epoch_of(Stream(shards, length=32, seed=7), 0).input_ids
    assert np.array_equal(first, epoch_of(Stream(shards, length=32, seed=7), 0).input_ids)
    assert not np.array_equal(first, epoch_of(Stream(shards, length=32, seed=8), 0).input_ids)
    assert not np.array_equal(first, epoch_of(Stream(shards, length=32, seed=7), 1).input_ids)


@pytest.mark.parametrize(("epoch", "index", "size"), [(-1, 0, 1), (0, -1, 1), (0, 0, 0)])
def test_numbers_that_name_no_batch_are_refused(shards, epoch, index, size):
    with pytest.raises(IndexError):
        Stream(shards, length=32, seed=0).batch(epoch, index, size)


def test_the_stream_needs_no_torch():
    script = "import sys; import train.stream, registry.shards; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
