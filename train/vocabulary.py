"""New words for a model: tokens added to its tokenizer, with embeddings from the pieces they replace.

The new row of a word is the mean of the rows of its old pieces (input and output embeddings alike, tied ones stay one
matrix), which is near where the model met the word so far; random rows, or the mean of all, are not. Shards must be
made anew with the new tokenizer. One word per line in the list, as `corpus vocab` writes it; what stands after a tab is
left out.
"""

from __future__ import annotations

from pathlib import Path

import torch

from registry.errors import UsageError
from registry.publish import making, write_json
from train.files import read_lines
from train.model import load_model
from train.tokens import Tokens


def read_words(path: Path) -> list[str]:
    """The words of a list.

    Raises:
        UsageError: it cannot be read, or is empty.
    """
    words = [line.split("\t")[0].strip() for line in read_lines(path) if line.strip() and not line.startswith("#")]
    if not words:
        raise UsageError(f"{path} holds no words")
    return list(dict.fromkeys(words))


@torch.no_grad()
def extend(model_folder: Path, words: list[str], out: Path) -> tuple[int, int]:
    """Write the model with `words` as tokens to the new folder `out`; returns how many were new, and how many not.

    Raises:
        UsageError: there is no such model or tokenizer, no word is new, or `out` is there.
    """
    if out.exists():
        raise UsageError(f"{out} is there already")
    tokens = Tokens.load(model_folder)
    tokenizer = tokens.tokenizer
    pieces = {word: tokens.ids(word) for word in words}
    fresh = [word for word in words if len(pieces[word]) > 1]
    if not fresh:
        raise UsageError("every word is one token already")
    before = tokenizer.get_vocab_size(with_added_tokens=True)
    tokenizer.add_tokens(fresh)
    model = load_model(model_folder)
    size = max(model.get_input_embeddings().weight.shape[0], before + len(fresh))  # a matrix that was padded has room
    model.resize_token_embeddings(size, mean_resizing=False)
    matrices = {id(m.weight): m for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    for matrix in matrices.values():
        means = torch.stack([matrix.weight[pieces[word]].mean(dim=0) for word in fresh])
        matrix.weight[[tokenizer.token_to_id(word) for word in fresh]] = means
    with making(out) as made:
        model.save_pretrained(made)
        tokens.copy(made)
        tokenizer.save(str(made / "tokenizer.json"))
        write_json(made / "vocabulary.json", {"words": fresh, "from": "mean of pieces"})
    return len(fresh), len(words) - len(fresh)
