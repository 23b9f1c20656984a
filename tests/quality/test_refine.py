"""Floors of the refine stage on real documents that its tables were not made from. They only go up."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FLOORS = json.loads((HERE / "refine.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench(shared_data):
    sys.path.insert(0, str(HERE.parents[1] / "benchmarks"))
    import overlap
    import personal
    import refine
    import wanted

    yield {"overlap": overlap, "personal": personal, "refine": refine, "wanted": wanted}
    sys.path.remove(str(HERE.parents[1] / "benchmarks"))


@pytest.fixture(scope="module")
def texts(bench, shared_data):
    return bench["wanted"].wanted(shared_data, one_in=16)


def test_wanted_documents_pass(bench, texts):
    rejected = bench["refine"].rejections(bench["refine"].refiner(), texts)
    for kind, rules in rejected.items():
        assert sum(map(bool, rules)) <= FLOORS["false_rejections_at_most"] * len(rules), (kind, set(rules))


def test_damaged_documents_do_not(bench, texts):
    refine = bench["refine"]
    shares = refine.caught(refine.refiner(), refine.damaged(texts, of_each=24))
    assert sum(shares.values()) / len(shares) >= FLOORS["damage_caught_at_least"]
    for (kind, damage), share in shares.items():
        floor = FLOORS["damage_caught_by_pair_at_least"].get(
            f"{kind} {damage}", FLOORS["damage_caught_by_pair_default"]
        )
        assert share >= floor, (kind, damage)


def test_personal_data_is_found_and_nothing_else(bench):
    found = bench["personal"].measure_privacy(150)
    assert found["privacy_recall"] >= FLOORS["privacy_recall_at_least"]
    assert found["privacy_precision"] >= FLOORS["privacy_precision_at_least"]


def test_planted_items_are_found_and_nothing_else(bench, shared_data):
    found = bench["overlap"].measure_decontamination(shared_data, quick=True)
    assert found["decontamination_recall"] >= FLOORS["decontamination_recall_at_least"]
    assert found["decontamination_recall_altered"] >= FLOORS["decontamination_recall_altered_at_least"]
    assert found["decontamination_false"] <= FLOORS["decontamination_false_at_most"]
