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

from pipelines.dedup.minhash import Signer, sign
from pipelines.dedup.near import find_duplicates
from registry.errors import RecordError, UsageError


def columns(sets, contents=None, signatures=None):
    """What `find_duplicates` takes, for sets of 32-bit hashes; documents differ in content unless told."""
    sets = [np.unique(np.array(list(s), dtype=np.uint32)) for s in sets]
    numbers = np.arange(len(sets)) if contents is None else np.array(contents)
    return {
        "contents": np.stack((numbers, numbers + 7), axis=1).astype(np.uint64),
        "signatures": np.array([sign(s) for s in sets], dtype=np.uint32).reshape(len(sets), 120)
        if signatures is None
        else signatures,
        "shingles": np.concatenate([np.empty(0, np.uint32), *sets]),
        "offsets": np.cumsum([0, *(s.size for s in sets)], dtype=np.int64),
        "rank": np.arange(len(sets)),
    }


def jaccard(a, b) -> float:
    return len(set(a) & set(b)) / len(set(a) | set(b))


def fresh(generator, size):
    return generator.choice(2**32, size, replace=False).astype(np.uint32)


def test_content_comes_before_shingles_and_the_best_rank_stays():
    found = find_duplicates(
        **{**columns([[], [1, 2], [], [1, 2], []], contents=[5, 6, 5, 8, 9]), "rank": np.array([9, 4, 3, 2, 1])}
    )
    assert found.survivor.tolist() == [2, 3, -1, -1, -1]  # the last document has no words, and another content
    assert found.similarity.tolist() == [1, 1, 0, 0, 0]
    assert found.partner.tolist() == [2, 3, -1, -1, -1]


def test_contents_may_be_bytes():
    given_ = columns([[1, 2, 3], [7, 8, 9], [4, 5, 6]])
    contents = np.array([b"a" * 15 + b"\0", b"b" * 16, b"a" * 15 + b"\0"], dtype="S16")
    assert find_duplicates(**{**given_, "contents": contents}).survivor.tolist() == [-1, -1, 0]


def test_a_document_linked_by_way_of_another_says_so():
    a, b, c = range(100), range(10, 110), range(20, 120)  # a-b and b-c at .82, a-c at .67
    found = find_duplicates(**columns([a, c, b]))
    assert found.survivor.tolist() == [-1, 0, 0]
    assert found.partner.tolist() == [-1, 2, 0]
    assert found.similarity[1] == jaccard(a, c) < 0.8
    assert found.linked[1] == jaccard(b, c) >= 0.8
    assert found.linked[2] == found.similarity[2] == jaccard(a, b)


def test_pairs_just_below_the_threshold_are_not_linked():
    eight_of_ten, seven_of_nine = [range(90), range(10, 100)], [range(200, 280), range(210, 290)]
    found = find_duplicates(**columns([*eight_of_ten, *seven_of_nine]))
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
def test_labelled_pairs_are_found_and_nothing_else(labelled, threshold, least):
    precision, recall, count = score(find_duplicates(**columns(labelled), threshold=threshold), labelled, threshold)
    assert count > 150
    assert precision == 1.0
    assert recall >= least


def test_more_and_shorter_bands_find_more_at_a_lower_threshold(labelled):
    found = find_duplicates(**columns(labelled), threshold=0.7, bands=24, rows=5)
    precision, recall, _ = score(found, labelled, 0.7)
    assert precision == 1.0
    assert recall >= 0.995


def test_candidates_are_no_fewer_than_those_of_datasketch(labelled):
    given_ = columns(labelled)
    index = MinHashLSH(num_perm=120, params=(20, 6))
    oracles = [MinHash(hashvalues=row, scheme="affine32") for row in given_["signatures"]]
    pairs = []
    for i, oracle in enumerate(oracles):
        pairs += [(j, i) for j in index.query(oracle) if jaccard(labelled[i].tolist(), labelled[j].tolist()) >= 0.8]
        index.insert(i, oracle)
    found = find_duplicates(**given_)
    assert len(pairs) > 200
    assert np.array_equal(found.survivor, expected_survivors(len(labelled), np.array(pairs)))


def test_the_order_of_the_input_does_not_matter(labelled):
    given_ = columns(labelled)
    there = find_duplicates(**given_)
    order = np.random.default_rng(5).permutation(len(labelled))
    shuffled = {
        **columns([labelled[i] for i in order], contents=order),
        "rank": order,  # the place in the first order
    }
    back = find_duplicates(**shuffled)
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
def test_every_loser_has_a_verified_partner_and_a_kept_survivor_of_better_rank(sets, threshold, contents, random):
    contents = contents[: len(sets)]
    sets = [sets[contents.index(content)] for content in contents]  # the same content, the same shingles
    rank = list(range(len(sets)))
    random.shuffle(rank)
    found = find_duplicates(**{**columns(sets, contents), "rank": np.array(rank, dtype=np.int64)}, threshold=threshold)
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


def timed(**given_):
    begin = time.perf_counter()
    found = find_duplicates(**given_)
    return found, time.perf_counter() - begin


def test_many_copies_of_one_document_take_time_in_proportion():
    base = np.sort(np.random.default_rng(1).integers(0, 2**32, 200, dtype=np.uint32))
    signature = sign(base)

    def copies(count):
        return timed(
            contents=np.arange(2 * count, dtype=np.uint64).reshape(count, 2),
            signatures=np.broadcast_to(signature, (count, 120)),
            shingles=np.tile(base, count),
            offsets=np.arange(count + 1) * base.size,
            rank=np.arange(count),
        )

    _, few = copies(5_000)
    found, many = copies(40_000)
    assert np.all(found.survivor[1:] == 0)
    assert np.all(found.similarity[1:] == 1.0)
    assert many < 40 * few + 0.5  # eight times the documents; all pairs would be 64 times


def test_strangers_that_share_a_band_stay_linear_and_apart():
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
    found, seconds = timed(**given_)
    assert np.all(found.survivor == -1)
    assert seconds < 5  # all pairs would take minutes


def test_nothing_and_one_document():
    assert find_duplicates(**columns([])).survivor.size == 0
    assert find_duplicates(**columns([[1, 2, 3]])).survivor.tolist() == [-1]


def test_wrong_options_and_arrays_that_contradict_each_other_are_refused():
    good = columns([[1, 2], [3, 4]])
    for wrong in ({"threshold": 0.0}, {"threshold": 1.2}, {"bands": 0}, {"bands": 40}):
        with pytest.raises(UsageError):
            find_duplicates(**good, **wrong)
    for wrong in (
        {"offsets": np.array([0, 2, 9])},
        {"offsets": np.array([0, 3, 2])},
        {"offsets": np.array([0, 4])},
        {"rank": np.array([1, 1])},
        {"contents": np.zeros((1, 2), dtype=np.uint64)},
        {"signatures": good["signatures"][:1]},
    ):
        with pytest.raises(RecordError):
            find_duplicates(**{**good, **wrong})


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


def test_consecutive_years_of_filings_are_found_and_nothing_else(shared_data):
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
        precision, recall, count = score(find_duplicates(**columns(sets), threshold=threshold), sets, threshold)
        assert count > 70
        assert precision == 1.0
        assert recall >= least


def test_without_a_threshold_only_the_same_content_is_a_duplicate() -> None:
    shingles = np.arange(10, dtype=np.uint32)
    signature = sign(shingles)
    contents = np.array([[1, 1], [2, 2], [1, 1]], dtype=np.uint64)
    found = find_duplicates(
        contents, np.stack([signature] * 3), np.tile(shingles, 3), np.arange(4) * 10, np.arange(3), threshold=None
    )
    assert found.survivor.tolist() == [-1, -1, 0]
    assert found.similarity.tolist() == [0.0, 0.0, 1.0]
