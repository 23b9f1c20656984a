"""Duplicates: every pair at the threshold, nothing else, the same in any order of input."""

from __future__ import annotations

import csv
import sys
import time

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pipelines.dedup.index import columns_of
from pipelines.dedup.minhash import Signer, sign
from registry.errors import RecordError
from registry.recipe import Near


def jaccard(a, b) -> float:
    return len(set(a) & set(b)) / len(set(a) | set(b))


def fresh(generator, size):
    return generator.choice(2**32, size, replace=False).astype(np.uint32)


def test_content_comes_before_shingles_and_the_best_rank_stays(dedup):
    found = dedup.find(
        **{**dedup.columns([[], [1, 2], [], [1, 2], []], contents=[5, 6, 5, 8, 9]), "rank": np.array([9, 4, 3, 2, 1])}
    )
    assert found.survivor.tolist() == [2, 3, -1, -1, -1]  # the last document has no words, and another content
    assert found.similarity.tolist() == [1, 1, 0, 0, 0]
    assert found.partner.tolist() == [2, 3, -1, -1, -1]


def test_a_document_linked_by_way_of_another_says_so(dedup):
    a, b, c = range(100), range(10, 110), range(20, 120)  # a-b and b-c at .82, a-c at .67
    found = dedup.find(**dedup.columns([a, c, b]))
    assert found.survivor.tolist() == [-1, 0, 0]
    assert found.partner.tolist() == [-1, 2, 0]
    assert found.similarity[1] == jaccard(a, c) < 0.8
    assert found.linked[1] == jaccard(b, c) >= 0.8
    assert found.linked[2] == found.similarity[2] == jaccard(a, b)


def test_pairs_just_below_the_threshold_are_not_linked(dedup):
    eight_of_ten, seven_of_nine = [range(90), range(10, 100)], [range(200, 280), range(210, 290)]
    found = dedup.find(**dedup.columns([*eight_of_ten, *seven_of_nine]))
    assert jaccard(*eight_of_ten) == 0.8
    assert jaccard(*seven_of_nine) < 0.8
    assert found.survivor.tolist() == [-1, 0, -1, -1]


@pytest.fixture(scope="module")
def labelled():
    """2,000 documents of lognormal length, half of them edited copies of others at similarities of about .5 to 1."""
    generator = np.random.default_rng(11)
    originals = [fresh(generator, int(size)) for size in np.clip(generator.lognormal(5.3, 0.8, 1000), 8, 3000)]
    copies = []
    for original, keep in zip(originals, generator.uniform(0.66, 1.0, 1000), strict=True):
        kept = generator.permutation(original)[: max(1, round(original.size * keep))]
        copies.append(np.concatenate((kept, fresh(generator, original.size - kept.size))))
    sets = originals + copies
    return [sets[i] for i in generator.permutation(2000)]


def true_pairs(sets, threshold):
    """All pairs at the threshold, by a sparse product of memberships."""
    sets = [np.unique(s) for s in sets]
    _, columns_ = np.unique(np.concatenate(sets), return_inverse=True)
    sizes = np.array([s.size for s in sets])
    membership = csr_array((np.ones(columns_.size, np.int32), columns_, np.cumsum([0, *sizes])))
    common = (membership @ membership.T).tocoo()
    a, b = common.coords
    similar = (common.data / (sizes[a] + sizes[b] - common.data) >= threshold) & (a < b)
    return np.stack((a[similar], b[similar]), axis=1)


def expected_survivors(count, pairs):
    graph = csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    survivor = first[component]
    return np.where(survivor == np.arange(count), -1, survivor)


def score(found, sets, threshold):
    """Precision of the links by exact Jaccard, recall of the true pairs (both ends in one group)."""
    lost = np.flatnonzero(found.survivor >= 0)
    right = [jaccard(sets[i].tolist(), sets[found.partner[i]].tolist()) >= threshold for i in lost]
    group = np.where(found.survivor >= 0, found.survivor, np.arange(len(sets)))
    pairs = true_pairs(sets, threshold)
    return float(np.mean(right)), float(np.mean(group[pairs[:, 0]] == group[pairs[:, 1]])), len(pairs)


@pytest.mark.parametrize(("threshold", "least"), [(0.7, 0.98), (0.8, 0.995), (0.9, 1.0)])
def test_labelled_pairs_are_found_and_nothing_else(dedup, labelled, threshold, least):
    precision, recall, count = score(dedup.find(**dedup.columns(labelled), threshold=threshold), labelled, threshold)
    assert count > 150
    assert precision == 1.0
    assert recall >= least


def test_more_and_shorter_bands_find_more_at_a_lower_threshold(dedup, labelled):
    found = dedup.find(**dedup.columns(labelled), threshold=0.7, bands=24, rows=5)
    precision, recall, _ = score(found, labelled, 0.7)
    assert precision == 1.0
    assert recall >= 0.995


def test_candidates_are_no_fewer_than_those_of_datasketch(dedup, labelled):
    given_ = dedup.columns(labelled)
    index = MinHashLSH(num_perm=120, params=(20, 6))
    oracles = [MinHash(hashvalues=row, scheme="affine32") for row in given_["signatures"]]
    pairs = []
    for i, oracle in enumerate(oracles):
        pairs += [(j, i) for j in index.query(oracle) if jaccard(labelled[i].tolist(), labelled[j].tolist()) >= 0.8]
        index.insert(i, oracle)
    found = dedup.find(**given_)
    assert len(pairs) > 200
    assert np.array_equal(found.survivor, expected_survivors(len(labelled), np.array(pairs)))


def test_the_order_of_the_input_does_not_matter(dedup, labelled):
    given_ = dedup.columns(labelled)
    there = dedup.find(**given_)
    order = np.random.default_rng(5).permutation(len(labelled))
    shuffled = {
        **dedup.columns([labelled[i] for i in order], contents=order),
        "rank": order,  # the place in the first order
    }
    back = dedup.find(**shuffled)
    for name in ("survivor", "partner"):
        mapped = np.where(getattr(back, name) >= 0, order[getattr(back, name)], -1)
        assert np.array_equal(getattr(there, name)[order], mapped)
    assert np.array_equal(there.similarity[order], back.similarity)
    assert np.array_equal(there.linked[order], back.linked)


small_sets = st.lists(st.sets(st.integers(0, 12), max_size=9), max_size=14)


@settings(max_examples=150, deadline=None)
@given(
    small_sets, st.sampled_from([0.5, 0.75, 1.0]), st.lists(st.integers(0, 5), min_size=14, max_size=14), st.randoms()
)
def test_every_loser_has_a_verified_partner_and_a_kept_survivor_of_better_rank(
    dedup, sets, threshold, contents, random
):
    contents = contents[: len(sets)]
    sets = [sets[contents.index(content)] for content in contents]  # the same content, the same shingles
    rank = list(range(len(sets)))
    random.shuffle(rank)
    found = dedup.find(**{**dedup.columns(sets, contents), "rank": np.array(rank, dtype=np.int64)}, threshold=threshold)
    for i, (survivor, partner) in enumerate(zip(found.survivor, found.partner, strict=True)):
        if survivor < 0:
            assert partner == -1
            assert found.similarity[i] == found.linked[i] == 0
            assert not any(contents[i] == contents[j] and rank[j] < rank[i] for j in range(len(sets)))
            continue
        assert found.survivor[survivor] == -1
        assert rank[survivor] < rank[i]
        for other, similarity in ((survivor, found.similarity[i]), (partner, found.linked[i])):
            assert similarity == (1.0 if contents[other] == contents[i] else jaccard(sets[other], sets[i]))
        assert found.linked[i] >= threshold
        assert found.survivor[partner] in (-1, survivor)


def timed(dedup, given_):
    begin = time.perf_counter()
    found = dedup.find(**given_)
    return found, time.perf_counter() - begin


@pytest.mark.parametrize("count", [40_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_many_copies_of_one_document_take_time_in_proportion(dedup, count):
    base = np.sort(np.random.default_rng(1).integers(0, 2**32, 200, dtype=np.uint32))
    signature = sign(base)

    def copies(count):
        given_ = {
            "contents": np.arange(2 * count, dtype=np.uint64).reshape(count, 2),
            "signatures": np.broadcast_to(signature, (count, 120)),
            "shingles": np.tile(base, count),
            "offsets": np.arange(count + 1) * base.size,
            "rank": np.arange(count),
        }
        return timed(dedup, given_)

    _, few = copies(count // 8)
    found, many = copies(count)
    assert np.all(found.survivor[1:] == 0)
    assert np.all(found.similarity[1:] == 1.0)
    assert many < 40 * few + 0.5  # eight times the documents; all pairs would be 64 times


def test_many_near_copies_of_one_document_take_time_in_proportion(dedup):
    generator = np.random.default_rng(1)
    base = generator.choice(2**31, 200, replace=False).astype(np.uint32)
    found, seconds = timed(
        dedup, dedup.columns([[*base[5:], *range(2**31 + 5 * i, 2**31 + 5 * i + 5)] for i in range(8000)])
    )
    assert np.all(found.survivor[1:] == 0)
    assert seconds < 10  # all pairs would take minutes


def test_strangers_that_share_a_band_stay_linear_and_apart(dedup):
    generator = np.random.default_rng(2)
    count = 20_000
    given_ = {
        "contents": np.arange(2 * count, dtype=np.uint64).reshape(count, 2),
        "signatures": generator.integers(0, 2**32, (count, 120), dtype=np.uint32),
        "shingles": np.sort(generator.integers(0, 2**32, (count, 50), dtype=np.uint32), axis=1).ravel(),
        "offsets": np.arange(count + 1) * 50,
        "rank": np.arange(count),
    }
    given_["signatures"][:, :6] = 1
    found, seconds = timed(dedup, given_)
    assert np.all(found.survivor == -1)
    assert seconds < 5  # all pairs would take minutes


def test_nothing_and_one_document(dedup):
    assert dedup.find(**dedup.columns([])).survivor.size == 0
    assert dedup.find(**dedup.columns([[1, 2, 3]])).survivor.tolist() == [-1]


def test_arrays_that_contradict_each_other_are_refused(dedup):
    good = dedup.columns([[1, 2], [3, 4]])
    for wrong in (
        {"offsets": np.array([0, 2, 9])},
        {"offsets": np.array([0, 3, 2])},
        {"offsets": np.array([0, 4])},
        {"signatures": good["signatures"][:1]},
    ):
        with pytest.raises(RecordError):
            columns_of(dedup.sketched(**{**good, **wrong}), bands=20, rows=6)


def text_blocks(shared_data):
    """The text blocks of company filings that the labelled pairs name: {(file, element, context): text}."""
    csv.field_size_limit(sys.maxsize)
    with (shared_data / "neardup" / "pairs_edinet_yoy.tsv").open(encoding="utf-8") as file:
        pairs = list(csv.DictReader(file, delimiter="\t"))
    files = {}
    for name in sorted({pair[key] for pair in pairs for key in ("file_a", "file_b")}):
        lines = (shared_data / name).read_bytes().decode("utf-16").splitlines()
        rows = csv.reader(lines, delimiter="\t")
        files[name] = {(row[0], row[2]): row[-1] for row in rows}
    texts = {}
    for pair in pairs:
        for key in ("file_a", "file_b"):
            texts[pair[key], pair["element"], pair["context"]] = files[pair[key]].get(
                (pair["element"], pair["context"])
            )
    return pairs, texts


def test_consecutive_years_of_filings_are_found_and_nothing_else(dedup, shared_data):
    pairs, texts = text_blocks(shared_data)
    assert all(texts.values())
    signer, nowhere = Signer(shingle="chars"), np.empty(0, dtype=np.int32)
    sketches = {key: signer.sketch(text, nowhere, nowhere).shingles for key, text in texts.items()}
    off = []
    for pair in pairs:
        a, b = ((pair[key], pair["element"], pair["context"]) for key in ("file_a", "file_b"))
        off.append(abs(jaccard(sketches[a].tolist(), sketches[b].tolist()) - float(pair["jaccard_char5"])))
    assert np.mean(np.array(off) < 0.001) > 0.98  # the labels tell capitals from small letters
    sets = list(sketches.values())
    for threshold, least in ((0.8, 0.995), (0.7, 0.99)):
        near = Near(threshold=threshold)
        options = {"threshold": threshold, "bands": near.bands, "rows": near.rows}
        precision, recall, count = score(dedup.find(**dedup.columns(sets), **options), sets, threshold)
        assert count > 70
        assert precision == 1.0
        assert recall >= least


def test_bands_follow_from_the_threshold():
    assert [(Near(threshold=t).bands, Near(threshold=t).rows) for t in (0.7, 0.8, 0.9)] == [(30, 4), (20, 6), (13, 9)]
    assert Near(threshold=0.7, bands=20, rows=6).bands == 20


def test_without_a_threshold_only_the_same_content_is_a_duplicate(dedup) -> None:
    shingles = np.arange(10, dtype=np.uint32)
    signature = sign(shingles)
    contents = np.array([[1, 1], [2, 2], [1, 1]], dtype=np.uint64)
    found = dedup.find(
        contents,
        np.stack([signature] * 3),
        np.tile(shingles, 3),
        np.arange(4) * 10,
        np.arange(3),
        threshold=None,
        bands=0,
        rows=0,
    )
    assert found.survivor.tolist() == [-1, -1, 0]
    assert found.similarity.tolist() == [0.0, 0.0, 1.0]
