"""The card: readable by the hub and by Croissant's own validator, and true."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import corpus


@pytest.fixture(scope="module")
def croissant(built: Path) -> dict[str, Any]:
    return json.loads((built / "card" / "croissant.json").read_bytes())


def test_the_front_matter_names_licences_language_size_and_files(built: Path) -> None:
    text = (built / "card" / "README.md").read_text(encoding="utf-8")
    matter = yaml.safe_load(text.split("---\n")[1])
    assert matter["language"] == ["ja"]
    assert matter["license"] == ["cc-by-4.0", "unknown"]
    assert matter["size_categories"] == ["n<1K"]
    assert {config["config_name"] for config in matter["configs"]} == {"documents", "rejects"}
    for source in corpus.open_build(built).manifest.sources:
        assert f"| {source} | " in text


def test_every_file_stands_in_it_with_its_digest(built: Path, croissant: dict[str, Any]) -> None:
    files = {item["@id"]: item for item in croissant["distribution"] if item["@type"] == "cr:FileObject"}
    assert set(files) == set(corpus.open_build(built).manifest.files)
    for name, item in files.items():
        assert hashlib.sha256((built / name).read_bytes()).hexdigest() == item["sha256"]


def test_lineage_leads_from_the_sources_to_the_shards(built: Path, croissant: dict[str, Any]) -> None:
    stages = croissant["prov:wasGeneratedBy"]
    assert [stage["name"] for stage in stages] == ["inventory", "extract", "refine", "dedup", "tokenize"]
    sources = {source["@id"] for source in croissant["prov:wasDerivedFrom"]}
    assert {used["@id"] for used in stages[0]["prov:used"]} == sources
    assert all(stage["prov:used"] == [{"@id": before["@id"]}] for before, stage in itertools.pairwise(stages))
    assert json.loads(stages[3]["prov:hadPlan"])["near"]["threshold"] == 0.8


def test_the_bill_of_a_source_is_the_digest_of_its_sha256sums(built: Path) -> None:
    opened = corpus.open_build(built)
    lines = sorted({f"{row['sha256']}  {row['uri']}\n" for row in opened.ledger(source="laws")})
    figures = json.loads((built / "audit.json").read_bytes())
    assert figures["bill"]["laws"] == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_datasets_reads_the_documents(built: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    files = [str(path) for path in sorted((built / "documents").glob("*.parquet"))]
    loaded = load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == corpus.open_build(built).manifest.fates["kept"]
    assert set(loaded["fate"]) == {"kept"}


def test_mlcroissant_accepts_it_and_reads_the_documents(built: Path, tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    shutil.copytree(built / "documents", tmp_path / "documents")
    shutil.copy(built / "card" / "croissant.json", tmp_path)
    dataset = mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    records = list(dataset.records("documents-rows"))
    assert len(records) == corpus.open_build(built).manifest.fates["kept"]
