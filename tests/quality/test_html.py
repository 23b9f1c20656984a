"""Floors of the HTML and filing extractors on real documents. They only go up."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FLOORS = json.loads((HERE / "html.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench(shared_data):
    spec = importlib.util.spec_from_file_location("benchmark_html", HERE.parents[1] / "benchmarks" / "html.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_filings_lose_nothing(bench, shared_data):
    found = bench.filings(shared_data, 8)
    assert {key: found[key] for key in FLOORS["filings"]} == FLOORS["filings"]


@pytest.mark.parametrize("key", ["web_ja", "web_ja_more", "web_en", "lectures"])
def test_pages_are_at_least_as_good_as_before(bench, shared_data, key):
    pages = list(bench.SETS[key](shared_data))
    row = bench.scores(pages, ["ours"], each=False)["ours"]
    for name, floor in FLOORS[key].items():
        assert row[name] >= floor, name


LAYOUTS = {
    "form": ("<form id=aspnetForm>", "</form>"),
    "article": ("<article>", "</article>"),
    "wrapper": ('<div class="wrapper has-sidebar widget-area">', "</div>"),
}


@pytest.mark.parametrize(("key", "layout"), [("web_ja", "form"), ("web_ja", "article"), ("web_en", "wrapper")])
def test_pages_are_as_good_in_another_layout(bench, shared_data, key, layout):
    before, after = LAYOUTS[layout]

    def laid_out(page):
        page = re.sub(r"<(/?)form\b", r"<\1div", page, flags=re.IGNORECASE)  # HTML has no form in a form
        page = re.sub(r"<body\b[^>]*>", lambda body: body.group() + before, page, count=1, flags=re.IGNORECASE)
        return re.sub(r"</body>", after + "</body>", page, count=1, flags=re.IGNORECASE)

    pages = [(name, laid_out(page), gold) for name, page, gold in bench.SETS[key](shared_data)]
    assert bench.scores(pages, ["ours"], each=False)["ours"]["f1"] >= FLOORS[key]["f1"]


def test_no_encoding_is_taken_for_another(bench, shared_data):
    wrong, items, _ = bench.encoding_errors(shared_data)
    assert items >= FLOORS["encoding_items"]
    assert wrong == 0


def test_the_measures_see_what_is_lost(bench):
    m = bench.m
    assert m.f1("同じ文章です。", "同じ文章です。") == 1
    assert m.f1("違う", "同じ文章です。") == 0
    assert m.kept(m.signed("△ 1 ▲2"), m.signed("△1 2")) == (1, 2)
    assert m.rectangular("| a | b |\n| --- | --- |\n| c |\n") == (0, 1)
    source = '<ix:nonFraction sign="-">5</ix:nonFraction>'
    assert m.facts_found(f"<body>△{source}</body>", ["利益 △5"]) == (1, 1)
    assert m.facts_found(f"<body>△{source}</body>", ["利益 5"]) == (0, 1)
    assert m.code_lines("```\n  a\nb\n```", "a\nb") == (1, 2)
