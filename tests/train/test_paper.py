"""The experiment of `make paper`, cut to 30 steps: every model is made and measured, whatever the numbers are."""

from __future__ import annotations

import math
import random

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from commandline import SMALL  # noqa: E402

from benchmarks.paper import experiment, texts  # noqa: E402
from train.merge.config import Merge  # noqa: E402
from train.merge.report import grams  # noqa: E402


@pytest.mark.parametrize("kind", experiment.KINDS)
def test_texts_are_a_function_of_kind_and_seed(kind):
    assert texts.texts(kind, 5, 1) == texts.texts(kind, 5, 1)
    assert texts.texts(kind, 5, 1) != texts.texts(kind, 5, 2)
    assert not any("{" in text for text in texts.texts(kind, 50, 3))


def test_every_answer_has_the_form_of_its_own_instruction_only():
    draw, words = random.Random(0), texts.names("general", ["貸借対照表のデータ"])
    assert {"貸借対照表", "データ", "静かな猫"} <= set(words)
    for _ in range(60):
        name, _, answer = texts.instruction(words, draw)
        assert [n for n in texts.WORDS["instructions"] if texts.follows(n, answer)] == [name]


def test_the_experiment_runs_from_texts_to_table(tmp_path):
    torch.set_num_threads(1)
    rows = experiment.main(tmp_path, recipe=str(SMALL), scale=0.06, items=2)
    assert set(rows) == set(experiment.MODELS)
    assert all(math.isfinite(p) and p > 1 for row in rows.values() for p in row.perplexity.values())
    assert rows["finance"].perplexity["finance"] < rows["base"].perplexity["finance"]
    assert rows["both, exact sum"] not in (rows["numeric LoRA"], rows["domain LoRA"])
    text, _ = experiment.report([rows, rows], [tmp_path, tmp_path])
    assert text.count("\n| ") == len(rows)
    twice = experiment.pooled([rows, rows])["base"]
    assert twice.perplexity == pytest.approx(rows["base"].perplexity)
    assert (twice.numeric.mean, len(twice.numeric.items)) == (rows["base"].numeric.mean, 2 * 16)
    exact = {
        claim: held for claim, held in experiment.verdicts(rows, [tmp_path]).items() if "bit" in claim or "SVD" in claim
    }
    assert list(exact.values()) == [True, True]
    config = {"out": "o", "base": "base/model", "models": [{"model": "instruct/model"}, {"model": "finance/model"}]}
    found = grams(Merge.model_validate(config), tmp_path)
    assert set(found) == {"all", "embeddings", "norms", "attention", "mlp"}
    assert sum(gram for block, gram in found.items() if block != "all") == pytest.approx(found["all"])
