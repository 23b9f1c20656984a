"""A Hugging Face causal language model, and the one way in which it is called.

Packed documents must not see each other. transformers builds the right mask for every architecture and attention kernel
from positions that begin anew, but only if it gets no attention mask and no cache: with the default ``use_cache=True``,
or with a mask of ones, it silently drops it (logits of a second document are off by 0.5). So `logits` is the only call,
and `leakage` measures what crosses over before a run starts.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from registry.errors import StageError, UsageError
from train.stream import IGNORED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor
    from torch.nn import Module

    from train.stream import Batch

    Logits = Callable[[Module, Tensor, Tensor], Tensor]

logging.disable_progress_bar()  # type: ignore[no-untyped-call]
logging.set_verbosity_error()  # type: ignore[no-untyped-call]
_LEAKAGE_LIMIT = 1e-3  # of the largest logit; float32 noise is 1e-6, a dropped mask 0.1


def load_model(folder: Path, *, seed: int | None = None) -> Module:
    """The model in `folder` with float32 weights; with `seed`, random ones by its config.json.

    Raises:
        UsageError: the folder holds no such model.
    """
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} has no config.json: it is no Hugging Face model")
    try:
        if seed is None:
            model: Module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        else:
            torch.manual_seed(seed)
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, json.JSONDecodeError) as error:
        raise UsageError(f"{folder} cannot be loaded: {str(error).splitlines()[0]}") from None
    return model


def logits(model: Module, input_ids: Tensor, positions: Tensor) -> Tensor:
    """Logits [size, length, vocabulary] of sequences whose documents begin where `positions` are 0."""
    result: Tensor = model(input_ids=input_ids, position_ids=positions, use_cache=False).logits
    return result


def nats(found: Tensor, targets: Tensor) -> Tensor:
    """Negative log-likelihood of each target [size, length] by the logits found, in float32; 0 where there is none."""
    each = torch.nn.functional.cross_entropy(
        found.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return each.view(targets.shape)


def loss_sum(model: Module, input_ids: Tensor, positions: Tensor, targets: Tensor) -> Tensor:
    """Sum of the negative log-likelihoods of the targets."""
    return nats(logits(model, input_ids, positions), targets).sum()


def tensors(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Input ids, positions and targets of a batch on a device."""
    arrays = (batch.input_ids, batch.positions, batch.targets)
    ids, positions, targets = (torch.from_numpy(array).to(device, non_blocking=True) for array in arrays)
    return ids, positions, targets


@contextmanager
def evaluating(model: Module) -> Iterator[torch.device]:
    """Without gradients and dropout, and left in the mode that it was in; the device that the model is on."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next(model.parameters()).device
    finally:
        model.train(training)


def leakage(model: Module, *, length: int = 24, call: Logits = logits) -> float:
    """Largest difference between a second document's logits in a pack and alone, over the largest logit."""
    vocabulary = model.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    generator = torch.Generator().manual_seed(0)
    with evaluating(model) as device:
        ids = torch.randint(vocabulary, (2, 2 * length), generator=generator).to(device)
        alone = torch.arange(length, device=device).expand(2, -1)
        packed = call(model, ids, alone.repeat(1, 2))[:, length:].float()
        single = call(model, ids[:, length:].contiguous(), alone).float()
    return float((packed - single).abs().max() / single.abs().max().clamp(min=1e-9))


def check_leakage(model: Module) -> float:
    """`leakage`, which must be that of rounding.

    Raises:
        StageError: attention crosses from one document to another in this architecture.
    """
    found = leakage(model)
    if not found <= _LEAKAGE_LIMIT:
        raise StageError(
            f"{type(model).__name__}: packed documents see each other (logits change by {found:.2g} of the largest);"
            " this architecture ignores the positions that should keep them apart"
        )
    return found
