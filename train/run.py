"""What a run is (a model, its data and its optimizer, checked against each other), where it is, and how it is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.distributed.checkpoint import state_dict as dcp

from registry.errors import RecordError, UsageError
from registry.publish import place, write_json
from registry.shards import Shards
from train import lora
from train.checkpoint import MOMENTS, STATE, Saver, checkpoints, making, read_state, read_tensors
from train.examples import ExampleStream, read_examples
from train.model import check_leakage, load_model
from train.processes import Processes, whole
from train.schedule import schedule
from train.stream import Source, Stream
from train.tokens import Tokens, tokenizer_of

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from train.config import Train

_EVERYWHERE = dcp.StateDictOptions(full_state_dict=True)
_TO_FIRST = dcp.StateDictOptions(full_state_dict=True, cpu_offload=True)  # to the first process


@dataclass(slots=True)
class State:
    """All that a run is at beside weights and moments."""

    step: int = 0
    tokens: int = 0  # targets that were learnt from
    skipped: int = 0
    skipped_in_a_row: int = 0
    usual_norm: float = 0.0  # running mean of the gradient's norm
    stream: str = ""  # fingerprint


@dataclass(slots=True)
class Run:
    """A run in one process: what it reads, what it trains, where it is."""

    config: Train
    out: Path
    processes: Processes
    stream: Stream
    examples: ExampleStream | None
    validation: dict[str, Shards]
    tokens: Tokens
    plain: Module  # the model itself
    wrapped: Module  # as it is called: with gradients shared, compiled
    optimizer: torch.optim.AdamW
    targets: list[str]  # LoRA's
    state: State = field(default_factory=State)
    stop: bool = False


def prepare(config: Train, folder: Path, out: Path, processes: Processes) -> Run:
    """Load everything, check that it belongs together, and go to the last checkpoint."""
    schedule.check(config.schedule, config.schedule_options)
    micros = config.data.batch // config.data.micro
    if micros % processes.world:
        raise UsageError(f"{micros} micro-batches in a step cannot be shared by {processes.world} processes")
    builds = [folder / source.shards for source in config.data.sources]
    sources = [
        Source(Shards(build), each.weight, tuple(each.only))
        for build, each in zip(builds, config.data.sources, strict=True)
    ]
    tokens = tokenizer_of(folder / config.model, builds)
    before = checkpoints(out)
    model = _load(config, folder, before)
    targets = _adapt(config, model, before)
    check_leakage(model.to(processes.device))
    if config.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})  # type: ignore[operator]
        model.enable_input_require_grads()  # type: ignore[operator]
    stream = Stream(
        sources, length=config.data.length, seed=config.seed, method=config.data.packing,
        vocabulary=_vocabulary(config, model, tokens),
    )  # fmt: skip
    wrapped = processes.wrap(model, config.parallel, bf16=config.precision == "bf16")
    run = Run(
        config, out, processes, stream, _examples(config, folder, tokens), _validation(config, builds), tokens, model,
        cast("Module", torch.compile(wrapped)) if config.compile else wrapped, _optimizer(config, model), targets,
    )  # fmt: skip
    run.state.stream = stream.fingerprint
    if before:
        _resume(run, before[-1])
    if run.state.step > config.steps:
        raise UsageError(f"{out} is at step {run.state.step:,} already, after the {config.steps:,} asked for")
    return run


def _load(config: Train, folder: Path, before: list[Path]) -> Module:
    """The model: of the last checkpoint, or where the run begins."""
    if before and not config.lora:
        return load_model(before[-1])
    return load_model(folder / config.model, seed=config.seed if config.init else None)


def _adapt(config: Train, model: Module, before: list[Path]) -> list[str]:
    if not config.lora:
        return []
    targets = lora.add_adapters(model, config.lora, seed=config.seed)
    if before:
        lora.load_adapter(before[-1], model)
    return targets


def _vocabulary(config: Train, model: Module, tokens: Tokens) -> int:
    """Rows of the model's embeddings, which may be more than the tokenizer's tokens, but not less."""
    rows: int = model.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    if rows < (size := tokens.tokenizer.get_vocab_size(with_added_tokens=True)):
        raise UsageError(f"{config.model} has embeddings of {rows:,} tokens, and its tokenizer knows {size:,}")
    return rows


def _examples(config: Train, folder: Path, tokens: Tokens) -> ExampleStream | None:
    wanted = config.data.examples
    if wanted is None:
        return None
    return ExampleStream(
        read_examples(folder / wanted.file), tokens,
        length=config.data.length, contrast=wanted.loss == "choice", seed=config.seed,
    )  # fmt: skip


def _validation(config: Train, builds: list[Path]) -> dict[str, Shards]:
    if not config.validation.every:
        return {}
    found = {str(build): Shards(build, split="validation") for build in dict.fromkeys(builds)}
    if not any(len(shards) for shards in found.values()):
        raise UsageError("validation was asked for, but the shards hold nothing out: set tokenize.validation and build")
    return found


def _optimizer(config: Train, model: Module) -> torch.optim.AdamW:
    """AdamW; only matrices decay."""
    options = config.optimizer
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    betas = (options.betas[0], options.betas[1])
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=options.lr, betas=betas, eps=options.epsilon, fused=True
    )


def _resume(run: Run, checkpoint: Path) -> None:
    state = read_state(checkpoint)
    if state.get("stream") != run.state.stream:
        raise UsageError(
            f"{run.out} was begun with other data (shards, weights, length, packing or seed): give another `out`, or"
            " the same data"
        )
    try:
        run.state = State(**state)
    except TypeError:
        raise RecordError(f"{checkpoint / 'state.json'} is of another version") from None
    moments: dict[str, Any] = {}
    for key, tensor in read_tensors(checkpoint / MOMENTS).items():
        name, _, kind = key.rpartition("/")
        moments.setdefault(name, {})[kind] = tensor
    current: dict[str, Any] = dcp.get_optimizer_state_dict(run.plain, run.optimizer, options=_EVERYWHERE)
    dcp.set_optimizer_state_dict(
        run.plain, run.optimizer, {"state": moments, "param_groups": current["param_groups"]}, options=_EVERYWHERE
    )


def save(run: Run, saver: Saver) -> None:
    """Copy everything and let it be written. Collective under FSDP."""
    weights = _weights(run)
    found: dict[str, Any] = dcp.get_optimizer_state_dict(run.plain, run.optimizer, options=_TO_FIRST)
    moments = {
        f"{name}/{kind}": torch.as_tensor(value).detach().clone().contiguous()
        for name, kinds in found.get("state", {}).items()
        for kind, value in kinds.items()
    }
    if run.processes.first:
        saver.save(partial(_write_model, run, weights), moments, asdict(run.state))


def _weights(run: Run) -> dict[str, Tensor]:
    if run.config.lora:
        return {n: whole(t.detach()).cpu().clone() for n, t in lora.adapter_tensors(run.plain).items()}
    state: dict[str, Any] = dcp.get_model_state_dict(run.plain, options=_TO_FIRST)
    names = [{n for n, _ in run.plain.named_parameters(remove_duplicate=once)} for once in (False, True)]
    tied = names[0] - names[1]  # saved once, as Hugging Face does; otherwise the base has other tensors
    return {name: tensor.clone() for name, tensor in state.items() if name not in tied}


def _write_model(run: Run, weights: dict[str, Tensor], folder: Path) -> None:
    if run.config.lora:
        lora.save_adapter(folder, weights, run.config.lora, run.targets, run.config.model)
    else:
        run.plain.save_pretrained(folder, state_dict=weights)  # type: ignore[operator]
        run.tokens.copy(folder)


def finish(run: Run) -> None:
    """The last checkpoint without what only a run needs, as `model` or `adapter`; links, as both are of one disk."""
    with making(run.out / ("adapter" if run.config.lora else "model")) as made:
        for path in checkpoints(run.out)[-1].iterdir():
            if path.name not in {MOMENTS, STATE}:
                place(path, made / path.name)
        write_json(made / "train.json", {"train": run.config.model_dump(exclude={"out"}), **asdict(run.state)})
