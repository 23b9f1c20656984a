"""The experiment of `make paper`, cut to 30 steps: every model is made and measured, whatever the numbers are."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from train.merge.config import Merge  # noqa: E402
from train.merge.report import grams  # noqa: E402
from train.miniature import experiment, texts  # noqa: E402


@pytest.mark.parametrize("kind", ["general", "finance"])
def test_texts_are_a_function_of_kind_and_seed(kind):
    assert texts.texts(kind, 5, 1) == texts.texts(kind, 5, 1)
    assert texts.texts(kind, 5, 1) != texts.texts(kind, 5, 2)
    assert not any("{" in text for text in texts.texts(kind, 50, 3))


def test_every_answer_has_the_form_of_its_own_instruction_only():
    draw = texts.random.Random(0)
    for _ in range(60):
        name, _, answer = texts.instruction("general", draw)
        assert [n for n in texts.WORDS["instructions"] if texts.follows(n, answer)] == [name]


def test_the_experiment_runs_from_texts_to_table(tmp_path):
    torch.set_num_threads(1)
    rows = experiment.main(tmp_path, scale=0.06, items=2)
    assert set(rows) == set(experiment.MODELS)
    assert all(math.isfinite(row.finance) and row.finance > 1 for row in rows.values())
    assert rows["finance"].finance < rows["base"].finance
    assert rows["both, exact sum"] not in (rows["numeric LoRA"], rows["domain LoRA"])
    assert experiment.table(rows, 2).count("\n| ") == len(rows)
    assert set(experiment.verdicts(rows).values()) <= {True, False}
    config = {"out": "o", "base": "base/model", "models": [{"model": "instruct/model"}, {"model": "finance/model"}]}
    found = grams(Merge.model_validate(config), tmp_path)
    assert set(found) == {"all", "embeddings", "norms", "attention", "mlp"}
    assert sum(gram for block, gram in found.items() if block != "all") == pytest.approx(found["all"])
