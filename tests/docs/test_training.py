"""docs/training.md: its commands are ours, its formats are all there are, and its collator keeps documents apart."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from commandline import SMALL, corpus, python_with

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


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a build, a small model for its tokenizer, and the exports that the page names."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("training")
    build = folder / "BUILD"
    assert corpus("build", SMALL, "--out", build).returncode == 3
    for name, settings in (("hf", ["--set", "length=256"]), ("documents", [])):
        assert corpus("export", build, "--to", "hf", *settings, "--out", folder / "out" / name).returncode == 0
    tokenizer = transformers.AutoTokenizer.from_pretrained(build / "tokenizer")
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder


BEFORE = "from transformers import AutoModelForCausalLM\nmodel = AutoModelForCausalLM.from_pretrained('model')\n"
SHORT = '"out/model", max_steps=1, use_cpu=True, bf16=False, report_to=[], per_device_train_batch_size=1'
AFTER = """
documents = load_from_disk("out/documents/train")["input_ids"][:]
loader = dataloader.build(dp_world_size=1, dp_rank=0, tokenizer=tokenizer.build(tokenizer_path="BUILD/tokenizer"),
                          seq_len=64, local_batch_size=2)
batch, labels = next(iter(loader))
assert batch["input"].flatten().tolist() == [token for row in documents for token in row[:-1]][:128]
assert labels.flatten().tolist() == [token for row in documents for token in row[1:]][:128]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "part", "before", "after"),
    [("transformers", "\nTrainer(model", BEFORE, ""), ("trl", "SFTTrainer(", BEFORE, ""),
     ("torchtitan", "DATASETS[", "", AFTER)],
)  # fmt: skip
def test_what_the_page_shows_runs(place, module, part, before, after):
    run = python_with(module)
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if part in block]
    code = code.replace('"out/model", per_device_train_batch_size=1', '"out/model"').replace('"out/model"', SHORT)
    (place / "page.py").write_text(before + code + after)
    shutil.rmtree(place / "out" / "model", ignore_errors=True)
    done = run(place / "page.py", cwd=place)
    assert done.returncode == 0, done.stderr[-2000:]
