"""`corpus retune` foretells what a build with the same thresholds does; that build extracts nothing again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
from commandline import SMALL, corpus

import corpus as api
from pipelines.words import Analyzer

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


def plant(pack: Path) -> None:
    """Write a measurement that no rule makes into every row of a pack, and the pack's new size into its record."""
    table = pa.ipc.open_file(pack).read_all()
    rows = [row | {"measurements": [*row["measurements"], ("planted", 7.0)]} for row in table.to_pylist()]
    with pa.ipc.new_file(str(pack), table.schema) as writer:
        writer.write_table(pa.Table.from_pylist(rows, table.schema))
    record = json.loads(pack.with_suffix(".json").read_bytes())
    record["sizes"][pack.name] = pack.stat().st_size
    pack.with_suffix(".json").write_text(json.dumps(record))


def test_a_changed_threshold_measures_nothing_again(built: Path, tmp_path: Path):
    again = tmp_path / "again"
    shutil.copytree(built, again)
    for pack in (again / ".work" / "refine").glob("*.arrow"):
        plant(pack)
    assert corpus("build", SMALL, "--out", again, *CHANGE).returncode == 3
    judged = [row for row in api.open_build(again).ledger() if row["fate"] != "failed"]
    assert {row["measurements"]["planted"] for row in judged} == {7.0}


def test_judging_again_gives_what_a_fresh_build_gives(built: Path, tmp_path: Path):
    again, fresh = tmp_path / "again", tmp_path / "fresh"
    shutil.copytree(built, again)
    for build in (again, fresh):
        assert corpus("build", SMALL, "--out", build, *CHANGE).returncode == 3
    for file in ("ledger", "documents", "rejects", "shards"):
        same = [path.relative_to(fresh) for path in sorted((fresh / file).rglob("*.*"))]
        assert same
        assert all((again / path).read_bytes() == (fresh / path).read_bytes() for path in same), file


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["terms.csv", "terms.dic", "terms.tsv", "terms.txt"]
    words = Analyzer(tmp_path / "terms.dic").analyze("当社の企業結合会計基準について")
    assert words.surfaces()
