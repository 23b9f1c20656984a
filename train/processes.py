"""One process or several (torchrun): who this one is, and what all of them agree on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among `world`, and its device."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def join(cls) -> Processes:
        """As torchrun says in the environment; alone without it. NCCL on GPUs, gloo on CPUs."""
        cuda = torch.cuda.is_available()
        local = int(os.environ.get("LOCAL_RANK", "0"))
        device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        if dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size(), device)
        return cls(0, 1, device)

    @property
    def first(self) -> bool:
        """Whether this one writes and talks."""
        return self.rank == 0

    def total(self, numbers: Sequence[float]) -> list[float]:
        """The sum of each number over all processes, in float64."""
        if self.world == 1:
            return list(numbers)
        tensor = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(number) for number in tensor.tolist()]

    def wrap(self, model: Module, how: Literal["ddp", "fsdp"], *, bf16: bool) -> Module:
        """The model with its gradients shared: copies (DDP), or parameters in shards by decoder layer (FSDP2)."""
        if self.world == 1:
            return model
        if how == "ddp":
            return DistributedDataParallel(model)
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        mesh = init_device_mesh(self.device.type, (self.world,))
        kind = torch.bfloat16 if bf16 else torch.float32
        policy = MixedPrecisionPolicy(param_dtype=kind, reduce_dtype=torch.float32)
        layers = max((m for m in model.modules() if isinstance(m, torch.nn.ModuleList)), key=len)
        for layer in layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        fully_shard(model, mesh=mesh, mp_policy=policy)
        return model

    def leave(self) -> None:
        """End the process group."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process has a shard, in one piece."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
