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
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.nn.parallel import DistributedDataParallel

from registry.errors import StageError
from train.bits import bits_per_byte, documents
from train.checkpoint import Saver
from train.examples import ExampleStream
from train.journal import Journal, flops_per_token, peak_flops
from train.model import logits, loss_sum, tensors
from train.processes import Processes, whole
from train.run import Run, finish, prepare, save
from train.schedule import schedule
from train.stream import IGNORED

if TYPE_CHECKING:
    from torch import Tensor

    from train.config import Train

_SETTLED = 20  # good steps before the running mean of gradient norms is one to compare with


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


def _loop(run: Run) -> str:
    config, state, first = run.config, run.state, run.processes.first
    saving = Saver(run.out, keep=config.checkpoints.keep, milestones=config.checkpoints.milestones)
    run.wrapped.train()
    with saving as saver, _journal(run) if first else nullcontext() as journal:
        while state.step < config.steps and not run.stop:
            facts = _step(run)
            state.step += 1
            done = state.step == config.steps
            if (every := config.validation.every) and (state.step % every == 0 or done):
                facts["bits_per_byte"] = validate(run)
            run.stop = run.processes.total([float(run.stop)])[0] > 0
            if done or run.stop or state.step % config.checkpoints.every == 0:
                save(run, saver)
            if journal:
                journal.write(state.step, **facts)
                if done or run.stop or state.step % config.log_every == 0:
                    journal.progress(state.step, facts["loss"], state.tokens)
        saver.wait()
    if first and state.step == config.steps:
        finish(run)
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
    norm = float(whole(torch.nn.utils.clip_grad_norm_(run.plain.parameters(), config.optimizer.clip)))
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
    return run.processes.total([float(loss.detach())])[0] / run.processes.world


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


@contextmanager
def _signals(run: Run) -> Iterator[None]:
    """SIGTERM and SIGINT let the step end, save, and stop; a second one ends at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, _: Any) -> None:
        run.stop = True
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in before:
            signal.signal(number, ask)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
