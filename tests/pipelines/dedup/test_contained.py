"""Containment: what stands in a longer document goes, and nothing else."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from pipelines.dedup.contained import contained_links, first_of, joined, posted, settle
from pipelines.dedup.index import columns_of
from pipelines.dedup.near import find_links, resolve
from pipelines.dedup.shelf import Shelf

PRIORITY = np.uint64(48)


def fresh(generator, size):
    """A set of shingles without figures: their lowest bit is 0."""
    return np.unique(generator.integers(0, 2**32, size, dtype=np.uint32) & ~np.uint32(1))


def shelf_of(dedup, sets, *, merit=None, cuts=(), **facts):
    """One index, or several; merit is the place unless told."""
    merit = np.arange(len(sets), dtype=np.uint64) if merit is None else np.array(merit, dtype=np.uint64)
    indexes = []
    edges = [0, *cuts, len(sets)]
    for low, high in pairwise(edges):
        ranks = np.arange(low, high)
        own = {name: column[low:high] for name, column in facts.items()}
        given = dedup.sketched(**{**dedup.columns(sets[low:high], contents=ranks), "rank": ranks}, **own)
        given.facts["merit"] = merit[low:high]
        indexes.append(columns_of(given, bands=20, rows=6))
    return Shelf(indexes, [0] * len(indexes))


def contained(shelf, *, threshold=0.9, parts=1, room=1 << 28):
    """{document: (container, containment)} of those that go."""
    postings, gone = [posted(index) for index in shelf.indexes], np.zeros(shelf.count, np.bool_)
    found = [
        contained_links(shelf, postings, gone, threshold=threshold, part=part, parts=parts, room=room)
        for part in range(parts)
    ]
    result = settle(shelf, first_of(shelf, found), threshold)
    columns = (column.tolist() for column in (result.inner, result.container, result.containment))
    return {inner: (container, share) for inner, container, share in zip(*columns, strict=True)}


def share(inner, container):
    return len(set(inner.tolist()) & set(container.tolist())) / len(set(inner.tolist()))


@pytest.fixture(scope="module")
def library():
    """40 books of 4,000 shingles, 200 sections of them at containments of .6 to 1, 200 strangers."""
    generator = np.random.default_rng(3)
    books = [fresh(generator, 4000) for _ in range(40)]
    sections, homes = [], []
    for number in range(200):
        book = books[number % 40]
        size, kept = int(generator.integers(20, 800)), generator.uniform(0.6, 1.0)
        own = generator.permutation(book)[: round(size * kept)]
        sections.append(np.concatenate((own, fresh(generator, size - own.size))))
        homes.append(number % 40)
    return books + sections + [fresh(generator, 300) for _ in range(200)], homes


def test_every_section_at_the_threshold_goes_and_nothing_else(dedup, library):
    sets, homes = library
    found = contained(shelf_of(dedup, sets))
    expected = {
        40 + i: (home, share(sets[40 + i], sets[home]))
        for i, home in enumerate(homes)
        if share(sets[40 + i], sets[home]) >= 0.9
    }
    assert len(expected) > 30
    assert set(found) <= set(expected)
    assert len(found) >= 0.99 * len(expected)
    assert all(found[i] == pytest.approx(expected[i]) for i in found)


@pytest.mark.parametrize(("parts", "cuts", "room"), [(4, (), 1 << 28), (16, (7, 8, 300), 1 << 28), (1, (100,), 4096)])
def test_ranges_indexes_and_room_change_nothing(dedup, library, parts, cuts, room):
    sets, _ = library
    assert contained(shelf_of(dedup, sets, cuts=cuts), parts=parts, room=room) == contained(shelf_of(dedup, sets))


def test_the_order_of_the_input_changes_nothing(dedup, library):
    sets, _ = library
    order = np.random.default_rng(9).permutation(len(sets))
    there = contained(shelf_of(dedup, sets))
    back = contained(shelf_of(dedup, [sets[i] for i in order], merit=order))
    assert {int(order[i]): (int(order[c]), s) for i, (c, s) in back.items()} == there


def test_a_section_of_a_better_source_stays_and_the_longer_document_too(dedup):
    generator = np.random.default_rng(5)
    book = fresh(generator, 1000)
    low, high = np.uint64(2) << PRIORITY, np.uint64(1) << PRIORITY
    assert contained(shelf_of(dedup, [book, book[:200]], merit=[low, high])) == {}
    assert set(contained(shelf_of(dedup, [book, book[:200]], merit=[high, low]))) == {1}
    assert set(contained(shelf_of(dedup, [book[:200], book], merit=[low, low]))) == {0}


def test_nothing_goes_because_of_what_goes_itself(dedup):
    generator = np.random.default_rng(6)
    page = fresh(generator, 100)
    chapter = np.concatenate((page[:91], fresh(generator, 209)))  # .91 of the page
    book = np.concatenate((chapter[20:], fresh(generator, 700)))  # .93 of the chapter, .71 of the page
    assert contained(shelf_of(dedup, [page, chapter, book])) == {1: (2, pytest.approx(280 / 300))}
    whole = np.concatenate((chapter, fresh(generator, 700)))
    found = contained(shelf_of(dedup, [page, chapter, whole]))
    assert {inner: container for inner, (container, _) in found.items()} == {0: 2, 1: 2}


def test_a_section_that_differs_in_figures_alone_stays(dedup):
    generator = np.random.default_rng(7)
    book = fresh(generator, 2000)
    other = generator.integers(0, 2**32, 6, dtype=np.uint32)
    section = book[:200]
    figures, words = (np.concatenate((section, last)) for last in (other | np.uint32(1), other & ~np.uint32(1)))
    assert contained(shelf_of(dedup, [book, figures])) == {}
    assert set(contained(shelf_of(dedup, [book, words]))) == {1}


def test_short_documents_stay(dedup):
    book = fresh(np.random.default_rng(8), 2000)
    assert contained(shelf_of(dedup, [book, book[:19]])) == {}


def test_a_near_duplicate_of_a_section_goes_with_it(dedup):
    generator = np.random.default_rng(10)
    book = fresh(generator, 3000)
    section = book[:300]
    copy = np.concatenate((section[:-20], fresh(generator, 20)))  # .875 like the section, .933 of it in the book
    shelf = shelf_of(dedup, [book, section, copy])
    links, _ = find_links(shelf, threshold=0.8, bands=20)
    near = resolve(shelf, links, threshold=0.8)
    gone = np.zeros(3, np.bool_)
    gone[near.documents] = True
    found = contained_links(shelf, [posted(shelf.indexes[0])], gone, threshold=0.95)
    result = joined(shelf, near, settle(shelf, found, 0.95), np.empty((0, 2), np.int64))
    assert result.documents.tolist() == [1, 2]
    assert result.survivor.tolist() == [0, 0]
    assert result.partner.tolist() == [0, 1]
    assert result.contained.all()
    assert result.similarity.tolist() == pytest.approx([1.0, share(copy, book)])
    assert result.linked.tolist() == pytest.approx([1.0, 280 / 320])


def test_a_phrase_in_every_document_and_one_huge_document_stay_linear(dedup):
    generator = np.random.default_rng(11)
    phrase, huge = fresh(generator, 40), fresh(generator, 2_000_000)
    sets = [huge, *(np.concatenate((phrase, fresh(generator, 30))) for _ in range(10_000))]
    sets += [huge[40 * i : 40 * i + 40] for i in range(2_000)]
    shelf = shelf_of(dedup, sets)
    begin = time.perf_counter()
    found = contained(shelf)
    assert time.perf_counter() - begin < 20  # all pairs would take an hour; each of 12,000 read with the huge one, too
    assert {container for container, _ in found.values()} == {0}
    assert len(found) >= 1_990
