"""The figures are what a plain count over the rows gives."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import corpus
from corpus.audit import samples
from corpus.audit.figures import selftest
from corpus.audit.figures.tokens import _rows_needed
from corpus.audit.ledger import Ledger


@pytest.fixture(scope="module")
def figures(built: Path) -> dict[str, Any]:
    return json.loads((built / "audit.json").read_bytes())


@pytest.fixture(scope="module")
def rows(built: Path) -> list[dict[str, Any]]:
    return list(corpus.open_build(built).ledger())


def test_the_funnel_is_the_ledger_counted(figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    fates = Counter(row["fate"] for row in rows)
    funnel = figures["funnel"]
    assert {fate: funnel[fate] for fate in fates} == fates
    assert funnel["documents"] == len(rows) == sum(fates.values())
    assert funnel["tokens"] == sum(row["tokens"] for row in rows)
    assert funnel["characters"] == sum(row["chars"] for row in rows if row["fate"] == "kept")


@pytest.mark.parametrize(("group", "column"), [("sources", "source"), ("kinds", "kind"), ("licences", "licence")])
def test_groups_are_the_ledger_counted(
    figures: dict[str, Any], rows: list[dict[str, Any]], group: str, column: str
) -> None:
    for name, counts in figures[group].items():
        own = [row for row in rows if row[column] == name]
        assert counts["documents"] == len(own)
        assert counts["kept"] == sum(row["fate"] == "kept" for row in own)
        assert counts["tokens"] == sum(row["tokens"] for row in own)


def test_years_add_up(figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    expected = Counter(row["date"][:4] or "unknown" for row in rows)
    assert {year: counts["documents"] for year, counts in figures["years"].items()} == expected


def test_what_decided_is_counted_once(figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    expected = Counter(
        (f"{r['stage']}.{r['rule']}", r["source"]) for r in rows if r["fate"] in {"rejected", "duplicate"}
    )
    found = {(rule, source): n for rule, sources in figures["decided"].items() for source, n in sources.items()}
    assert found == expected


def test_every_rule_has_its_histogram_its_thresholds_and_its_rejects(
    built: Path, figures: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    for kind, limits in corpus.open_build(built).manifest.profiles.items():
        own = [row for row in rows if row["kind"] == kind and row["fate"] != "failed"]
        assert list(figures["rules"][kind])[: len(limits)] == [limit["rule"] for limit in limits]
        for limit in limits:
            told = figures["rules"][kind][limit["rule"]]
            values = [row["measurements"][limit["rule"]] for row in own]
            assert told["documents"] == len(values) == sum(told["histogram"]["counts"])
            for bound in {"at_least", "at_most"} & set(limit):
                beyond = [v for v in values if (v < limit[bound] if bound == "at_least" else v > limit[bound])]
                assert told[bound]["beyond"] == len(beyond)
    decided = Counter((row["kind"], row["rule"]) for row in rows if row["fate"] == "rejected")
    for (kind, rule), count in decided.items():
        told = figures["rules"][kind][rule]
        assert sum(told[bound]["rejected"] for bound in ("at_least", "at_most") if bound in told) == count


def test_clusters_are_survivors_with_their_duplicates(figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    clusters = Counter(row["duplicate_of"] for row in rows if row["fate"] == "duplicate")
    told = figures["duplicates"]
    assert told["clusters"] == len(clusters) == sum(told["sizes"].values())
    assert told["exact"] + told["near"] == sum(clusters.values())
    assert told["largest"][0]["size"] == max(clusters.values()) + 1


def test_failures_are_counted_by_reason(figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    expected = Counter(row["error"].partition(":")[0] for row in rows if row["fate"] == "failed")
    assert {reason: sum(n.values()) for reason, n in figures["extraction"]["failures"].items()} == expected


def rows_of_brute_force(tokens: list[int], length: int) -> int:
    """Best-fit decreasing, one piece at a time."""
    rooms: list[int] = []
    rows = sum(size // length for size in tokens)
    for size in sorted((size % length for size in tokens if size % length), reverse=True):
        at = bisect_left(rooms, size)
        if at == len(rooms):
            rows += 1
            insort(rooms, length - size)
        else:
            insort(rooms, rooms.pop(at) - size)
    return rows


@given(st.lists(st.integers(0, 300), max_size=80), st.integers(2, 100))
def test_packing_is_best_fit_decreasing(tokens: list[int], length: int) -> None:
    assert _rows_needed(np.array(tokens, np.int64), length) == rows_of_brute_force(tokens, length)


def test_the_self_test_finds_planted_duplicates_as_the_theory_says() -> None:
    words = ("売上", "利益", "資産", "負債", "費用", "現金", "株式", "配当", "監査", "開示")
    texts = [
        "".join(
            f"第{n}期の{words[(n + k) % 10]}は前期の{words[(n * k + 3) % 10]}に比べ{n * k}百万円増えた。"
            for n in range(60)
        )
        for k in range(1, 9)
    ]
    near = {"shingle": "words", "n": 5, "numbers": "keep", "threshold": 0.8, "bands": 20, "rows": 6}
    told = selftest.self_test(texts, near)
    assert told["pairs"] == 80
    assert told["at_threshold"] > 10
    assert told["recall_at_threshold"] >= 0.99
    assert selftest.theory(0.8, 20, 6) == pytest.approx(0.998, abs=0.001)
    assert selftest.self_test(texts, "off") == {}
    built = {"planted": 200, "found": 150, "recall": 0.75}
    assert selftest.self_test(texts, near, built) == {**told, "build": built}
    assert selftest.self_test([], near, built) == {"build": built}
    lame = selftest.self_test(texts, near | {"bands": 1, "rows": 120})
    assert lame["recall_at_threshold"] < 0.5


def test_every_source_fate_and_rule_is_among_the_samples(ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    picked = samples.shown(ledger)
    assert len(picked) == len(set(picked.tolist())) <= samples.SHOWN
    strata = {(row["source"], row["fate"], row["rule"]) for row in rows}
    assert {(rows[i]["source"], rows[i]["fate"], rows[i]["rule"]) for i in picked} == strata
