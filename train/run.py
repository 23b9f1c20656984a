"""What a run is (a model, its data and its optimizer, checked against each other), where it is, and how it is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint import state_dict as dcp

from registry.errors import RecordError, UsageError
from registry.publish import making, place, write_json
from registry.shards import Shards
from train import lora
from train.checkpoint import MOMENTS, STATE, Saver, checkpoints, read_checkpoint
from train.config import Train
from train.examples import ExampleStream, read_examples
from train.model import check_leakage, load_model
from train.processes import Processes, whole
from train.schedule import schedule
from train.stream import Source, Stream
from train.tokens import tokenizer_of

_EVERYWHERE = dcp.StateDictOptions(full_state_dict=True)
_TO_FIRST = dcp.StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass(slots=True)
class State:
    """All that a run is at beside weights and moments."""

    step: int = 0
    tokens: int = 0  # targets that were learnt from
    skipped: int = 0
    skipped_in_a_row: int = 0
    usual_norm: float = 0.0  # running mean of the gradient's norm
    stream: str = ""  # fingerprint


class Run:
    """A run in one process: everything is loaded, checked against each other, and at the last checkpoint.

    Attributes:
        stream: sequences of the shards; `examples` are learnt beside them, if any.
        validation: held-out documents by build.
        plain: the model itself; `wrapped` is how it is called, with gradients shared, compiled.
        state: where the run is; `asked` is whether a signal asked this process to end it.

    Raises:
        UsageError: the configuration, the model and the shards do not belong together.
        RecordError: the last checkpoint is damaged.
    """

    def __init__(self, config: Train, folder: Path, out: Path, processes: Processes) -> None:
        self.config, self.out, self.processes, self.state, self.asked = config, out, processes, State(), False
        self._check_shares()
        data, last = config.data, checkpoints(out)[-1:]
        builds = [folder / source.shards for source in data.sources]
        sources = [
            Source(Shards(build), each.weight, tuple(each.only))
            for build, each in zip(builds, data.sources, strict=True)
        ]
        self.tokens = tokenizer_of(folder / config.model, builds)
        self._load(folder / config.model, last)
        self.stream = Stream(
            sources, length=data.length, seed=config.seed, method=data.packing, vocabulary=self._vocabulary()
        )
        self.state.stream = self.stream.fingerprint
        self.examples = self._examples(folder)
        self.validation = self._held_out(builds)
        self.wrapped = processes.wrap(self.plain, config.parallel, bf16=config.precision == "bf16")
        if config.compile:
            self.wrapped.compile()
        self.optimizer = self._optimizer()
        self.schedule = partial(schedule.get(config.schedule), steps=config.steps, **config.schedule_options)
        for checkpoint in last:
            self._resume(checkpoint)
        if self.state.step > config.steps:
            raise UsageError(f"{out} is at step {self.state.step:,} already, after the {config.steps:,} asked for")

    def _check_shares(self) -> None:
        schedule.check(self.config.schedule, self.config.schedule_options)
        data, world = self.config.data, self.processes.world
        shares = {"micro-batches": data.batch // data.micro, "examples": data.examples.size if data.examples else 0}
        for what, count in shares.items():
            if count % world:
                raise UsageError(f"{count} {what} in a step cannot be shared by {world} processes")

    def _load(self, start: Path, last: list[Path]) -> None:
        """The model: of the last checkpoint, or where the run begins."""
        config = self.config
        if last and not config.lora:
            self.plain = load_model(last[0], attention=config.attention)
        else:
            self.plain = load_model(start, seed=config.seed if config.init else None, attention=config.attention)
        self.targets = lora.add_adapters(self.plain, config.lora, seed=config.seed) if config.lora else []
        if last and config.lora:
            lora.load_adapter(last[0], self.plain)
        check_leakage(self.plain.to(self.processes.device), single=config.data.packing == "single")
        if config.recompute:
            self.plain.activation_checkpointing_enable({"use_reentrant": False})
            self.plain.enable_input_require_grads()

    def _vocabulary(self) -> int:
        """Rows of the model's embeddings, which may be more than the tokenizer's tokens, but not less."""
        rows: int = self.plain.get_input_embeddings().weight.shape[0]
        if rows < (size := self.tokens.tokenizer.get_vocab_size(with_added_tokens=True)):
            raise UsageError(f"{self.config.model} has embeddings of {rows:,} tokens, and its tokenizer knows {size:,}")
        return rows

    def _examples(self, folder: Path) -> ExampleStream | None:
        if (wanted := self.config.data.examples) is None:
            return None
        read, length = read_examples(folder / wanted.file), self.config.data.length
        contrast = wanted.loss == "choice"
        return ExampleStream(read, self.tokens, length=length, contrast=contrast, seed=self.config.seed)

    def _held_out(self, builds: list[Path]) -> dict[Path, Shards]:
        if not self.config.validation.every:
            return {}
        found = {build: Shards(build, split="validation") for build in builds}
        if not any(len(shards) for shards in found.values()):
            raise UsageError(
                "validation was asked for, but the shards hold nothing out: set tokenize.validation and build"
            )
        return found

    def _optimizer(self) -> torch.optim.AdamW:
        """AdamW; only matrices decay."""
        options, trained = self.config.optimizer, [p for p in self.plain.parameters() if p.requires_grad]
        matrices, others = ([p for p in trained if (p.ndim >= 2) == wide] for wide in (True, False))
        groups = [{"params": matrices}, *([{"params": others, "weight_decay": 0.0}] if others else [])]
        return torch.optim.AdamW(
            groups, lr=options.lr, betas=(options.betas[0], options.betas[1]), eps=options.epsilon,
            weight_decay=options.weight_decay, fused=True,
        )  # fmt: skip

    def _resume(self, checkpoint: Path) -> None:
        state = read_checkpoint(checkpoint, STATE)
        if state.get("stream") != self.state.stream:
            raise UsageError(
                f"{self.out} was begun with other data (shards, weights, length, packing or seed): give another `out`,"
                " or the same data"
            )
        if state.keys() != asdict(self.state).keys():
            raise RecordError(f"{checkpoint / STATE} is of another version")
        self.state = State(**state)
        found = dcp.get_optimizer_state_dict(self.plain, self.optimizer, options=_EVERYWHERE)
        for key, tensor in read_checkpoint(checkpoint, MOMENTS).items():
            name, _, kind = key.rpartition("/")
            found["state"][name][kind] = tensor
        dcp.set_optimizer_state_dict(self.plain, self.optimizer, found, options=_EVERYWHERE)

    def save(self, saver: Saver) -> None:
        """Copy everything and let it be written. Collective under FSDP."""
        tensors = self._weights()
        found = dcp.get_optimizer_state_dict(self.plain, self.optimizer, options=_TO_FIRST).get("state", {})
        if self.processes.first:
            moments = {f"{name}/{kind}": t.clone() for name, kinds in found.items() for kind, t in kinds.items()}
            saver.save(partial(self._write_model, tensors), moments, asdict(self.state))

    def _weights(self) -> dict[str, Tensor]:
        if self.config.lora:
            return {n: whole(t.detach()).cpu().clone() for n, t in lora.adapter_tensors(self.plain).items()}
        every, once = ({n for n, _ in self.plain.named_parameters(remove_duplicate=same)} for same in (False, True))
        tied = every - once  # saved once, as Hugging Face does; otherwise the base has other tensors
        state = dcp.get_model_state_dict(self.plain, options=_TO_FIRST)
        return {name: tensor.clone() for name, tensor in state.items() if name not in tied}

    def _write_model(self, tensors: dict[str, Tensor], folder: Path) -> None:
        if self.config.lora:
            lora.save_adapter(folder, tensors, self.config.lora, self.targets, self.config.model)
        else:
            self.plain.save_pretrained(folder, state_dict=tensors)
            self.tokens.copy(folder)

    def finish(self) -> None:
        """The last checkpoint without what only a run needs, as `model` or `adapter`; links, as on one disk."""
        with making(self.out / ("adapter" if self.config.lora else "model")) as made:
            for path in checkpoints(self.out)[-1].iterdir():
                if path.name not in {MOMENTS, STATE}:
                    place(path, made / path.name)
            write_json(made / "train.json", {"train": self.config.model_dump(exclude={"out"}), **asdict(self.state)})
