"""`corpus retune` foretells what a build with the same thresholds does; that build extracts nothing again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from commandline import SMALL, corpus

import corpus as api

CHANGE = ("--set", "refine.profiles.record.characters.at_least=45")


def test_retune_foretells_what_a_build_makes(built: Path, tmp_path: Path):
    told = corpus("retune", built, SMALL, *CHANGE, "--json")
    assert told.returncode == 0, told.stderr
    foretold = {row["id"] for row in map(json.loads, told.stdout.splitlines()) if row["after"]}
    again = tmp_path / "again"
    shutil.copytree(built, again)
    packs = sorted(path.name for path in (again / ".work" / "extract").iterdir())
    assert corpus("build", SMALL, "--out", again, *CHANGE).returncode == 3
    rejected = {row["id"] for row in api.open_build(again).ledger(fate="rejected")}
    assert foretold == rejected - {row["id"] for row in api.open_build(built).ledger(fate="rejected")} != set()
    assert sorted(path.name for path in (again / ".work" / "extract").iterdir()) == packs


def test_only_thresholds_can_be_retuned(built: Path):
    for change in ("dedup.near.threshold=0.5", "refine.profiles.record.short_lines={at_most: 0.5, shorter_than: 3}"):
        done = corpus("retune", built, SMALL, "--set", change)
        assert done.returncode == 2
        assert "retuned" in done.stderr or "run `corpus build`" in done.stderr


def test_terms_of_a_build_are_listed_and_written(built: Path, tmp_path: Path):
    listed = corpus("vocab", built, "--most", 5)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[0].startswith("text\tcount\tdocuments\tkeyness")
    assert len(listed.stdout.splitlines()) == 6
    assert corpus("vocab", built, "--out", tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["terms.csv", "terms.tsv", "terms.txt"]
