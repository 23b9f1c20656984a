"""From a build to a model with the domain's words and figures, by the commands that a user has."""

from __future__ import annotations

import json

import pytest
from commandline import SMALL, corpus

pytest.importorskip("torch")
pytest.importorskip("transformers")

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


def test_words_and_questions_of_a_build_reach_training_and_evaluation(tmp_path):
    done("build", SMALL, "--out", "plain", cwd=tmp_path)
    done("vocab", "plain", "--out", "terms", "--most", "30", cwd=tmp_path)
    tokens = Tokens.load(tmp_path / "plain" / "tokenizer")
    size = tokens.tokenizer.get_vocab_size(with_added_tokens=True)
    load_model(make_model(tmp_path / "config", vocab_size=size), seed=0).save_pretrained(tmp_path / "model")
    tokens.copy(tmp_path / "model")

    told = done("extend", "model", "terms/terms.txt", "--out", "wider", cwd=tmp_path)
    added = json.loads((tmp_path / "wider" / "vocabulary.json").read_text())["words"]
    assert f"{len(added)} words became tokens" in told
    assert 0 < len(added) <= 30
    again = corpus("extend", "model", "terms/terms.txt", "--out", "wider", cwd=tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)

    done("build", SMALL, "--out", "built", "--set", f"tokenize.tokenizer={tmp_path / 'wider'}", cwd=tmp_path)
    assert Shards(tmp_path / "built").tokens < Shards(tmp_path / "plain").tokens
    told = done("questions", "built", "--out", "asked.jsonl", cwd=tmp_path)
    done("questions", "built", "--out", "few.jsonl", "--most", "5", cwd=tmp_path)
    asked = [json.loads(line) for line in (tmp_path / "asked.jsonl").read_text().splitlines()]
    assert f"{sum(question['kind'] == 'sentence' for question in asked)} questions from sentences" in told
    assert {question["document"] for question in asked} <= {row.id for row in Shards(tmp_path / "built")}
    assert len((tmp_path / "few.jsonl").read_text().splitlines()) == 5

    data = {"sources": [{"shards": "built"}], "length": 64, "batch": 2, "micro": 2, "examples": {"file": "asked.jsonl"}}
    config = {"model": "wider", "out": "run", "steps": 2, "data": data, "optimizer": {"lr": 0.01}}
    train(Train.model_validate(config), tmp_path, tmp_path / "run")
    judged = {"out": "o", "models": [{"name": "trained", "model": "run/model"}], "shards": {"small": "built"}}
    tasks = [{"name": "figures", "file": "few.jsonl"}]
    found = evaluate(Evaluate.model_validate({**judged, "tasks": tasks}), tmp_path, tmp_path / "o")["trained"]
    assert found["accuracy"]["figures"]["n"] == found["accuracy"]["figures/own"]["numeric"]["n"] == 5


def test_a_build_without_figures_is_told(tmp_path, build):
    refused = corpus("questions", tmp_path / "nothing", "--out", tmp_path / "q.jsonl")
    assert refused.returncode == 2
    assert not (tmp_path / "q.jsonl").exists()
