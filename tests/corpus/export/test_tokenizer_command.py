"""`corpus tokenizer`: a tokenizer of the build's own texts, which a recipe can name."""

from __future__ import annotations

import shutil

import pytest
from commandline import TOKENIZER, corpus

from pipelines.tokenize import LanguageTokenizer


@pytest.mark.parametrize("model", ["bpe", "unigram"])
def test_it_is_trained_saved_and_compared(one, tmp_path, model):
    root, out = one.build.layout.root, tmp_path / "own"
    shutil.copytree(TOKENIZER, root / "tokenizer")
    done = corpus("tokenizer", root, "--model", model, "--vocabulary", "300", "--special", "<|u|>", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "3 documents held back" in done.stdout
    tokenizer = LanguageTokenizer.load(out)
    assert {"<|u|>", "</s>"} <= set(tokenizer.encoder.controls)
    encoded = tokenizer.encode(["第3期 売上高"], bos=False, eos=False)
    assert tokenizer.encoder.decode(encoded.ids.tolist()) == "第3期 売上高"
    again = corpus("tokenizer", root, "--out", out)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
