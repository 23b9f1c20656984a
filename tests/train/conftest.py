"""A small build of random words and small models from configs, for the tests that need torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from registry.shards import ShardWriter

WORDS = ["売上", "利益", "増加", "減少", "当期", "前期", "円", "百万", "株式", "市場", "。", "、", "は", "が", "した"]
VOCABULARY = 300


def make_tokenizer(folder: Path) -> Path:
    """Byte-level, trained on nothing but WORDS; `<eos>` ends texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<eos>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(WORDS * 3, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": "<eos>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def make_build(folder: Path, *, seed=0, documents=120) -> Path:
    """A build as the trainer sees it: shards of two sources, and their tokenizer."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(make_tokenizer(folder / "tokenizer") / "tokenizer.json"))
    end = tokenizer.token_to_id("<eos>")
    rng = np.random.default_rng(seed)
    for split, count in (("train", documents), ("validation", 12)):
        with ShardWriter(folder / "shards" / split / "0.arrow", dtype="uint16") as writer:
            for d in range(count):
                text = "".join(rng.choice(WORDS, rng.integers(2, 40)))
                ids = np.array([*tokenizer.encode(text).ids, end], dtype=np.uint16)
                writer.write(f"{d:032x}", "news" if d % 3 else "laws", ids)
    return folder


ARCHITECTURES = {
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_key_value_heads": 2},
    "qwen2": {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "num_key_value_heads": 2},
    "qwen3": {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "num_key_value_heads": 2, "head_dim": 8},
    "gpt_neox": {"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"]},
    "mistral": {
        "model_type": "mistral", "architectures": ["MistralForCausalLM"], "num_key_value_heads": 2, "sliding_window": 9,
    },
    "gemma": {"model_type": "gemma", "architectures": ["GemmaForCausalLM"], "num_key_value_heads": 2, "head_dim": 8},
    "gemma2": {
        "model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"], "num_key_value_heads": 2, "head_dim": 8,
        "sliding_window": 9,
    },
}  # fmt: skip


APART = {  # cannot keep the documents of a sequence apart: no positions for the mask, or states that run on
    "gpt_oss": {
        "model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "num_key_value_heads": 2, "head_dim": 8,
        "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 9,
    },
    "qwen3_5_text": {
        "model_type": "qwen3_5_text", "architectures": ["Qwen3_5ForCausalLM"], "num_key_value_heads": 2, "head_dim": 8,
        "num_hidden_layers": 4, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    },
    "mamba": {"model_type": "mamba", "architectures": ["MambaForCausalLM"], "state_size": 8, "time_step_rank": 4},
}  # fmt: skip


def make_model(folder: Path, architecture="llama", **changes) -> Path:
    """A config.json of a small model."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "max_position_embeddings": 256, "tie_word_embeddings": True, "bos_token_id": 0,
        "eos_token_id": 0, "pad_token_id": 0, **(ARCHITECTURES | APART)[architecture], **changes,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Shared; not to be changed."""
    return make_build(tmp_path_factory.mktemp("build") / "small")


CONFIG = """
model: {model}
init: true
out: {out}
steps: 8
data: {{sources: [{{shards: {build}}}], length: 32, batch: 4, micro: 2}}
optimizer: {{lr: 0.01}}
precision: fp32
checkpoints: {{every: 3}}
log_every: 4
"""


@pytest.fixture
def workplace(tmp_path, build):
    """A folder with train.yaml for a small Llama."""
    make_model(tmp_path / "llama")
    text = CONFIG.format(model=tmp_path / "llama", out=tmp_path / "run", build=build)
    (tmp_path / "train.yaml").write_text(text)
    return tmp_path
