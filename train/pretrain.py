"""`corpus train`: a model and shards -> checkpoints.

Everything that a step does is a function of the configuration and the number of the step: which sequences, which
learning rate, which dropout. So a run that was killed goes on from its last checkpoint with the losses it would have
had, to the last bit, also with another number of processes as long as sums are taken in the same order (two
micro-batches: one process or two). The loss of a step is the mean over all its targets, wherever they are.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from registry.errors import StageError
from train.bits import bits_per_byte, documents
from train.checkpoint import Saver
from train.config import Examples, Train
from train.examples import ExampleStream
from train.journal import Journal, flops_per_token, peak_flops
from train.model import logits, loss_sum, tensors
from train.processes import Processes, whole
from train.run import Run
from train.stream import IGNORED

_SETTLED = 20  # good steps before the running mean of gradient norms is one to compare with


def train(config: Train, folder: Path, out: Path) -> str:
    """Train as `config` says, whose paths are from `folder`; goes on where a run in `out` was. Says how it ended.

    Raises:
        UsageError: the configuration, the model and the shards do not belong together.
        StageError: too many steps were bad, a checkpoint could not be written, the device has too little memory or
            lacks an operation, or other processes do not answer.
    """
    try:
        with Processes.join(config.patience) as processes:
            return _train(config, folder, out, processes)  # a function of its own: the run is gone when the group ends
    except torch.OutOfMemoryError as error:
        remedy = "give a smaller `data.micro`, `recompute: true`, or `parallel: fsdp` over several devices"
        raise StageError(f"{str(error).split('. ')[0]}: {remedy}; the same command goes on") from None
    except NotImplementedError as error:  # a kernel without a backward pass, such as flex_attention on a CPU
        raise StageError(f"this device cannot do it: {error}") from error


def _train(config: Train, folder: Path, out: Path, processes: Processes) -> str:
    run = Run(config, folder, out, processes)
    with _signals(run):
        _loop(run)
        finished = run.state.step == config.steps
        if finished and processes.first:
            run.finish()
    how = "finished" if finished else "stopped; the same command goes on"
    return f"{how} at step {run.state.step:,} of {config.steps:,}; {run.state.skipped} skipped"


def _loop(run: Run) -> None:
    config, state = run.config, run.state
    saving = Saver(run.out, keep=config.checkpoints.keep, milestones=config.checkpoints.milestones)
    run.wrapped.train()
    last = state.step == config.steps
    with saving as saver, _journal(run) if run.processes.first else nullcontext() as journal:
        while not last:
            facts = _step(run)
            state.step += 1
            asked = run.processes.total([float(run.asked)])[0] > 0  # decided once a step, by all together
            last = asked or state.step == config.steps
            if (every := config.validation.every) and (state.step % every == 0 or state.step == config.steps):
                facts["bits_per_byte"] = validate(run)
            if last or state.step % config.checkpoints.every == 0:
                run.save(saver)
            if journal:
                journal.write(state.step, **facts)
                if last or state.step % config.log_every == 0:
                    journal.progress(state.step, facts["loss"], state.tokens)
        saver.wait()


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
    rate = config.optimizer.lr * run.schedule(state.step)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    micros, wanted = _micros(run), config.data.examples
    count = run.processes.total([sum(int((targets != IGNORED).sum()) for _, _, targets in micros)])[0]
    share = (1 - wanted.weight if wanted else 1.0) * world / max(1.0, count)
    nats = torch.zeros((), device=run.processes.device, dtype=torch.float64)
    for number, micro in enumerate(micros, 1):
        with _passing(run, last=number == len(micros) and wanted is None):
            loss = loss_sum(run.wrapped, *micro)
            nats += loss.detach()
            (loss * share).backward()
    facts = {"examples_loss": _learn_examples(run, run.examples, wanted)} if run.examples and wanted else {}
    norm = float(whole(torch.nn.utils.clip_grad_norm_(run.plain.parameters(), config.optimizer.clip)))
    mean = run.processes.total([float(nats)])[0] / max(1.0, count)
    skipped = _is_bad(run, mean, norm)
    if not skipped:
        run.optimizer.step()
        state.tokens += int(count)
    run.optimizer.zero_grad(set_to_none=True)
    return {"loss": mean, "lr": rate, "norm": norm, "tokens": state.tokens, **facts, "skipped": skipped}


def _micros(run: Run) -> list[list[Tensor]]:
    """This process's micro-batches of the step: every `world`-th of them."""
    data, processes = run.config.data, run.processes
    begin = run.state.step * data.batch
    mine = range(begin + processes.rank * data.micro, begin + data.batch, processes.world * data.micro)
    return [tensors(run.stream.batch(index, data.micro), processes.device) for index in mine]


def _learn_examples(run: Run, examples: ExampleStream, wanted: Examples) -> float:
    processes, begin = run.processes, run.state.step * wanted.size
    chosen, rows = examples.batch(range(begin + processes.rank, begin + wanted.size, processes.world))
    ids, positions, targets = (row.to(processes.device) for row in rows)
    with _passing(run, last=True):
        loss, count = examples.loss(logits(run.wrapped, ids, positions), targets, chosen)
        nats, every = processes.total([float(loss.detach()), count])
        (loss * (wanted.weight * processes.world / max(1.0, every))).backward()
    return nats / max(1.0, every)


@contextmanager
def _passing(run: Run, *, last: bool) -> Iterator[None]:
    """A forward and backward pass in the precision asked for; gradients are shared once a step, with the `last`."""
    model = run.wrapped
    if hasattr(model, "set_requires_gradient_sync"):
        model.set_requires_gradient_sync(last)
    alone = isinstance(model, DistributedDataParallel) and not last
    kind, bf16 = run.processes.device.type, run.config.precision == "bf16"
    with model.no_sync() if alone else nullcontext(), torch.autocast(kind, torch.bfloat16, enabled=bf16):
        yield


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
            found[f"{build.name}/{source}" if source in found else source] = bits.mean
    return found


@contextmanager
def _signals(run: Run) -> Iterator[None]:
    """SIGTERM and SIGINT let the step end, save, and stop; a second one ends at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, _: Any) -> None:
        run.asked = True
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in before:
            signal.signal(number, ask)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
