"""Evaluation: chance is chance, noise is told, and the harness's questions come in every prompt version."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from registry.errors import UsageError  # noqa: E402
from train.answers import Score, adjusted_f1, answer, paired  # noqa: E402
from train.bits import bits_per_byte  # noqa: E402
from train.config import Evaluate  # noqa: E402
from train.evaluate import evaluate, table  # noqa: E402
from train.examples import Encoder, Example, ExampleStream, padded, scores  # noqa: E402
from train.harness import VERSIONS, read_task  # noqa: E402
from train.model import load_model, logits  # noqa: E402
from train.tokens import Tokens  # noqa: E402

from .conftest import WORDS, make_model  # noqa: E402


@pytest.fixture
def judged(tmp_path, build):
    model = load_model(make_model(tmp_path / "config"), seed=0)
    model.save_pretrained(tmp_path / "model")
    tokens = Tokens.load(build / "tokenizer")
    tokens.copy(tmp_path / "model")
    encoder = Encoder(tokens.tokenizer, begin=tokens.begin, end=tokens.end, length=64)
    return tmp_path, model, tokens, encoder


def random_examples(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Example("".join(rng.choice(WORDS, 4)), tuple(rng.choice(WORDS, 4, replace=False)), int(rng.integers(4)))
        for _ in range(count)
    ]


def test_a_random_model_is_at_chance(judged):
    _, model, _, encoder = judged
    right = answer(model, random_examples(400), encoder).right
    assert abs(right.mean - 0.25) < 3 * right.error
    assert right.error == pytest.approx(math.sqrt(0.25 * 0.75 / 400), rel=0.15)


def test_a_score_is_the_sum_of_the_options_log_probabilities(judged):
    _, model, tokens, encoder = judged
    (row,) = encoder.rows(Example("売上", ("利益増加",), 0), end=False)
    ids, positions, targets = padded([row, ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 1)])
    found = scores(logits(model, ids, positions), targets)[0]
    whole = torch.tensor([tokens.begin, *tokens.tokenizer.encode("売上").ids, *tokens.tokenizer.encode("利益増加").ids])
    logp = logits(model, whole[None], torch.arange(len(whole))[None])[0].log_softmax(-1)
    count = len(tokens.tokenizer.encode("利益増加").ids)
    expected = sum(logp[i - 1, whole[i]] for i in range(len(whole) - count, len(whole)))
    assert found.item() == pytest.approx(expected.item(), abs=1e-4)


def test_learning_choices_raises_the_right_options(judged):
    _, model, _, encoder = judged
    examples = [Example("売上は", ("増加", "減少"), 0), Example("利益は", ("増加", "減少"), 1)]
    stream = ExampleStream(examples, encoder, contrast=True, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(15):
        chosen, (ids, positions, targets) = stream.batch(range(2 * step, 2 * step + 2))
        stream.loss(logits(model, ids, positions), targets, chosen).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert answer(model, examples, encoder).right.mean == 1


def test_a_difference_within_the_noise_has_zero_in_its_interval():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 400).astype(float)
    same = paired(first, first)
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    noisy = paired(first, rng.permutation(first))
    assert noisy.low < 0 < noisy.high
    better = paired(first, np.maximum(first, rng.integers(0, 2, 400)))
    assert better.low > 0
    with pytest.raises(ValueError, match="cannot be paired"):
        paired([1.0], [1.0, 0.0])


def test_chabsas_f1_of_a_constant_answer_and_of_a_perfect_one():
    gold = ["positive"] * 45 + ["negative"] * 45 + ["neutral"] * 10
    classes = ["positive", "neutral", "negative"]
    constant = adjusted_f1(gold, ["positive"] * 100, classes=classes)
    assert constant == pytest.approx(2 * 45 / (45 + 100) / 3 * 1.5)
    without = [g for g in gold if g != "neutral"]
    assert adjusted_f1(without, without, classes=classes) == pytest.approx(1.0)


def test_bits_per_byte_of_a_uniform_model_are_those_of_its_vocabulary(judged, build):
    _, model, tokens, _ = judged
    for parameter in model.parameters():
        parameter.data.zero_()
    text = "".join(WORDS) * 5
    ids = tokens.tokenizer.encode(text).ids
    for length in (16, 1000):
        found = bits_per_byte(model, [("s", [*ids, tokens.end])], tokens, length=length)["s"]
        assert found.per_byte == pytest.approx(len(ids) * math.log2(300) / len(text.encode()), rel=1e-5)


def test_the_harness_layout_comes_in_every_version(tmp_path):
    choices = [{"id": 0, "text": "増える"}, {"id": 1, "text": "減る"}]
    data = {"data": [{"id": 0, "question": "利上げで債券価格は?", "context": "", "choices": choices, "answer": 1}]}
    (tmp_path / "data.json").write_text(json.dumps(data))
    read = read_task(tmp_path / "data.json", [])
    assert set(read) == set(VERSIONS)
    assert read["default"][0].options == ("A", "B")
    assert read["default"][0].prompt.endswith("【選択肢】\nA: 増える\nB: 減る\n\n【答え】\n")
    assert read["0.1"][0] == Example(
        "[問題]:利上げで債券価格は?\n[選択肢]:[増える, 減る]\n[答え]:", ("増える", "減る"), 1
    )
    with pytest.raises(UsageError, match=r"did you mean 0\.1"):
        read_task(tmp_path / "data.json", ["0.11"])
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(UsageError, match=r"no data\.json"):
        read_task(tmp_path / "data.json", [])


def test_the_real_harness_data_are_read(shared_data):
    for name, count in (("cma_basics", 38), ("fp2", 475), ("security_sales_1", 57)):
        read = read_task(shared_data / "bench" / "japanese-lm-fin-harness" / f"{name}_data.json", ["0.1"])
        assert len(read["0.1"]) == count


def test_an_evaluation_tells_numbers_with_noise_and_shows_texts(judged, build):
    place, *_ = judged
    rows = [json.dumps({"prompt": e.prompt, "options": e.options, "answer": e.answer}) for e in random_examples(12)]
    (place / "items.jsonl").write_text("\n".join(rows))
    config = Evaluate.model_validate(
        {"out": "o", "models": [{"name": n, "model": "model"} for n in ("one", "two")], "shards": {"small": str(build)},
         "tasks": [{"name": "items", "file": "items.jsonl"}], "prompts": ["<売上>"], "generate": 4}
    )  # fmt: skip
    results = evaluate(config, place, place / "out")
    assert set(results["one"]["bits_per_byte"]) == {"small/laws", "small/news"}
    assert results["one"]["accuracy"]["items/own"]["n"] == 12
    assert results["two"]["compared"]["items"] == "+0.000 [+0.000, +0.000]"
    assert "&lt;売上&gt;" in (place / "out" / "generations.html").read_text()
    assert "accuracy" in table(results)
    assert math.isnan(Score([]).mean)
