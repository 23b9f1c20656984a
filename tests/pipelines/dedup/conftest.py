"""Documents given as arrays or sets, found in one process."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.dedup.index import Sketched, columns_of
from pipelines.dedup.minhash import sign
from pipelines.dedup.near import find_links, resolve
from pipelines.dedup.shelf import Shelf


def columns(sets, contents=None, signatures=None):
    """What `find` takes, for sets of 32-bit hashes; documents differ in content unless told."""
    sets = [np.unique(np.array(list(s), dtype=np.uint32)) for s in sets]
    numbers = np.arange(len(sets)) if contents is None else np.array(contents)
    return {
        "contents": np.stack((numbers, numbers + 7), axis=1).astype(np.uint64).reshape(len(sets), 2),
        "signatures": np.array([sign(s) for s in sets], dtype=np.uint32).reshape(len(sets), 120)
        if signatures is None
        else signatures,
        "shingles": np.concatenate([np.empty(0, np.uint32), *sets]),
        "offsets": np.cumsum([0, *(s.size for s in sets)], dtype=np.int64),
        "rank": np.arange(len(sets)),
    }


def sketched(contents, signatures, shingles, offsets, rank, form=None, figures=None):
    """The columns of one index; the rank is merit and id."""
    rank = np.asarray(rank).astype(np.uint64)
    facts = {"id_high": rank * 0, "id_low": rank, "merit": rank}
    facts |= {"content_high": contents[:, 0], "content_low": contents[:, 1]}
    facts["form"] = rank + np.uint64(1) if form is None else np.array(form, dtype=np.uint64)
    facts["figures"] = rank * 0 if figures is None else np.array(figures, dtype=np.uint64)
    return Sketched(facts, np.asarray(signatures), np.asarray(shingles), np.asarray(offsets))


def expand(count, result):
    """Per document; -1 and 0 for those that stay."""
    full = SimpleNamespace(
        survivor=np.full(count, -1), similarity=np.zeros(count), partner=np.full(count, -1), linked=np.zeros(count)
    )
    for name, array in vars(full).items():
        array[result.documents] = getattr(result, name)
    return full


def find(contents, signatures, shingles, offsets, rank, *, threshold=0.8, bands=20, rows=6, room=1 << 28, **facts):
    """All duplicates."""
    given = sketched(contents, signatures, shingles, offsets, rank, **facts)
    shelf = Shelf([columns_of(given, bands=bands, rows=rows)], [0])
    links, _ = find_links(shelf, threshold=threshold, bands=bands, room=room)
    return expand(len(rank), resolve(shelf, links, threshold=threshold, room=room))


@pytest.fixture(scope="session")
def dedup():
    """The functions of this file."""
    return SimpleNamespace(columns=columns, sketched=sketched, expand=expand, find=find)
