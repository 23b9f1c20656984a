"""From a build to a model with the domain's words and figures, by the commands that a user has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import SMALL, corpus

pytest.importorskip("torch")
pytest.importorskip("transformers")

from registry.configuration import load
from registry.domain import find_file
from registry.shards import Shards
from train.config import Evaluate, Train
from train.evaluate import evaluate
from train.model import load_model
from train.pretrain import train
from train.tokens import Tokens

from .conftest import make_model


def done(*arguments, cwd):
    finished = corpus(*arguments, cwd=cwd)
    assert finished.returncode in {0, 3}, finished.stderr
    return finished.stdout


def test_words_and_questions_of_a_build_reach_training_and_evaluation(built, tmp_path, monkeypatch):
    done("vocab", built, "--out", "terms", "--most", "30", cwd=tmp_path)
    tokens = Tokens.load(built / "tokenizer")
    size = tokens.tokenizer.get_vocab_size(with_added_tokens=True)
    load_model(make_model(tmp_path / "config", vocab_size=size), seed=0).save_pretrained(tmp_path / "model")
    tokens.copy(tmp_path / "model")

    told = done("extend", "model", "terms/terms.txt", "--out", "wider", cwd=tmp_path)
    added = json.loads((tmp_path / "wider" / "vocabulary.json").read_text())["words"]
    assert f"{len(added)} words became tokens" in told
    assert 0 < len(added) <= 30
    again = corpus("extend", "model", "terms/terms.txt", "--out", "wider", cwd=tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)

    tokenizer = f"tokenize.tokenizer={tmp_path / 'wider'}"
    done("build", SMALL, "--out", "builds/ja_finance", "--set", tokenizer, cwd=tmp_path)
    assert Shards(tmp_path / "builds/ja_finance").tokens < Shards(built).tokens
    told = done("questions", "builds/ja_finance", "--out", "asked.jsonl", cwd=tmp_path)
    done("questions", "builds/ja_finance", "--out", "few.jsonl", "--most", "5", cwd=tmp_path)
    asked = [json.loads(line) for line in (tmp_path / "asked.jsonl").read_text().splitlines()]
    assert f"{sum(question['kind'] == 'sentence' for question in asked)} questions from sentences" in told
    assert {question["document"] for question in asked} <= {row.id for row in Shards(tmp_path / "builds/ja_finance")}
    assert len((tmp_path / "few.jsonl").read_text().splitlines()) == 5

    # what the domain says of models, on a small one
    monkeypatch.chdir(tmp_path)
    data = ("data.length=64", "data.batch=2", "data.micro=2", "data.examples={file: asked.jsonl}")
    config = load(find_file("ja_finance", "train.yaml"), Train, ("model=wider", "steps=2", *data))
    train(config, Path(), Path(config.out))
    done("merge", "ja_finance", "--set", "base=wider", "--set", "models.0.model=wider", cwd=tmp_path)
    changes = ("models.0.model=wider", "tasks=[{name: figures, file: few.jsonl}]", "generate=2")
    found = evaluate(load(find_file("ja_finance", "evaluate.yaml"), Evaluate, changes), Path(), Path("measured"))
    assert list(found) == ["base", "finance", "merged"]
    assert (
        found["merged"]["accuracy"]["figures"]["n"] == found["merged"]["accuracy"]["figures/own"]["numeric"]["n"] == 5
    )


def test_a_build_without_figures_is_told(tmp_path, build):
    refused = corpus("questions", tmp_path / "nothing", "--out", tmp_path / "q.jsonl")
    assert refused.returncode == 2
    assert not (tmp_path / "q.jsonl").exists()
