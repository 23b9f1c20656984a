"""What a run tells: a line of progress, a JSON object per step in `log.jsonl`, and TensorBoard events if asked for."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from registry.data import read_data
from registry.errors import UsageError


def peak_flops(device: torch.device) -> float | None:
    """Dense bf16 FLOP/s of a GPU by its data sheet; None for a device that is not in peaks.yaml."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    peaks: dict[str, float] = read_data(Path(__file__).parent / "peaks.yaml")
    return next((peak * 1e12 for key, peak in peaks.items() if key in name), None)


def flops_per_token(model: Any, length: int) -> float:
    """Of a forward and a backward pass: 6 per trained weight of a matrix product, 4 per frozen one, and attention.

    Of experts, whose weights transformers stacks, those that a token is sent to count.
    As in PaLM, 2204.02311, recomputed activations do not count, and neither does what documents shorter than the
    sequence save; but of attention only the causal half counts, 6 per layer, value of its heads and token before.
    """
    config = model.config.get_text_config()
    looked_up = None if config.tie_word_embeddings else model.get_input_embeddings().weight
    matrices = (p for p in model.parameters() if p.ndim >= 2 and p is not looked_up)
    heads = getattr(config, "num_attention_heads", 0)  # Mamba has none
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // max(1, heads))
    active = getattr(config, "num_experts_per_tok", 0)
    products = sum(
        (6 if p.requires_grad else 4) * p.numel() * (active / len(p) if p.ndim == 3 and active else 1) for p in matrices
    )
    return float(products + 6 * config.num_hidden_layers * width * length)


class Journal(ExitStack):
    """Writes down what happens; only the first process has one.

    Args:
        run: folder of the run; what its `log.jsonl` says of later steps than `step` is taken back.
        step: done so far.
        flops: per token.
        peak: FLOP/s of all devices together, if known.
    """

    def __init__(
        self, run: Path, *, step: int, steps: int, flops: float, peak: float | None, tensorboard: bool
    ) -> None:
        super().__init__()
        self._steps, self._flops, self._peak = steps, flops, peak
        self._mark: tuple[float, int, int] | None = None  # time, step and tokens of the last line of progress
        run.mkdir(parents=True, exist_ok=True)
        _keep_until(run / "log.jsonl", step)
        self._file = self.enter_context((run / "log.jsonl").open("a", encoding="utf-8"))
        self._board: Any = self.enter_context(_board(run)) if tensorboard else None

    def write(self, step: int, **facts: Any) -> None:
        """Facts of a step: numbers, or numbers by name."""
        self._file.write(json.dumps({"step": step, **facts}) + "\n")
        self._file.flush()
        for key, value in facts.items() if self._board else ():
            for name, number in (value if isinstance(value, dict) else {"": value}).items():
                self._board.add_scalar(f"{key}/{name}".rstrip("/"), number, step)

    def progress(self, step: int, loss: float, tokens: int) -> None:
        """A line for people: loss, speed, use of the hardware, time to go."""
        now = time.monotonic()
        before, self._mark = self._mark, (now, step, tokens)
        line = f"step {step:,}/{self._steps:,}  loss {loss:.4f}"
        if before is not None and step > before[1]:
            seconds = max(now - before[0], 1e-9)
            speed = (tokens - before[2]) / seconds
            line += f"  {speed:,.0f} tokens/s"
            if self._peak:
                line += f"  MFU {speed * self._flops / self._peak:.1%}"
            line += f"  {timedelta(seconds=int((self._steps - step) * seconds / (step - before[1])))} to go"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - what a person watches


def _keep_until(log: Path, step: int) -> None:
    """Drop what a run that died wrote after its last checkpoint, and a line that it left half."""
    if log.is_file():
        lines = log.read_text(encoding="utf-8").split("\n")[:-1]
        log.write_text("".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= step), encoding="utf-8")


def _board(run: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError("tensorboard: true needs the package: pip install tensorboard") from None
    return SummaryWriter(run / "tensorboard")
