"""LoRA: the linear layers of a model get a trainable update s B A, all else is frozen. Saved in PEFT's format.

A starts as `torch.nn.Linear` does and B at 0, so a fresh adapter changes nothing; s = alpha / rank. Hu et al.,
2106.09685. The files are what `peft.PeftModel.from_pretrained` loads, and what `corpus merge` merges.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from registry.errors import RecordError, UsageError, nearest
from registry.publish import write_json
from train.checkpoint import read_checkpoint
from train.config import Lora
from train.merge.lora import CONFIG, PREFIX, WEIGHTS


class LoraLinear(nn.Module):
    """A frozen linear layer with an update of low rank."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features, device=base.weight.device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, device=base.weight.device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output and the update's."""
        update = nn.functional.linear(nn.functional.linear(x, self.lora_A), self.lora_B)
        return self.base(x) + self.scale * update


def add_adapters(model: Any, options: Lora, *, seed: int) -> list[str]:
    """Freeze the model and give its linear layers adapters; returns the layers' last names, as PEFT wants them.

    Raises:
        UsageError: a target is no linear layer of the model.
    """
    output = model.get_output_embeddings()
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear) and m is not output}
    known = {name.rpartition(".")[2] for name in layers}
    for target in options.targets:
        if target not in known:
            raise UsageError(f"lora.targets: the model has no linear layer {target!r}; {nearest(target, known)}")
    model.requires_grad_(requires_grad=False)
    torch.manual_seed(seed)
    for name, layer in layers.items():
        parent, _, last = name.rpartition(".")
        if last in (options.targets or known):
            setattr(model.get_submodule(parent), last, LoraLinear(layer, options.rank, options.alpha))
    return sorted(options.targets or known)


def adapter_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The adapters' tensors by their names in PEFT's files."""
    return {
        f"{PREFIX}{name}.weight": p for name, p in model.named_parameters() if name.endswith((".lora_A", ".lora_B"))
    }


def save_adapter(folder: Path, tensors: dict[str, Tensor], options: Lora, targets: list[str], base: str) -> None:
    """Write an adapter as PEFT does."""
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "r": options.rank,
        "lora_alpha": options.alpha, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False,
        "inference_mode": True, "target_modules": targets,
    }  # fmt: skip
    write_json(folder / CONFIG, config)


@torch.no_grad()
def load_adapter(folder: Path, model: nn.Module) -> None:
    """Fill the adapters of a model from a folder.

    Raises:
        RecordError: it holds other adapters than the model has.
    """
    mine, theirs = adapter_tensors(model), read_checkpoint(folder, WEIGHTS)
    if {n: t.shape for n, t in mine.items()} != {n: t.shape for n, t in theirs.items()}:
        raise RecordError(f"{folder} holds other adapters than the configuration asks for")
    for name, tensor in mine.items():
        tensor.copy_(theirs[name])
