"""Searching weights: a grid in its order, and far fewer trials where they are chosen."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from registry.errors import UsageError
from train.merge.config import Merge
from train.merge.sweep import chosen, search
from train.model import load_model
from train.tokens import Tokens

from .conftest import make_model

AXIS = [i / 10 for i in range(11)]


GRID = np.array(list(product(AXIS, AXIS)))


def run(most):
    tried, seen = [], []
    for _ in range(most or len(GRID)):
        tried.append(chosen(GRID, tried, [-value for value, *_ in seen], most))
        a, b = GRID[tried[-1]].tolist()
        seen.append(((a - 0.7) ** 2 + (b - 0.3) ** 2, a, b))
    return seen


def test_a_grid_is_tried_whole_and_in_order():
    assert [(a, b) for _, a, b in run(0)] == list(product(AXIS, AXIS))


def test_bayesian_search_finds_the_best_point_in_a_sixth_of_the_trials():
    seen = run(20)
    assert len(set(seen)) == 20
    assert min(seen)[1:] == (0.7, 0.3)
    assert run(20) == seen


def test_the_best_merge_of_a_sweep_is_kept(tmp_path, build):
    base = load_model(make_model(tmp_path / "config"), seed=0)
    base.save_pretrained(tmp_path / "base")
    base.get_input_embeddings().weight.data *= 0  # knows nothing: fewer bits than random weights
    base.save_pretrained(tmp_path / "blank")
    for name in ("base", "blank"):
        Tokens.load(build / "tokenizer").copy(tmp_path / name)
    (tmp_path / "e.yaml").write_text(f"models: [{{name: m, model: base}}]\nout: o\nshards: {{small: {build}}}\n")
    sweep = {"weights": [[0.0, 0.5, 1.0]], "evaluate": "e.yaml", "metric": "bits_per_byte.small/news"}
    config = {"base": "base", "models": [{"model": "blank"}], "method": "task_arithmetic", "out": "best"}
    told = list(search(Merge.model_validate({**config, "sweep": sweep}), tmp_path, tmp_path / "best"))
    bits = [float(line.rpartition(" ")[2]) for line in told]
    assert bits == sorted(bits, reverse=True)
    assert len(set(bits)) == 3
    assert json.loads((tmp_path / "best" / "merge.json").read_text())["merge"]["models"][0]["weight"] == 1.0
    wrong = Merge.model_validate({**config, "sweep": {**sweep, "metric": "bits_per_byte.small/new"}})
    with pytest.raises(UsageError, match=r"did you mean bits_per_byte\.small/news"):
        list(search(wrong, tmp_path, tmp_path / "other"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".") or path.name == "other"]
