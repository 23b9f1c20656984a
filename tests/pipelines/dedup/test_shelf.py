"""Out of core: pieces, earlier corpora and planted documents change nothing of what is found."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.dedup.index import Sketched, columns_of, read_index, write_index
from pipelines.dedup.link import band_links, whole_links
from pipelines.dedup.near import UNKNOWN, find_links, labelled, resolve
from pipelines.dedup.planted import plant
from pipelines.dedup.rounds import rounds
from pipelines.dedup.shelf import Shelf
from registry.errors import RecordError


@pytest.fixture(scope="module")
def sets():
    """600 documents, most of them in chains of edited copies, and a bucket of near-copies larger than the reach."""
    generator = np.random.default_rng(4)
    found = []
    for _ in range(100):
        document = generator.choice(2**32, 200, replace=False).astype(np.uint32)
        for _ in range(4):
            found.append(document)
            fresh = generator.integers(0, 2**32, 20, dtype=np.uint32)
            document = np.concatenate((document[20:], fresh))
    base = generator.choice(2**32, 200, replace=False).astype(np.uint32)
    found += [np.concatenate((base[8:], generator.integers(0, 2**32, 8, dtype=np.uint32))) for _ in range(200)]
    return [found[i] for i in generator.permutation(len(found))]


def index(dedup, sets, ranks, **facts):
    return columns_of(
        dedup.sketched(**{**dedup.columns(sets, contents=ranks), "rank": ranks}, **facts), bands=20, rows=6
    )


def found(shelf, **options):
    links, planted = find_links(shelf, threshold=0.8, bands=20, **options)
    settled = {"settled": options["settled"]} if "settled" in options else {}
    return resolve(shelf, links, threshold=0.8, **settled), planted


def same(a, b):
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("documents", "survivor", "similarity", "partner", "linked")
    )


def test_several_indexes_and_little_room_give_what_one_index_gives(dedup, sets):
    ranks = np.arange(len(sets))
    whole, _ = found(Shelf([index(dedup, sets, ranks)], [0]))
    parts = [slice(0, 50), slice(50, 51), slice(51, 51), slice(51, 400), slice(400, None)]
    shelf = Shelf([index(dedup, sets[part], ranks[part]) for part in parts], [0] * len(parts))
    assert whole.documents.size > 400
    assert same(whole, found(shelf)[0])
    assert same(whole, found(shelf, room=4096)[0])


@pytest.mark.parametrize("ranges", [1, 4, 16])
def test_ranges_of_keys_give_what_one_pass_gives(dedup, sets, ranges):
    shelf = Shelf([index(dedup, sets, np.arange(len(sets)))], [0])
    links = [whole_links(shelf, part=part, parts=ranges) for part in range(ranges)]
    copies = np.concatenate(links)[:, 1]
    for names in rounds(20):
        labels = labelled(np.concatenate(links), copies, shelf.count)
        links += [band_links(shelf, names, labels, threshold=0.8, part=part, parts=ranges)[0] for part in range(ranges)]
    assert same(resolve(shelf, np.concatenate(links), threshold=0.8), found(shelf)[0])


def test_an_index_on_disk_is_the_index_in_memory(dedup, sets, tmp_path):
    columns = index(dedup, sets, np.arange(len(sets)))
    write_index(tmp_path / "a.arrow", columns)
    back = read_index(tmp_path / "a.arrow")
    assert set(back) == set(columns) | {"map", "path", "at"}
    assert all(np.array_equal(back[name], columns[name]) for name in columns)
    (tmp_path / "a.arrow").write_bytes((tmp_path / "a.arrow").read_bytes()[:500])
    with pytest.raises(RecordError):
        read_index(tmp_path / "a.arrow")


def test_shingles_are_read_from_a_file_as_from_arrays_and_a_cut_one_is_told(dedup, sets, tmp_path):
    some = [*sets[:20], np.empty(0, np.uint32), np.empty(0, np.uint32)]
    columns, path = index(dedup, some, np.arange(len(some))), tmp_path / "a.arrow"
    write_index(path, columns)
    held, filed = Shelf([columns], [0]), Shelf([read_index(path)], [0])
    for ordinals in ([19, 0, 20, 7], [20, 21], []):
        chosen = np.array(ordinals, np.int64)
        assert all(map(np.array_equal, held.shingles(chosen), filed.shingles(chosen)))
    path.write_bytes(b"")
    filed.indexes[0] = {**columns, "path": path, "at": 0}
    with pytest.raises(RecordError, match="shorter"):
        filed.shingles(np.array([3]))


def test_what_is_new_has_the_fates_that_one_build_of_all_gives(dedup, sets):
    half = len(sets) // 2
    old, new = index(dedup, sets[:half], np.arange(half)), index(dedup, sets[half:], np.arange(half, len(sets)))
    first, _ = found(Shelf([old], [0]))
    known = np.stack((first.survivor, first.documents, np.full(first.documents.size, UNKNOWN)), axis=1)
    added, _ = found(Shelf([old, new], [0, 1]), known=known, settled=half)
    at_once, _ = found(Shelf([old, new], [0, 1]))
    later = at_once.documents >= half
    assert later.sum() > 200
    for name in ("documents", "survivor", "similarity"):
        assert np.array_equal(getattr(added, name), getattr(at_once, name)[later])


def test_figures_alone_keep_two_documents_apart_even_where_a_third_is_like_both(dedup):
    a, b, c, d = range(100), range(4, 104), range(2, 102), range(4, 104)
    given = dedup.columns([a, b, c, d])
    both = dedup.find(**given, form=[1, 1, 2, 1], figures=[10, 11, 12, 11])
    assert both.survivor.tolist() == [-1, -1, 0, 1]
    assert dedup.find(**given).survivor.tolist() == [-1, 0, 0, 0]


def test_planted_documents_are_found_and_change_nothing(dedup, sets):
    ranks = np.arange(len(sets))
    shelf = Shelf([index(dedup, sets, ranks)], [0])
    alone, _ = found(shelf)
    made, similarities = plant(shelf, count=150, threshold=0.8, lanes=120)
    both = Shelf([*shelf.indexes, columns_of(made, bands=20, rows=6)], [0, 1])
    with_them, seen = found(both, planted=len(sets))
    assert same(alone, with_them)
    assert len(similarities) == both.count - shelf.count == 150
    assert min(similarities) >= 0.8
    assert len(seen) >= 149
    again, _ = plant(shelf, count=150, threshold=0.8, lanes=120)
    assert np.array_equal(made.shingles, again.shingles)


def test_planted_similarities_are_exact(dedup, sets):
    shelf = Shelf([index(dedup, sets, np.arange(len(sets)))], [0])
    made, similarities = plant(shelf, count=20, threshold=0.8, lanes=120)
    for number, similarity in enumerate(similarities):
        own = set(made.shingles[made.offsets[number] : made.offsets[number + 1]].tolist())
        best = max(len(own & set(s.tolist())) / len(own | set(s.tolist())) for s in sets)
        assert best == similarity


def test_an_index_of_no_documents_is_one(dedup, sets):
    """As the index stage makes it where rules rejected all: a signature of one lane, for want of any."""
    nothing = np.empty(0, np.uint64)
    facts = dict.fromkeys(("id_high", "id_low", "content_high", "content_low", "merit", "form", "figures"), nothing)
    given = Sketched(facts, np.empty((0, 1), np.uint32), np.empty(0, np.uint32), np.zeros(1, np.int64))
    empty, full = columns_of(given, bands=20, rows=6), index(dedup, sets, np.arange(len(sets)))
    assert same(found(Shelf([full, empty], [0, 0]))[0], found(Shelf([full], [0]))[0])
    assert found(Shelf([empty], [0]))[0].documents.size == 0
