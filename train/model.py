"""A Hugging Face causal language model, and the one way in which it is called where a sequence has several documents.

Packed documents must not see each other. transformers builds the right mask for every architecture and attention kernel
from positions that begin anew, but only if it gets no attention mask and no cache: with the default ``use_cache=True``,
or with a mask of ones, it silently drops it (logits of a second document are off by 0.5). So `logits` is the only such
call, and `leakage` measures what crosses over before a run starts. Recurrent layers, and some architectures that give
the positions to no mask (gpt_oss in transformers 5), cannot keep documents apart: these need a sequence for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from registry.errors import StageError, UsageError
from train.files import settings
from train.stream import IGNORED, Batch

logging.disable_progress_bar()
logging.set_verbosity_error()
_PIECE = 1024  # targets
_LEAKAGE_LIMIT = 1e-3  # of the largest logit; float32 noise is 1e-6, a dropped mask 0.1


def load_model(folder: Path, *, seed: int | None = None, attention: str | None = None) -> Any:
    """The model in `folder` with float32 weights; with `seed`, random ones by its config.json.

    `attention` is a kernel of transformers, such as "flex_attention"; its own choice without any.

    Raises:
        UsageError: the folder holds no such model.
    """
    settings(folder)
    options: dict[str, Any] = {"dtype": torch.float32, "attn_implementation": attention}
    try:
        if seed is None:
            return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **options)
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config, **options)
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"{folder} cannot be loaded: {str(error).splitlines()[0]}") from None


def logits(model: nn.Module, input_ids: Tensor, positions: Tensor) -> Tensor:
    """Logits [size, length, vocabulary] of sequences whose documents begin where `positions` are 0."""
    return model(input_ids=input_ids, position_ids=positions, use_cache=False).logits


def nats(found: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of each target [size, length] by the logits found, in float32; 0 where there is none.

    In pieces, whose float32 logits the backward pass makes again: a step of 4,096 targets with a vocabulary of 100,000
    takes 2.7 GB in bf16 instead of 4.9, and at most 10 % longer (at a width of 256, where the loss is most of it).
    """
    pieces = zip(found.flatten(0, 1).split(_PIECE), targets.flatten().split(_PIECE), strict=True)
    each = [checkpoint(_cross_entropy, *piece, use_reentrant=False, preserve_rng_state=False) for piece in pieces]
    return torch.cat(each).view(targets.shape)


def _cross_entropy(found: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(found.float(), targets, ignore_index=IGNORED, reduction="none")


def loss_sum(model: nn.Module, input_ids: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """Sum of the negative log-likelihoods of the targets."""
    return nats(logits(model, input_ids, positions), targets).sum()


def tensors(batch: Batch, device: torch.device) -> list[Tensor]:
    """Input ids, positions and targets of a batch on a device."""
    return [torch.from_numpy(array).to(device, non_blocking=True) for array in batch]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Without gradients and dropout, and left in the mode that it was in; the device that the model is on."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next(model.parameters()).device
    finally:
        model.train(training)


def leakage(model: Any, *, single: bool = False, length: int = 24, call: Callable[..., Tensor] = logits) -> float:
    """Largest difference between a document's logits in a pack of two and alone, over the largest logit.

    With `single` of the first one alone, which only a model that looks ahead could tell from the second.
    """
    vocabulary = model.get_input_embeddings().weight.shape[0]
    generator = torch.Generator().manual_seed(0)
    with evaluating(model) as device:
        ids = torch.randint(vocabulary, (2, 2 * length), generator=generator).to(device)
        alone = torch.arange(length, device=device).expand(2, -1)
        packed = call(model, ids, alone.repeat(1, 2)).float().split(length, dim=1)
        here = [call(model, document.contiguous(), alone).float() for document in ids.split(length, dim=1)]
        found = [(a - b).abs().max() / b.abs().max().clamp(min=1e-9) for a, b in zip(packed, here, strict=True)]
    return float(torch.stack(found[:1] if single else found).max())  # NaN if anything is


def check_leakage(model: Any, *, single: bool) -> None:
    """See that `leakage` is that of rounding.

    Raises:
        StageError: something crosses from one document to another, or from a token to those before it.
    """
    found = leakage(model, single=single)
    if not found <= _LEAKAGE_LIMIT:
        ahead = single or not leakage(model, single=True) <= _LEAKAGE_LIMIT
        why = "it looks ahead, so it is no causal language model" if ahead else (
            "it cannot keep them apart; `data.packing: single` gives each a sequence of its own"
        )  # fmt: skip
        raise StageError(f"{type(model).__name__}: logits change by {found:.2g} beside another document: {why}")
