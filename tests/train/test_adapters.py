"""Adapters and new words: PEFT loads what we write, merges are exact, rows come from the pieces."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from registry.configuration import load  # noqa: E402
from registry.errors import UsageError  # noqa: E402
from train import lora, vocabulary  # noqa: E402
from train.config import Lora, Train  # noqa: E402
from train.merge.config import Merge  # noqa: E402
from train.merge.lora import Adapter, reduced, stacked  # noqa: E402
from train.merge.run import merge  # noqa: E402
from train.model import load_model, logits  # noqa: E402
from train.pretrain import train  # noqa: E402
from train.tokens import Tokens  # noqa: E402

from .conftest import make_build, make_model  # noqa: E402

IDS = torch.arange(20)[None]


@pytest.fixture
def base(tmp_path):
    model = load_model(make_model(tmp_path / "config"), seed=0)
    model.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def make_adapter(base, folder, seed, rank=4):
    """An adapter of random factors and the logits of the base with it."""
    options = Lora(rank=rank, alpha=8.0)
    model = load_model(base)
    targets = lora.add_adapters(model, options, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for tensor in lora.adapter_tensors(model).values():
        tensor.data = torch.randn(tensor.shape, generator=generator) * 0.1
    folder.mkdir()
    tensors = {n: t.detach().clone() for n, t in lora.adapter_tensors(model).items()}
    lora.save_adapter(folder, tensors, options, targets, str(base))
    return logits(model, IDS, IDS).detach()


def test_a_fresh_adapter_changes_nothing_and_all_but_the_output_are_adapted(base):
    plain, adapted = load_model(base), load_model(base)
    targets = lora.add_adapters(adapted, Lora(), seed=0)
    assert torch.equal(logits(plain, IDS, IDS), logits(adapted, IDS, IDS))
    assert targets == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert all(p.requires_grad == ("lora_" in n) for n, p in adapted.named_parameters())


def test_peft_loads_our_adapter(base, tmp_path):
    peft = pytest.importorskip("peft")
    ours = make_adapter(base, tmp_path / "adapter", 1)
    theirs = peft.PeftModel.from_pretrained(load_model(base), str(tmp_path / "adapter"))
    assert torch.allclose(ours, logits(theirs, IDS, IDS), atol=1e-6)


def test_an_adapter_folded_into_the_base_is_the_adapted_model(base, tmp_path):
    ours = make_adapter(base, tmp_path / "adapter", 1)
    config = Merge.model_validate({"out": "o", "base": str(base), "adapters": [{"adapter": "adapter"}], "fold": True})
    folded = load_model(merge(config, tmp_path, tmp_path / "folded"))
    assert torch.allclose(ours, logits(folded, IDS, IDS), atol=1e-5)


@pytest.mark.parametrize("rank", [None, 8])
def test_merged_adapters_are_the_sum_in_float64(base, tmp_path, rank):
    for seed in (1, 2):
        make_adapter(base, tmp_path / f"a{seed}", seed)
    parts = [{"adapter": "a1", "weight": 1.0}, {"adapter": "a2", "weight": -0.5}]
    config = Merge.model_validate({"out": "o", "adapters": parts, "rank": rank})
    made = Adapter(merge(config, tmp_path, tmp_path / "merged"))
    both = [Adapter(tmp_path / name) for name in ("a1", "a2")]
    assert made.config["r"] == 8
    for module, (b, a) in made.factors.items():
        exact = sum(w * x.factors[module][0] @ x.factors[module][1] for w, x in zip((1.0, -0.5), both, strict=True))
        assert np.allclose(b @ a, exact, rtol=1e-4, atol=1e-6 * np.abs(exact).max())


def test_a_lower_rank_is_the_best_one_there_is(base, tmp_path):
    for seed in (1, 2):
        make_adapter(base, tmp_path / f"a{seed}", seed)
    both = [Adapter(tmp_path / name) for name in ("a1", "a2")]
    module = next(iter(both[0].factors))
    b, a = stacked(both, [1.0, 1.0], module)
    left, right = reduced((b, a), 4)
    sizes = np.linalg.svd(b @ a, compute_uv=False)
    assert np.linalg.norm(left @ right - b @ a) == pytest.approx(np.sqrt(np.sum(sizes[4:] ** 2)), rel=1e-9)


def test_adapters_of_another_model_are_refused(base, tmp_path):
    make_adapter(base, tmp_path / "a1", 1)
    load_model(make_model(tmp_path / "wide_config", hidden_size=48), seed=0).save_pretrained(tmp_path / "wide")
    config = {"out": "o", "base": "wide", "adapters": [{"adapter": "a1"}], "fold": True}
    with pytest.raises(UsageError, match=r"updates .*\.weight"):
        merge(Merge.model_validate(config), tmp_path, tmp_path / "no")
    settings = json.loads((tmp_path / "a1" / lora.CONFIG).read_text())
    (tmp_path / "a1" / lora.CONFIG).write_text(json.dumps({**settings, "use_dora": True}))
    with pytest.raises(UsageError, match="use_dora"):
        merge(Merge.model_validate({"out": "o", "adapters": [{"adapter": "a1"}]}), tmp_path, tmp_path / "no")


def test_adapters_are_trained_and_go_on(workplace):
    changes = ("lora={rank: 2}", "optimizer.lr=0.05")

    def run(*more):
        return train(load(workplace / "train.yaml", Train, (*changes, *more)), workplace, workplace / "run")

    run("steps=8")
    rows = (workplace / "run" / "log.jsonl").read_text()
    for name in ("step-00000008", "adapter"):
        shutil.rmtree(workplace / "run" / name)
    run("steps=8")
    assert (workplace / "run" / "log.jsonl").read_text() == rows
    assert (workplace / "run" / "adapter" / lora.WEIGHTS).is_file()
    losses = [json.loads(row)["loss"] for row in rows.splitlines()]
    assert losses[-1] < losses[0] - 0.02


@pytest.mark.parametrize("tied", [True, False])
def test_new_words_get_the_mean_of_their_pieces(tmp_path, tied):
    build = make_build(tmp_path / "build")
    model = load_model(make_model(tmp_path / "config", tie_word_embeddings=tied), seed=0)
    model.save_pretrained(tmp_path / "old")
    Tokens.load(build / "tokenizer").copy(tmp_path / "old")
    added, left = vocabulary.extend(tmp_path / "old", ["売上高", "△", "有価証券", "<eos>"], tmp_path / "new")
    assert (added, left) == (3, 1)
    old, new = Tokens.load(tmp_path / "old"), Tokens.load(tmp_path / "new")
    pieces = old.tokenizer.encode("有価証券").ids
    ids = new.tokenizer.encode("有価証券").ids
    assert len(ids) == 1
    extended = load_model(tmp_path / "new")
    for matrix in ("get_input_embeddings", "get_output_embeddings"):
        before, after = getattr(model, matrix)().weight, getattr(extended, matrix)().weight
        assert torch.allclose(after[ids[0]], before[pieces].mean(0), atol=1e-6)
        assert torch.equal(after[: before.shape[0]], before)
    assert (extended.get_input_embeddings().weight is extended.get_output_embeddings().weight) == tied
    with pytest.raises(UsageError, match="one token already"):
        vocabulary.extend(tmp_path / "new", ["有価証券"], tmp_path / "newer")
