"""Checkpoints that are to be merged, checked against each other: names, shapes, vocabulary, tied weights, tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from registry.errors import RecordError, UsageError
from train.files import read_json, settings
from train.merge.config import Merge
from train.merge.tensors import Checkpoint

_SHARED = ("model_type", "vocab_size", "tie_word_embeddings")


@contextmanager
def opened(config: Merge, folder: Path) -> Iterator[tuple[Checkpoint | None, list[Checkpoint]]]:
    """The base, if there is one, and the models of a merge.

    Raises:
        UsageError: they do not belong together; the message names two of them and the first thing in which they differ.
    """
    with ExitStack() as stack:
        models = [stack.enter_context(Checkpoint(folder / part.model)) for part in config.models]
        base = stack.enter_context(Checkpoint(folder / config.base)) if config.base else None
        reference, *others = [base, *models] if base else models
        for other in others:
            _check(reference, other, f"{reference.folder} and {other.folder}", same_tokenizer=not config.tokenizer)
        yield base, models


def _check(reference: Checkpoint, other: Checkpoint, pair: str, *, same_tokenizer: bool) -> None:
    mine, theirs = settings(reference.folder), settings(other.folder)
    for key in _SHARED:
        if mine.get(key) != theirs.get(key):
            raise UsageError(f"{pair} differ in {key}: {mine.get(key)!r} and {theirs.get(key)!r}")
    for name in sorted(reference.tensors.keys() ^ other.tensors.keys()):
        tied = "; tied weights were saved in one only" if name.startswith(("lm_head", "embed_out")) else ""
        holder = reference if name in reference.tensors else other
        raise UsageError(f"of {pair}, only {holder.folder} has the tensor {name}{tied}")
    for name in sorted(reference.tensors):
        one, two = reference.tensors[name].shape, other.tensors[name].shape
        if one != two:
            raise UsageError(f"{pair} have different shapes of {name}: {list(one)} and {list(two)}")
    if same_tokenizer and _vocabulary(reference.folder) != _vocabulary(other.folder):
        raise UsageError(f"the tokenizers of {pair} differ: name the right one with `tokenizer`")


def _vocabulary(folder: Path) -> Any:
    """What stands for a tokenizer: its model, without what is only the look of a chat. None where there is none."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    tokenizer = read_json(path, "")
    if "model" not in tokenizer:
        raise RecordError(f"{path} is damaged")
    return tokenizer["model"], tokenizer.get("added_tokens")
