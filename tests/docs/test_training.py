"""docs/training.md: its commands are ours, its formats are all there are, and its collator keeps documents apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corpus.export import FORMATS, exporter

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_table_names_every_format_and_option():
    table = PAGE[PAGE.index("| format |") : PAGE.index("Packing with")]
    for name in FORMATS:
        (line,) = [line for line in table.strip().splitlines() if f"`{name}`" in line.split("|")[1]]
        options = exporter.options(name)
        assert ("none" in line) == (not options)
        assert all(f"`{option}" in line for option in options)


def test_its_exports_name_formats_and_options_that_exist():
    found = re.findall(r"--to ([a-z]+)((?: --set \w+=\w+)*)", PAGE)
    assert len(found) >= 6
    for name, settings in found:
        assert set(re.findall(r"--set (\w+)=", settings)) <= set(exporter.options(name))


def test_the_collator_for_transformers_keeps_documents_apart():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    code = PAGE[PAGE.index("def collate") : PAGE.index("arguments = TrainingArguments")]
    space = {"torch": torch}
    exec(code, space)
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config).eval()
    ids = [5, 6, 7, 8, 9, 1, 2, 3, 4]
    row = {"input_ids": ids, "position_ids": [0, 1, 2, 3, 4, 0, 1, 2, 3], "seq_lengths": [5, 4]}
    with torch.no_grad():
        together = model(**space["collate"]([row])).logits[0, 5:]
        alone = model(input_ids=torch.tensor([ids[5:]]), use_cache=False).logits[0]
    assert torch.allclose(together, alone, atol=1e-5)
