"""One process or several (torchrun): who this one is, and what all of them agree on.

A process that waits for the others in vain (one was stopped, hangs on a disk or died without a word) is told after
`patience` seconds and ends with an error that says where it stood; without that, gloo waits for 30 minutes.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from registry.errors import StageError


class Processes(NamedTuple):
    """This process among `world`, and its device. As a context it ends the process group."""

    rank: int
    world: int
    device: torch.device
    patience: int

    @classmethod
    def join(cls, patience: int = 600) -> Processes:
        """As torchrun says in the environment; alone without it. NCCL on GPUs, gloo on CPUs.

        Raises:
            StageError: the others did not come within `patience` seconds.
        """
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
            try:
                dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(seconds=patience))
            except dist.DistError as error:
                raise StageError(f"the processes did not find each other within {patience} s: {error}") from None
        if dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size(), device, patience)
        return cls(0, 1, device, patience)

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
        return tensor.tolist()

    def wrap(self, model: Any, how: Literal["ddp", "fsdp"], *, bf16: bool) -> Any:
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
        depth = model.config.get_text_config().num_hidden_layers
        layers = (m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == depth)
        for module in (*next(layers, ()), model):
            fully_shard(module, mesh=mesh, mp_policy=policy)
        return model

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the process group; after an error not, as others may still be waiting in it.

        Nothing else may hold the group by then: where DDP is the last that does, its end waits for gloo's threads while
        it holds the interpreter's lock, which these may need to come to their end (4 of 12 runs hung so).

        Raises:
            StageError: the others did not answer.
        """
        if self.world > 1 and error is None:
            gc.collect()
            dist.destroy_process_group()
        if self.world > 1 and isinstance(error, RuntimeError) and ("gloo" in str(error) or "NCCL" in str(error)):
            ours = [f for f in traceback.extract_tb(trace) if Path(f.filename).parent == Path(__file__).parent][-1]
            raise StageError(
                f"process {self.rank} of {self.world} had no answer from the others in {ours.name}, line {ours.lineno}"
                f" of {Path(ours.filename).name}: one of them ended, or stood still for {self.patience} s (`patience`)."
                f" The same command goes on from the last checkpoint. [{str(error).partition('] ')[2].split('. ')[0]}]"
            ) from None


def whole(tensor: Any) -> Tensor:
    """A tensor of which each process has a shard, in one piece."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
