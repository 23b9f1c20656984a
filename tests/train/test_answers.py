"""Evaluation: chance is chance, noise is told, and the harness's questions come in every prompt version."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from registry.errors import UsageError  # noqa: E402
from train import examples  # noqa: E402
from train.answers import adjusted_f1, answer, generate  # noqa: E402
from train.bits import bits_per_byte  # noqa: E402
from train.config import Evaluate  # noqa: E402
from train.evaluate import evaluate, table  # noqa: E402
from train.examples import Example, ExampleStream, encoded, likelihoods, padded, scores  # noqa: E402
from train.harness import PROMPTS, read_task  # noqa: E402
from train.model import load_model, logits  # noqa: E402
from train.score import Score, paired  # noqa: E402
from train.tokens import Tokens  # noqa: E402

from .conftest import APART, ARCHITECTURES, WORDS, make_model  # noqa: E402


@pytest.fixture
def judged(tmp_path, build):
    model = load_model(make_model(tmp_path / "config"), seed=0)
    model.save_pretrained(tmp_path / "model")
    tokens = Tokens.load(build / "tokenizer")
    tokens.copy(tmp_path / "model")
    return tmp_path, model, tokens


def random_examples(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Example("".join(rng.choice(WORDS, 4)), tuple(rng.choice(WORDS, 4, replace=False)), int(rng.integers(4)))
        for _ in range(count)
    ]


def test_a_random_model_is_at_chance(judged):
    _, model, tokens = judged
    right = answer(model, random_examples(400), tokens, length=64).right
    assert abs(right.mean - 0.25) < 3 * right.error
    assert right.error == pytest.approx(math.sqrt(0.25 * 0.75 / 400), rel=0.15)


def test_a_score_is_the_sum_of_the_options_log_probabilities(judged):
    _, model, tokens = judged
    (row,) = encoded(Example("売上", ("利益増加",), 0), tokens, 64, end=False)
    assert row == (tokens.ids("売上利益増加"), len(tokens.ids("利益増加")))
    ids, positions, targets = padded([row, ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 1)])
    found = scores(logits(model, ids, positions), targets)[0]
    whole = torch.tensor(row[0])
    logp = logits(model, whole[None], torch.arange(len(whole))[None])[0].log_softmax(-1)
    count = row[1]
    expected = sum(logp[i - 1, whole[i]] for i in range(len(whole) - count, len(whole)))
    assert found.item() == pytest.approx(expected.item(), abs=1e-4)


def test_learning_choices_raises_the_right_options(judged):
    _, model, tokens = judged
    examples = [Example("売上は", ("増加", "減少"), 0), Example("利益は", ("増加", "減少"), 1)]
    stream = ExampleStream(examples, tokens, length=64, contrast=True, seed=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(15):
        chosen, (ids, positions, targets) = stream.batch(range(2 * step, 2 * step + 2))
        stream.loss(logits(model, ids, positions), targets, chosen)[0].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert answer(model, examples, tokens, length=64).right.mean == 1


def test_a_difference_within_the_noise_has_zero_in_its_interval():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 400).astype(float)
    same = paired(Score([*first]), Score([*first]))
    assert (same.mean, same.low, same.high) == (0, 0, 0)
    noisy = paired(Score([*first]), Score([*rng.permutation(first)]))
    assert noisy.low < 0 < noisy.high
    better = paired(Score([*first]), Score([*np.maximum(first, rng.integers(0, 2, 400))]))
    assert better.low > 0
    assert str(paired(Score([0.5]), Score([1.5]))) == "+1.000", "one item has no noise that could be told"
    with pytest.raises(ValueError, match="cannot be paired"):
        paired(Score([1.0]), Score([1.0, 0.0]))
    with pytest.raises(ValueError, match="cannot be paired"):
        paired(Score([1.0, 0.0], [8, 9]), Score([1.0, 0.0], [8, 8]))


def test_the_noise_of_a_score_is_that_of_other_samples_of_its_items():
    rng = np.random.default_rng(1)
    one = Score(rng.random(50).tolist())
    assert one.error == pytest.approx(np.std(one.items, ddof=1) / math.sqrt(50))
    sizes = rng.integers(20, 3000, (2000, 60))
    bits = sizes * rng.normal(1.2, 0.1, sizes.shape)
    many = [Score(b, s) for b, s in zip(bits.tolist(), sizes.tolist(), strict=True)]
    assert np.mean([score.error for score in many]) == pytest.approx(np.std([score.mean for score in many]), rel=0.05)
    better = paired(many[0], Score([b - 0.1 * s for b, s in zip(*many[0], strict=True)], many[0].sizes))
    assert (better.mean, better.low, better.high) == pytest.approx((-0.1, -0.1, -0.1))


def test_chabsas_f1_of_a_constant_answer_and_of_a_perfect_one():
    gold = ["positive"] * 45 + ["negative"] * 45 + ["neutral"] * 10
    classes = ["positive", "neutral", "negative"]
    constant = adjusted_f1(gold, ["positive"] * 100, classes=classes)
    assert constant == pytest.approx(2 * 45 / (45 + 100) / 3 * 1.5)
    without = [g for g in gold if g != "neutral"]
    assert adjusted_f1(without, without, classes=classes) == pytest.approx(1.0)


def test_bits_per_byte_of_a_uniform_model_are_those_of_its_vocabulary(judged, build):
    _, model, tokens = judged
    for parameter in model.parameters():
        parameter.data.zero_()
    text = "".join(WORDS) * 5
    ids = tokens.tokenizer.encode(text).ids
    for length in (16, 1000):
        found = bits_per_byte(model, [("s", [*ids, tokens.end])], tokens, length=length)["s"]
        assert found.mean == pytest.approx(len(ids) * math.log2(300) / len(text.encode()), rel=1e-5)


def write_exam(folder, name, question="利上げで債券価格は?"):
    choices = [{"id": 0, "text": "増える"}, {"id": 1, "text": "減る"}]
    data = {
        "data-name": name,
        "data": [{"id": 0, "question": question, "context": "", "choices": choices, "answer": 1}],
    }
    (folder / "data.json").write_text(json.dumps(data))
    return folder / "data.json"


def test_an_exam_comes_in_every_version(tmp_path):
    read = read_task(write_exam(tmp_path, "cma_basics"), [])
    assert list(read) == ["default", "0.1", "0.1.2", "0.2", "0.2.1", "0.3", "0.4", "0.5", "0.6"]
    assert read["default"][0].options == ("A", "B")
    assert read["default"][0].prompt.endswith(
        "【問題】\n利上げで債券価格は?\n\n【選択肢】\nA: 増える\nB: 減る\n\n【答え】\n"
    )
    ask = "[問題]に対する[答え]を[選択肢]の中から選んでください。\n\n\n"
    expected = f"{ask}[問題]:利上げで債券価格は?\n[選択肢]:[増える, 減る]\n[答え]:"
    assert read["0.1"][0] == Example(expected, ("増える", "減る"), 1)
    assert read["0.1.2"][0].prompt.endswith("[選択肢]:[A:増える, B:減る]\n[答え]:")
    assert read["0.2"][0].prompt.endswith("質問:利上げで債券価格は?\n選択肢:0.増える,1.減る\n回答:")
    assert read["0.4"][0].prompt.endswith(
        "ユーザー: 質問：利上げで債券価格は?<NL>選択肢：<NL>- 増える<NL>- 減る<NL>システム: "
    )
    assert len({examples[0].prompt for examples in read.values()}) == 9


def test_fp2_prints_no_choices_where_the_harness_does_not(tmp_path):
    read = read_task(write_exam(tmp_path, "fp2"), [])
    assert read["default"][0].options == ("増える", "減る")
    assert read["default"][0].prompt.endswith("【問題】\n利上げで債券価格は?\n\n【答え】\n")
    assert read["0.3"][0].prompt.endswith("### 入力:\n利上げで債券価格は?\n\n### 応答:\n")
    assert read["0.1.2"][0].options == ("A", "B")


def test_the_audit_exam_is_read_from_its_sheet(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "data"
    book.active.append(["key", "q_no", "question", *"アイウエオカ", 1, 2, 3, 4, 5, 6, "a_no", "abnormal_flg"])
    pairs = ["アイ", "アウ", "アエ", "イウ", "イエ", "ウエ"]
    book.active.append(["R5_2", 1, "正しい組合せは?", "甲", "乙", "丙", "丁", None, None, *pairs, 4, 0])
    book.active.append(["R5_3", 2, "取り消された問題", "甲", "乙", "丙", "丁", None, None, *pairs, 1, 1])
    book.save(tmp_path / "CPA_AUDIT.xlsx")
    (example,) = read_task(tmp_path / "CPA_AUDIT.xlsx", ["default"])["default"]
    assert "正しい組合せは?\nア: 甲\nイ: 乙\nウ: 丙\nエ: 丁\n\n【選択肢】\nA: アイ\n" in example.prompt
    assert (example.options, example.answer) == (tuple("ABCDEF"), 3)
    assert example.prompt.startswith("以下の問題の答えとして適切な記号の組み合わせ")
    (tmp_path / "CPA_AUDIT.xlsx").write_bytes(b"no archive")
    with pytest.raises(UsageError, match="is no task"):
        read_task(tmp_path / "CPA_AUDIT.xlsx", [])


def write_chabsa(folder, polarities):
    folder.mkdir()
    opinions = [{"target": f"売上{i}", "polarity": p} for i, p in enumerate(polarities)]
    (folder / "e1_ann.json").write_text(
        json.dumps({"sentences": [{"sentence": "売上が増加した", "opinions": opinions}]})
    )
    return folder


def test_chabsa_is_read_from_its_folder_and_neutral_items_cannot_be_right(tmp_path):
    read = read_task(write_chabsa(tmp_path / "chabsa", ["positive", "neutral", "negative"]), [])
    assert list(read) == list(PROMPTS["sentiment"])
    assert [example.answer for example in read["default"]] == [0, -1, 1]
    assert read["default"][0].options == (" positive", " negative")
    assert read["default"][0].prompt.endswith("センテンス: 売上が増加した\nターゲット: 売上0\n回答:")
    assert read["0.3"][0].options == ("positive", "negative")


def test_what_is_no_task_and_an_unknown_version_are_told(tmp_path):
    with pytest.raises(UsageError, match=r"did you mean 0\.1"):
        read_task(write_exam(tmp_path, "fp2"), ["0.11"])
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(UsageError, match="is no task of japanese-lm-fin-harness"):
        read_task(tmp_path / "data.json", [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no questions"):
        read_task(tmp_path / "empty", [])


@pytest.mark.parametrize(("name", "count"), [("cma_basics_data.json", 38), ("fp2_data.json", 475), ("security_sales_1_data.json", 57), ("cpa_CPA_AUDIT.xlsx", 398)])  # fmt: skip
def test_the_real_harness_data_are_read(shared_data, name, count):
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl")
    read = read_task(shared_data / "bench" / "japanese-lm-fin-harness" / name, ["0.1"])
    assert len(read["0.1"]) == count


def test_chabsa_is_told_with_its_adjusted_f1(judged):
    place, *_ = judged
    write_chabsa(place / "chabsa", ["positive", "neutral", "negative", "positive"])
    config = Evaluate.model_validate(
        {"out": "o", "models": [{"name": "one", "model": "model"}], "tasks": [{"name": "chabsa", "file": "chabsa"}]}
    )
    found = evaluate(config, place, place / "out")["one"]
    told = found["adjusted_f1"]["chabsa/default"]
    assert 0 < told["mean"] < 1
    assert told["error"] > 0
    assert told["n"] == 4
    assert len(found["adjusted_f1"]) == 7


def test_a_task_of_lm_eval_is_told_with_its_noise_and_compared(judged, monkeypatch):
    pytest.importorskip("lm_eval")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    place, *_ = judged
    examples = random_examples(400)
    rows = [json.dumps({"prompt": e.prompt, "options": e.options, "answer": e.answer}) for e in examples]
    (place / "items.jsonl").write_text("\n".join(rows))
    (place / "tasks").mkdir()
    (place / "tasks" / "mine.yaml").write_text(
        f"task: mine\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {place / 'items.jsonl'}}}}}\n"
        "output_type: multiple_choice\ntest_split: test\ntarget_delimiter: ''\ndoc_to_text: '{{prompt}}'\n"
        "doc_to_choice: '{{options}}'\ndoc_to_target: '{{answer}}'\nmetric_list: [{metric: acc}]\n"
    )
    config = {"out": "o", "models": [{"name": n, "model": "model"} for n in ("one", "two")]}
    wanted = {"tasks": ["mine"], "include": "tasks"}
    results = evaluate(Evaluate.model_validate({**config, "lm_eval": wanted}), place, place / "out")
    told = results["one"]["lm_eval"]["mine/acc"]
    assert told["n"] == 400
    assert abs(told["mean"] - 0.25) < 4 * told["error"]
    assert told["error"] == pytest.approx(math.sqrt(0.25 * 0.75 / 400), rel=0.15)
    assert results["two"]["compared"]["lm_eval/mine"].startswith("+0.000")
    assert "lm_eval" in table(results)
    with pytest.raises(UsageError, match="cannot run yours"):
        evaluate(Evaluate.model_validate({**config, "lm_eval": {**wanted, "tasks": ["yours"]}}), place, place / "out")


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
    one = config.model_copy(update={"models": config.models[:1], "documents": 1})
    evaluate(one, place, place / "out")
    written = (place / "out" / "results.json").read_text()
    assert "NaN" not in written  # which is no JSON
    assert json.loads(written)["one"]["bits_per_byte"]["small/news"]["error"] is None


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, *APART])
def test_a_continuation_is_the_likeliest_token_after_token(tmp_path, build, architecture):
    model = load_model(make_model(tmp_path / "config", architecture), seed=1)
    model.generation_config.update(do_sample=True, temperature=9.0, repetition_penalty=9.0)  # as models are saved with
    tokens = Tokens.load(build / "tokenizer")
    expected = tokens.prompt("売上は増加")
    start = len(expected)
    with torch.no_grad():
        for _ in range(12):
            row = torch.tensor([expected])
            expected.append(int(logits(model, row, torch.arange(row.shape[1])[None])[0, -1].argmax()))
    fresh = expected[start:]
    assert generate(model, tokens, "売上は増加", most=12) == (tokens.tokenizer.decode(fresh), False)
    end = next((t for t in fresh if t != fresh[0]), fresh[0])
    before = tokens.tokenizer.decode(fresh[: fresh.index(end)])
    assert generate(model, tokens._replace(end=end), "売上は増加", most=12) == (before, True)


def test_a_prompt_without_tokens_is_gone_on_from_or_told(judged):
    _, model, tokens = judged
    assert generate(model, tokens, "", most=2)
    with pytest.raises(UsageError, match="the prompt '' has no tokens"):
        generate(model, tokens._replace(begin=None), "", most=2)


TEMPLATES = {
    "as it is": None,
    "BOS before": {"single": "<eos> $A", "special_tokens": [("<eos>", 0)]},
}


@pytest.mark.parametrize("template", list(TEMPLATES))
def test_likelihoods_and_bits_are_those_of_lm_eval(judged, monkeypatch, template):
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.api.instance import Instance
    from tokenizers.processors import TemplateProcessing

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    place, model, tokens = judged
    if TEMPLATES[template]:
        tokens.tokenizer.post_processor = TemplateProcessing(**TEMPLATES[template])
        tokens.tokenizer.save(str(place / "model" / "tokenizer.json"))
        tokens = Tokens.load(place / "model")
    pairs = [
        (prompt, option) for prompt in ("売上は", "利益 ", "", "<eos>当期") for option in ("増加", " 減少した", "円")
    ]
    theirs = lm_eval.api.registry.get_model("hf")(pretrained=str(place / "model"), dtype="float32", device="cpu")
    asked = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    expected = [value for value, _ in theirs.loglikelihood(asked, disable_tqdm=True)]
    rows = [encoded(Example(prompt, (option,), 0), tokens, 64, end=False)[0] for prompt, option in pairs]
    monkeypatch.setattr(examples, "_AT_ONCE", 20)
    assert likelihoods(model, rows) == pytest.approx(expected, abs=1e-4)
    if TEMPLATES[template]:
        return  # of whole texts lm_eval 0.4.13 predicts the BOS, too, after one of its own
    text = "".join(WORDS) * 2
    (nats,) = theirs.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, (text,), 0)], disable_tqdm=True)
    mine = bits_per_byte(model, [("s", [*tokens.ids(text), tokens.end])], tokens, length=200)["s"]
    assert mine.mean == pytest.approx(-nats / math.log(2) / len(text.encode()), abs=1e-5)


def test_a_tokenizer_that_cuts_or_fills_its_texts_reads_them_whole(judged):
    place, _, tokens = judged
    whole = tokens.ids("".join(WORDS))
    tokens.tokenizer.enable_truncation(4)
    tokens.tokenizer.enable_padding(length=99)
    tokens.tokenizer.save(str(place / "model" / "tokenizer.json"))
    assert Tokens.load(place / "model").ids("".join(WORDS)) == whole


def test_a_document_that_begins_with_bos_gets_no_second_one(judged):
    _, model, tokens = judged
    document = [*tokens.ids("".join(WORDS)), tokens.end]
    with_it, without = (
        bits_per_byte(model, [("s", some)], tokens, length=99)["s"] for some in ([tokens.begin, *document], document)
    )
    assert with_it.items == without.items
