"""A tokenizer's files: a copy has all of them and nothing of the model beside them; who names the control tokens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from registry.errors import UsageError
from registry.tokenizer import control_tokens, copy_tokenizer

PARTS = ["chat_template.jinja", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (*PARTS, "config.json", "generation_config.json", "model.safetensors.index.json", "train.json"):
        (folder / name).write_text("{}")
    return folder


def test_a_copy_of_a_models_tokenizer_has_nothing_of_the_model(model: Path, tmp_path: Path) -> None:
    (model / "tokenizer.model.v3").write_bytes(b"pieces")
    copy_tokenizer(model, tmp_path / "copy")
    assert (tmp_path / "copy" / "tokenizer.model.v3").read_bytes() == b"pieces"
    (tmp_path / "copy" / "tokenizer.model.v3").unlink()
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == PARTS


def test_a_copy_of_a_file_has_what_names_its_tokens(model: Path, tmp_path: Path) -> None:
    (model / "own.model").write_bytes(b"pieces")
    copy_tokenizer(model / "own.model", tmp_path / "copy")
    names = sorted(path.name for path in (tmp_path / "copy").iterdir())
    assert names == ["own.model", "special_tokens_map.json", "tokenizer_config.json"]


def test_the_configuration_has_the_last_word_on_control_tokens(model: Path) -> None:
    (model / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    (model / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<end>"}, "unk_token": None}))
    assert control_tokens(model) == {"bos_token": "<s>", "eos_token": "<end>"}
    (model / "tokenizer_config.json").write_text("{")
    with pytest.raises(UsageError, match=r"tokenizer_config\.json is not JSON"):
        control_tokens(model)
