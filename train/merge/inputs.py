"""Checkpoints that are to be merged, checked against each other: names, shapes, vocabulary, tied weights, tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.errors import RecordError, UsageError
from train.merge.tensors import Checkpoint

if TYPE_CHECKING:
    from train.merge.config import Merge

BUFFERS = (
    ".attention.bias",
    ".attention.masked_bias",
    ".rotary_emb.inv_freq",
)  # old files hold them; they are made anew
_SHARED = ("model_type", "vocab_size", "tie_word_embeddings")


def settings(folder: Path) -> dict[str, Any]:
    """The config.json of a model.

    Raises:
        UsageError: there is none.
        RecordError: it is damaged.
    """
    try:
        found = json.loads((folder / "config.json").read_bytes())
    except OSError:
        raise UsageError(f"{folder} has no config.json: it is no Hugging Face model") from None
    except ValueError:
        raise RecordError(f"{folder / 'config.json'} is damaged") from None
    if not isinstance(found, dict):
        raise RecordError(f"{folder / 'config.json'} is damaged")
    return found


@contextmanager
def opened(config: Merge, folder: Path) -> Iterator[tuple[Checkpoint | None, list[Checkpoint]]]:
    """The base, if there is one, and the models of a merge.

    Raises:
        UsageError: they do not belong together; the message names two of them and the first thing in which they differ.
    """
    with ExitStack() as stack:
        models = [stack.enter_context(closing(Checkpoint(folder / part.model))) for part in config.models]
        base = stack.enter_context(closing(Checkpoint(folder / config.base))) if config.base else None
        reference, *others = [base, *models] if base else models
        for other in others:
            _check(reference, other, same_tokenizer=not config.tokenizer)
        yield base, models


def _check(reference: Checkpoint, other: Checkpoint, *, same_tokenizer: bool) -> None:
    pair = f"{reference.folder} and {other.folder}"
    mine, theirs = settings(reference.folder), settings(other.folder)
    for key in _SHARED:
        if mine.get(key) != theirs.get(key):
            raise UsageError(f"{pair} differ in {key}: {mine.get(key)!r} and {theirs.get(key)!r}")
    _check_tensors(reference, other, pair)
    if same_tokenizer and _vocabulary(reference.folder) != _vocabulary(other.folder):
        raise UsageError(f"the tokenizers of {pair} differ: name the right one with `tokenizer`")


def _check_tensors(reference: Checkpoint, other: Checkpoint, pair: str) -> None:
    mine, theirs = names(reference), names(other)
    for name in sorted(mine ^ theirs):
        tied = "; tied weights were saved in one only" if name.startswith(("lm_head", "embed_out")) else ""
        holder = reference if name in mine else other
        raise UsageError(f"of {pair}, only {holder.folder} has the tensor {name}{tied}")
    for name in sorted(mine):
        one, two = reference.tensors[name].shape, other.tensors[name].shape
        if one != two:
            raise UsageError(f"{pair} have different shapes of {name}: {list(one)} and {list(two)}")


def names(checkpoint: Checkpoint) -> set[str]:
    """Of all tensors that are parameters."""
    return {name for name in checkpoint.tensors if not name.endswith(BUFFERS)}


def _vocabulary(folder: Path) -> str:
    """What stands for a tokenizer: its model, without what is only the look of a chat. Empty where there is none."""
    try:
        tokenizer = json.loads((folder / "tokenizer.json").read_bytes())
        return json.dumps([tokenizer["model"], tokenizer.get("added_tokens")], sort_keys=True)
    except OSError:
        return ""
    except (ValueError, KeyError, TypeError):
        raise RecordError(f"{folder / 'tokenizer.json'} is damaged") from None
