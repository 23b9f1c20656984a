"""Gates: what falls short is named, and a gate that nothing can fail is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import corpus

from corpus.audit.gates import fallen_short, load_gates
from registry.errors import UsageError

FIGURES = {
    "funnel": {"kept": 90, "kept_ratio": 0.9},
    "sources": {"a.b": {"kept_ratio": 0.5}, "c": {"kept_ratio": 1.0}},
    "privacy": {"phone": {"found": {"a.b": 2, "c": 3}}},
    "build": {"name": "x"},
}


def test_numbers_beyond_a_gate_are_told_with_its_reason() -> None:
    gates = {"funnel.kept": {"at_least": 100, "because": "small"}, "sources.*.kept_ratio": {"at_least": 0.6}}
    assert fallen_short(gates, FIGURES) == [
        "funnel.kept is 90, at least 100 is asked (small)",
        "sources.a.b.kept_ratio is 0.5, at least 0.6 is asked",
    ]


def test_a_key_with_dots_is_found_and_numbers_by_source_are_added_up() -> None:
    assert fallen_short({"sources.a.b.kept_ratio": {"at_most": 0.5}}, FIGURES) == []
    assert fallen_short({"privacy.phone.found": {"at_most": 4}}, FIGURES) == [
        "privacy.phone.found is 5, at most 4 is asked"
    ]


@pytest.mark.parametrize("name", ["funnel.kpet", "sources.d.kept_ratio", "nothing", "build.name"])
def test_a_gate_on_no_number_is_an_error(name: str) -> None:
    with pytest.raises(UsageError):
        fallen_short({name: {"at_least": 1}}, FIGURES)


@pytest.mark.parametrize(
    "text",
    ["", "- a", "a: 1", "a: {at_lest: 1}", "a: {at_least: x}", "a: {because: x}", "a: {at_least: 1, at_mots: 2}", "{"],
)
def test_a_wrong_file_of_gates_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "gates.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"gates\.yaml"):
        load_gates(tmp_path / "gates.yaml")


def test_the_command_exits_with_1_where_a_gate_falls_short(built: Path, tmp_path: Path) -> None:
    gates = tmp_path / "gates.yaml"
    gates.write_text("funnel.kept: {at_least: 1}\nextraction.failures.encrypted: {at_most: 0}\n")
    done = corpus("audit", built, "--gate", gates, "--json")
    assert done.returncode == 1
    assert "fell short: extraction.failures.encrypted is 1, at most 0 is asked" in done.stderr
    assert json.loads(done.stdout)["funnel"]["kept"] > 0
    gates.write_text("funnel.kept: {at_least: 1}\n")
    assert corpus("audit", built, "--gate", gates).returncode == 0
