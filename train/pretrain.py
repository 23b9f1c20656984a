"""`corpus train`: a model and shards -> checkpoints.

Everything that a step does is a function of the configuration and the number of the step: which sequences, which
learning rate, which dropout. So a run that was killed goes on from its last checkpoint with the losses it would have
had, to the last bit, also with another number of processes as long as sums are taken in the same order (two
micro-batches: one process or two). The loss of a step is the mean over all its targets, wherever they are.
"""

from __future__ import annotations

import math
import shutil
import signal
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.distributed.checkpoint import state_dict as dcp
from torch.nn.parallel import DistributedDataParallel

from registry.errors import RecordError, StageError, UsageError
from registry.publish import write_json
from registry.shards import Shards
from train import lora
from train.bits import bits_per_byte, documents
from train.checkpoint import Saver, checkpoints, read_moments, read_state
from train.examples import Encoder, ExampleStream, read_examples
from train.journal import Journal, flops_per_token, peak_flops
from train.model import check_leakage, load_model, logits, loss_sum, tensors
from train.processes import Processes
from train.schedule import schedule
from train.stream import IGNORED, Source, Stream
from train.tokens import Tokens, tokenizer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor
    from torch.nn import Module

    from train.config import Train

_SETTLED = 20  # good steps before the running mean of gradient norms is one to compare with
_WHOLE = dcp.StateDictOptions(full_state_dict=True, cpu_offload=True)  # to the first process
_EVERYWHERE = dcp.StateDictOptions(full_state_dict=True)


@dataclass(slots=True)
class State:
    """All that a run is at beside weights and moments."""

    step: int = 0
    tokens: int = 0  # targets that were learnt from
    skipped: int = 0
    skipped_in_a_row: int = 0
    usual_norm: float = 0.0  # running mean of the gradient's norm
    stream: str = ""  # fingerprint

    def as_json(self) -> dict[str, Any]:
        """For `state.json`."""
        return {name: getattr(self, name) for name in self.__slots__}


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


def train(config: Train, folder: Path, out: Path) -> str:
    """Train as `config` says, whose paths are from `folder`; goes on where a run in `out` was. Says how it ended.

    Raises:
        UsageError: the configuration, the model and the shards do not belong together.
        StageError: too many steps were bad, or a checkpoint could not be written.
    """
    processes = Processes.join()
    try:
        run = prepare(config, folder, out, processes)
        with _signals(run):
            return _loop(run)
    finally:
        processes.leave()


def prepare(config: Train, folder: Path, out: Path, processes: Processes) -> Run:
    """Load everything, check that it belongs together, and go to the last checkpoint."""
    schedule.check(config.schedule, config.schedule_options)
    micros = config.data.batch // config.data.micro
    if micros % processes.world:
        raise UsageError(f"{micros} micro-batches in a step cannot be shared by {processes.world} processes")
    builds = [folder / source.shards for source in config.data.sources]
    tokens = tokenizer_of(folder / config.model, builds)
    before = checkpoints(out)
    model = _load(config, folder, before)
    targets = _adapt(config, model, before)
    check_leakage(model.to(processes.device))
    if config.recompute:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})  # type: ignore[operator]
        model.enable_input_require_grads()  # type: ignore[operator]
    stream = _stream(config, builds, model.get_input_embeddings().weight.shape[0])  # type: ignore[operator]
    wrapped = processes.wrap(model, config.parallel, bf16=config.precision == "bf16")
    run = Run(
        config, out, processes, stream, _examples(config, folder, tokens), _validation(config, builds), tokens, model,
        _compiled(wrapped) if config.compile else wrapped, _optimizer(config, model), targets,
    )  # fmt: skip
    run.state.stream = stream.fingerprint
    if before:
        _resume(run, before[-1])
    return run


def _compiled(model: Module) -> Module:
    compiled: Any = torch.compile(model)
    return cast("Module", compiled)


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


def _stream(config: Train, builds: list[Path], vocabulary: int) -> Stream:
    data = config.data
    sources = [
        Source(Shards(build), each.weight, tuple(each.only)) for build, each in zip(builds, data.sources, strict=True)
    ]
    return Stream(sources, length=data.length, seed=config.seed, method=data.packing, vocabulary=vocabulary)


def _examples(config: Train, folder: Path, tokens: Tokens) -> ExampleStream | None:
    wanted = config.data.examples
    if wanted is None:
        return None
    encoder = Encoder(tokens.tokenizer, begin=tokens.begin, end=tokens.end, length=config.data.length)
    examples = read_examples(folder / wanted.file)
    return ExampleStream(examples, encoder, contrast=wanted.loss == "choice", seed=config.seed)


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
    for key, tensor in read_moments(checkpoint).items():
        name, _, kind = key.rpartition("/")
        moments.setdefault(name, {})[kind] = tensor
    current: dict[str, Any] = dcp.get_optimizer_state_dict(run.plain, run.optimizer, options=_EVERYWHERE)
    dcp.set_optimizer_state_dict(
        run.plain, run.optimizer, {"state": moments, "param_groups": current["param_groups"]}, options=_EVERYWHERE
    )


def _loop(run: Run) -> str:
    config, state, first = run.config, run.state, run.processes.first
    saver = Saver(run.out, keep=config.checkpoints.keep, milestones=config.checkpoints.milestones)
    journal = _journal(run) if first else None
    run.wrapped.train()
    while state.step < config.steps and not run.stop:
        facts = _step(run)
        state.step += 1
        done = state.step == config.steps
        if (every := config.validation.every) and (state.step % every == 0 or done):
            facts["bits_per_byte"] = validate(run)
        run.stop = run.processes.total([float(run.stop)])[0] > 0
        if done or run.stop or state.step % config.checkpoints.every == 0:
            _save(run, saver)
        if journal:
            journal.write(state.step, **facts)
            if done or run.stop or state.step % config.log_every == 0:
                journal.progress(state.step, facts["loss"], state.tokens)
    saver.wait()
    if first and state.step == config.steps:
        _finish(run)
    if journal:
        journal.close()
    how = "finished" if state.step == config.steps else "stopped; the same command goes on"
    return f"{how} at step {state.step:,} of {config.steps:,}; {state.skipped} skipped"


def _journal(run: Run) -> Journal:
    config, peak = run.config, peak_flops(run.processes.device)
    return Journal(
        run.out, step=run.state.step, steps=config.steps, flops=flops_per_token(run.plain, config.data.length),
        peak=peak and peak * run.processes.world, tensorboard=config.tensorboard,
    )  # fmt: skip


def _step(run: Run) -> dict[str, Any]:
    """One step: gradients of all micro-batches, then the optimizer, unless the step is a bad one."""
    config, state, world = run.config, run.state, run.processes.world
    torch.manual_seed((config.seed * 1_000_003 + state.step) * 4096 + run.processes.rank)
    rate = config.optimizer.lr * schedule.get(config.schedule)(state.step, config.steps, **config.schedule_options)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    micros = list(_micros(run))
    count = run.processes.total([sum(int((targets != IGNORED).sum()) for _, _, targets in micros)])[0]
    share = 1 - (config.data.examples.weight if config.data.examples else 0.0)
    nats = torch.zeros((), device=run.processes.device, dtype=torch.float64)
    for number, micro in enumerate(micros):
        last = number == len(micros) - 1 and run.examples is None
        with _together(run, last=last), _precision(run):
            loss = loss_sum(run.wrapped, *micro)
            nats += loss.detach()
            (loss * (share * world / max(1.0, count))).backward()  # type: ignore[no-untyped-call]
    facts: dict[str, Any] = {}
    if run.examples is not None:
        facts["examples_loss"] = _learn_examples(run, run.examples, 1 - share)
    norm = float(_whole(torch.nn.utils.clip_grad_norm_(run.plain.parameters(), config.optimizer.clip)))
    loss_mean = run.processes.total([float(nats)])[0] / max(1.0, count)
    skipped = _is_bad(run, loss_mean, norm)
    if not skipped:
        run.optimizer.step()
        state.tokens += int(count)
    run.optimizer.zero_grad(set_to_none=True)
    return {"loss": loss_mean, "lr": rate, "norm": norm, "tokens": state.tokens, **facts, "skipped": skipped}


def _micros(run: Run) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """This process's micro-batches of the step: every `world`-th of them."""
    data, processes = run.config.data, run.processes
    begin = run.state.step * data.batch
    for number in range(processes.rank, data.batch // data.micro, processes.world):
        yield tensors(run.stream.batch(begin + number * data.micro, data.micro), processes.device)


def _learn_examples(run: Run, examples: ExampleStream, weight: float) -> float:
    assert run.config.data.examples is not None
    size, begin = run.config.data.examples.size, run.state.step * run.config.data.examples.size
    mine = range(begin + run.processes.rank, begin + size, run.processes.world)
    chosen, rows = examples.batch(mine)
    ids, positions, targets = (row.to(run.processes.device) for row in rows)
    with _precision(run):
        loss = examples.loss(logits(run.wrapped, ids, positions), targets, chosen)
        (loss * weight).backward()  # type: ignore[no-untyped-call]
    return run.processes.total([float(loss)])[0] / run.processes.world


def _together(run: Run, *, last: bool) -> Any:
    """Gradients are shared once a step, with the last backward pass."""
    if isinstance(run.wrapped, DistributedDataParallel) and not last:
        return run.wrapped.no_sync()
    if hasattr(run.wrapped, "set_requires_gradient_sync"):
        cast("Any", run.wrapped).set_requires_gradient_sync(last)
    return nullcontext()


def _precision(run: Run) -> Any:
    bf16 = run.config.precision == "bf16"
    return torch.autocast(run.processes.device.type, torch.bfloat16, enabled=bf16)


def _whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process has a shard, in one piece."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def _is_bad(run: Run, loss: float, norm: float) -> bool:
    """Whether a step is to change nothing. The same in every process, as its numbers are.

    Raises:
        StageError: there were too many in a row.
    """
    state, guard = run.state, run.config.guard
    good_steps = state.step - state.skipped
    spike = good_steps >= _SETTLED and norm > guard.spike * state.usual_norm
    if math.isfinite(loss) and math.isfinite(norm) and not spike:
        state.skipped_in_a_row = 0
        state.usual_norm += (norm - state.usual_norm) / min(good_steps + 1, _SETTLED)
        return False
    state.skipped += 1
    state.skipped_in_a_row += 1
    if state.skipped_in_a_row >= guard.abort:
        raise StageError(
            f"step {state.step}: {state.skipped_in_a_row} bad steps in a row (loss {loss:.4g}, gradient {norm:.4g});"
            " lower the learning rate, and go on from the last checkpoint"
        )
    return True


def validate(run: Run) -> dict[str, float]:
    """Bits per byte by source, over all builds; every process does all of it."""
    found: dict[str, float] = {}
    for build, shards in run.validation.items():
        texts = documents(shards, run.config.validation.documents)
        for source, bits in bits_per_byte(run.wrapped, texts, run.tokens, length=run.config.data.length).items():
            found[source if source not in found else f"{Path(build).name}/{source}"] = bits.per_byte
    return found


def _save(run: Run, saver: Saver) -> None:
    """Copy everything and let it be written. Collective under FSDP."""
    weights = _weights(run)
    found: dict[str, Any] = dcp.get_optimizer_state_dict(run.plain, run.optimizer, options=_WHOLE)
    moments = {
        f"{name}/{kind}": torch.as_tensor(value).detach().clone().contiguous()
        for name, kinds in found.get("state", {}).items()
        for kind, value in kinds.items()
    }
    if run.processes.first:
        saver.save(partial(_write_model, run, weights), moments, run.state.as_json())


def _weights(run: Run) -> dict[str, Tensor]:
    if run.config.lora:
        return {n: _whole(t.detach()).cpu().clone() for n, t in lora.adapter_tensors(run.plain).items()}
    state: dict[str, Any] = dcp.get_model_state_dict(run.plain, options=_WHOLE)
    return {name: tensor.clone() for name, tensor in state.items()}


def _write_model(run: Run, weights: dict[str, Tensor], folder: Path) -> None:
    if run.config.lora:
        lora.save_adapter(folder, weights, run.config.lora, run.targets, run.config.model)
    else:
        run.plain.save_pretrained(folder, state_dict=weights)  # type: ignore[operator]
        run.tokens.copy(folder)


def _finish(run: Run) -> None:
    """The last checkpoint without what only a run needs, as `model` or `adapter`."""
    final = run.out / ("adapter" if run.config.lora else "model")
    last = checkpoints(run.out)[-1]
    shutil.rmtree(final, ignore_errors=True)
    shutil.copytree(last, final, ignore=shutil.ignore_patterns("optimizer.safetensors", "state.json"))
    write_json(final / "train.json", {"train": run.config.model_dump(exclude={"out"}), **run.state.as_json()})


class _signals:  # noqa: N801 - reads as `with signals`
    """SIGTERM and SIGINT let the step end, save, and stop; a second one ends at once."""

    def __init__(self, run: Run) -> None:
        self._run, self._before = run, {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)}

    def __enter__(self) -> None:
        for number in self._before:
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        self._run.stop = True
        signal.signal(number, self._before[signal.Signals(number)])
        del frame

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
