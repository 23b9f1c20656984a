"""Floors of the search for near-duplicates on edited copies of real documents. They only go up."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared" / "data"
FLOORS = json.loads((HERE / "dedup.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found():
    folder = HERE.parents[1] / "benchmarks"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("benchmark_dedup", folder / "dedup.py")
        bench = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bench)
        return bench.quality(bench.labelled(1200))
    finally:
        sys.path.remove(str(folder))


@pytest.mark.parametrize("key", ["precision_at_08", "recall_at_08", "precision_at_07", "recall_at_07"])
def test_every_labelled_pair_is_found_and_nothing_else(found, key):
    assert found[f"pairs_at_{key[-2:]}"] > (100 if SHARED.is_dir() else 40)
    assert found[key] >= FLOORS[key]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the sample alone has too few texts for a curve")
def test_candidates_follow_the_theory(found):
    rows = [row for row in found["s_curve"] if row["pairs"] >= 20]
    assert len(rows) >= 5
    assert all(abs(row["measured"] - row["theory"]) <= FLOORS["s_curve_off_by"] for row in rows)
