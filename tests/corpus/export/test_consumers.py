"""Each export is read by the library it was made for, and gives the very documents.

datasets is in the environment of the tests. megatron-core, mosaicml-streaming and litdata replace torch, so they are
looked for in others: CORPUS_READERS names their Pythons, as PATH does folders; without it these tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import python_with

from corpus.export.run import export


def read(to, folder, dtype):
    script = Path(__file__).with_name("readers.py")
    module = {"megatron": "megatron.core", "nanotron": "datatrove", "mds": "streaming", "litdata": "litdata"}[to]
    done = python_with(module)(script, to, folder, dtype)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("to", ["megatron", "mds", "litdata"])
def test_the_real_reader_gives_the_documents(made, tmp_path, to):
    export(made.build, to, tmp_path / "out", {"length": 64} if to == "litdata" else {})
    found = read(to, tmp_path / "out", made.build.manifest.tokenizer["dtype"])
    documents = [tokens for _, _, tokens, _ in made.documents["train"]]
    if to == "litdata":  # knows blocks, no documents
        tokens = [token for document in documents for token in document]
        assert found == [tokens[: len(tokens) // 64 * 64]]
    else:
        assert found == [document for document in documents if document or to != "mds"]


@pytest.mark.slow
def test_datatrove_gives_the_tokens_and_where_documents_begin(made, tmp_path):
    pytest.importorskip("torch")
    export(made.build, "nanotron", tmp_path / "out", {})
    tokens, positions = read("nanotron", tmp_path / "out", made.build.manifest.tokenizer["dtype"])
    documents = [tokens for _, _, tokens, _ in made.documents["train"]]
    flat = [token for document in documents for token in document]
    assert tokens == flat[: len(flat) // 100 * 100]
    begins = {0}
    for document in documents:
        begins.add(max(begins) + len(document))
    assert {i for i, place in enumerate(positions) if place == 0} == {
        i for i in range(len(positions)) if i in begins or i % 100 == 0
    }


def test_datasets_gives_the_documents(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export(made.build, "hf", tmp_path / "out", {})
    found = datasets.load_from_disk(str(tmp_path / "out"))
    for split, rows in made.documents.items():
        assert found[split]["input_ids"][:] == [tokens for _, _, tokens, _ in rows]
        assert found[split]["id"][:] == [row[0] for row in rows]
        (file,) = (tmp_path / "out" / split).glob("*.arrow")
        assert datasets.Dataset.from_file(str(file))["length"][:] == [len(tokens) for _, _, tokens, _ in rows]
    assert found["train"].features["input_ids"].feature.dtype == made.build.manifest.tokenizer["dtype"]


def test_datasets_gives_packed_sequences(one, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export(one.build, "hf", tmp_path / "out", {"length": 512})
    train = datasets.load_from_disk(str(tmp_path / "out"))["train"]
    assert train.column_names == ["input_ids", "position_ids", "seq_lengths"]
    count = sum(len(tokens) for _, _, tokens, _ in one.documents["train"])
    assert sum(map(len, train["input_ids"])) == count
    assert all(sum(row["seq_lengths"]) == len(row["input_ids"]) for row in train)


@pytest.mark.parametrize(("to", "builder"), [("parquet", "parquet"), ("jsonl", "json")])
def test_datasets_reads_texts(one, tmp_path, monkeypatch, to, builder):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    record = export(one.build, to, tmp_path / "out", {})
    files = [str(tmp_path / "out" / name) for name in record["files"] if name.startswith("train/")]
    found = datasets.load_dataset(builder, data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert found["text"][:] == [text for _, _, _, text in one.documents["train"]]
