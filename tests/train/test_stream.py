"""Sequences: documents packed, sources mixed, in an order that is a function of seed and index alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import RecordError, UsageError
from registry.shards import Shards, ShardWriter
from train.stream import BLOCK, IGNORED, Source, Stream

HOUSE = Path(__file__).resolve().parents[2]
FIELDS = ("input_ids", "positions", "targets")
METHODS = ("best_fit", "concatenate", "single")
BIG = 1 << 30


def make_shards(folder: Path, lengths, source="s", first=1) -> Shards:
    """Document d has the tokens d * 1000, d * 1000 + 1, ... from document `first` on; two shards."""
    half = len(lengths) // 2
    for number, some in enumerate((range(half), range(half, len(lengths)))):
        with ShardWriter(folder / f"{number}.arrow", dtype="uint32") as writer:
            for d in some:
                writer.write(f"{d:032x}", source, np.arange(lengths[d]) + (d + first) * 1000)
    return Shards(folder)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return make_shards(tmp_path_factory.mktemp("shards"), np.random.default_rng(0).integers(0, 90, 200))


def stream_of(*sources, length=32, seed=7, method="best_fit"):
    return Stream([Source(*each) for each in sources], length=length, seed=seed, method=method, vocabulary=BIG)


def epoch_length(stream):
    return len(stream._readers[0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=25),
    st.integers(2, 30),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(METHODS),
)
def test_an_epoch_has_every_token_once_with_its_successor(lengths, length, seed, epoch, method):
    with tempfile.TemporaryDirectory() as folder:
        shards = make_shards(Path(folder), lengths)
        if not shards.tokens:
            with pytest.raises(UsageError, match="no documents"):
                stream_of((shards,), length=length)
            return
        stream = stream_of((shards,), length=length, seed=seed, method=method)
        count = epoch_length(stream)
        batch = stream.batch(epoch * count, count)
    real = batch.input_ids > 0
    assert sorted(batch.input_ids[real]) == sorted(d * 1000 + i for d, n in enumerate(lengths, 1) for i in range(n))
    known = batch.targets != IGNORED
    assert np.array_equal(batch.targets[known], batch.input_ids[known] + 1)
    assert np.all(real[known])
    assert np.array_equal(batch.positions[:, 1:][known[:, :-1]], batch.positions[:, :-1][known[:, :-1]] + 1)
    ends = real & ~known  # the last token of a piece: what follows it begins at position 0
    assert np.all(batch.positions[:, 1:][ends[:, :-1]] == 0)


def test_no_document_that_fits_is_cut(shards):
    stream = stream_of((shards,), length=96)
    batch = stream.batch(0, epoch_length(stream))
    begins = np.count_nonzero((batch.positions == 0) & (batch.input_ids > 0))
    assert begins == np.count_nonzero(shards.lengths)


@pytest.mark.parametrize("method", METHODS)
def test_any_sequence_comes_alone_as_it_comes_in_order(shards, method):
    whole = stream_of((shards,), method=method).batch(0, 900)
    for index in np.random.default_rng(2).permutation(900)[:40]:
        alone = stream_of((shards,), method=method).batch(int(index), 1)
        for field in FIELDS:  # a batch of single documents is as wide as its longest one needs
            row = getattr(alone, field)[0]
            assert np.array_equal(row, getattr(whole, field)[index][: len(row)])


def test_batches_of_any_size_are_the_same_sequences_also_across_epochs(shards):
    stream = stream_of((shards,))
    there = stream.batch(0, 3 * epoch_length(stream)).input_ids
    for size in (1, 3, 17, epoch_length(stream) + 5):
        for index in (0, epoch_length(stream) - 1, 2 * epoch_length(stream) - 5):
            assert np.array_equal(stream.batch(index, size).input_ids, there[index : index + size])


def test_seed_and_epoch_change_the_order(shards):
    stream = stream_of((shards,))
    count = epoch_length(stream)
    first = stream.batch(0, count).input_ids
    assert not np.array_equal(first, stream_of((shards,), seed=8).batch(0, count).input_ids)
    assert not np.array_equal(first, stream.batch(count, count).input_ids)


def test_sources_have_their_exact_share_of_every_block_and_go_on_where_they_were(shards, tmp_path):
    replay = make_shards(tmp_path, np.full(3000, 32), first=1000)
    stream = stream_of((shards, 3.0), (replay, 1.0))
    batch = stream.batch(0, 4 * BLOCK)
    is_replay = batch.input_ids[:, 0] >= 1000 * 1000
    assert is_replay.reshape(4, BLOCK).sum(axis=1).tolist() == [BLOCK // 4] * 4
    alone = Stream([Source(replay)], length=32, seed=7 + 1000003, vocabulary=BIG)  # the seed of the second source
    mixed = batch.input_ids[is_replay]
    assert np.array_equal(np.sort(mixed, axis=0), np.sort(_in_order(alone, len(mixed)), axis=0))


def test_a_single_document_has_a_sequence_of_its_own_and_its_source_its_share_of_the_tokens(shards, tmp_path):
    short = make_shards(tmp_path, np.full(400, 8), first=1000)
    stream = stream_of((shards, 3.0), (short, 1.0), method="single")
    batch = stream.batch(0, 2 * BLOCK)
    assert all(np.array_equal(row, np.arange(row.size)) or row.tolist().count(0) == 2 for row in batch.positions)
    of_short = np.count_nonzero(batch.input_ids >= 1000 * 1000)
    assert of_short / np.count_nonzero(batch.input_ids) == pytest.approx(0.25, abs=0.01)
    assert stream_of((short,), method="single").batch(0, 4).input_ids.shape == (4, 8)


def _in_order(stream, count):
    """The sequences of a stream of one source by their number, as a mix takes them."""
    rows = np.empty((count, 32), np.int64)
    for place in range(count):
        stream._readers[0].fill(place, rows[place], np.empty(32, np.int64), np.empty(32, np.int64))
    return rows


def test_a_source_may_take_only_some_of_its_shards_documents(tmp_path):
    with ShardWriter(tmp_path / "0.arrow", dtype="uint16") as writer:
        for d in range(40):
            writer.write(f"{d:032x}", "news" if d % 4 else "laws", np.full(8, d + 1))
    shards = Shards(tmp_path)
    batch = stream_of((shards, 1.0, ("laws",)), length=16).batch(0, 50)
    assert set(np.unique(batch.input_ids)) == set(range(1, 41, 4))
    with pytest.raises(UsageError, match=r"no documents of law$"):
        stream_of((shards, 1.0, ("law",)))


def test_the_fingerprint_names_all_that_the_order_depends_on(shards, tmp_path):
    other = make_shards(tmp_path, [5, 6])
    prints = {
        stream_of((shards,)).fingerprint,
        stream_of((shards,), length=33).fingerprint,
        stream_of((shards,), seed=8).fingerprint,
        stream_of((shards,), method="concatenate").fingerprint,
        stream_of((shards,), (other,)).fingerprint,
        stream_of((shards,), (other, 0.2)).fingerprint,
    }
    assert len(prints) == 6
    assert stream_of((shards,)).fingerprint in prints


def test_tokens_of_another_vocabulary_are_refused(shards):
    with pytest.raises(RecordError, match="made for another one"):
        Stream([Source(shards)], length=32, seed=0, vocabulary=1000).batch(0, 4)


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (0, 0)])
def test_numbers_that_name_no_batch_are_refused(shards, index, size):
    with pytest.raises(IndexError):
        stream_of((shards,)).batch(index, size)


@pytest.mark.parametrize("weights", [[1e-9, 1, 1], [1, 2, 3, 4], [1] * 700, [0.7, 0.3]])
def test_shares_are_whole_and_near_their_weights(weights):
    from train.stream import _shares

    counts = _shares(np.array(weights, dtype=float))
    assert counts.sum() == BLOCK
    assert counts.min() >= 1
    exact = np.array(weights) / sum(weights) * BLOCK
    assert np.abs(counts - exact).max() <= max(1, len(weights) - 1)


def test_the_stream_needs_no_torch():
    script = "import sys; import train.stream, registry.shards; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
