"""Checkpoints of a run: folders ``step-00000120`` that are there whole or not at all.

Each is a Hugging Face folder (or an adapter in PEFT's format) with float32 weights, and beside them the optimizer's
moments as safetensors and `state.json`, so a run goes on with identical losses. Nothing is pickled. Tensors are copied
first and written by a thread; if the disk fills, the last good checkpoint stays.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from registry.errors import CorpusError, RecordError, StageError
from registry.publish import making, write_json
from train.files import read_json

if TYPE_CHECKING:
    from torch import Tensor

STATE, MOMENTS = "state.json", "optimizer.safetensors"
_NAME = re.compile(r"step-\d{8}")


def checkpoints(run: Path) -> list[Path]:
    """The whole checkpoints of a run, the oldest first."""
    return sorted(path.parent for path in run.glob(f"step-*/{STATE}") if _NAME.fullmatch(path.parent.name))


def read_checkpoint(folder: Path, name: str) -> dict[str, Any]:
    """The state, or the tensors of a file, of a checkpoint.

    Raises:
        RecordError: it is damaged.
    """
    try:
        return read_json(folder / name, "it is gone") if name == STATE else load_file(folder / name)
    except (OSError, SafetensorError, CorpusError) as error:
        raise RecordError(
            f"{folder / name} is damaged ({error}); remove the folder to go on from the one before"
        ) from None


class Saver:
    """Writes checkpoints of a run in the background, one at a time, and keeps those that the policy names."""

    def __init__(self, run: Path, *, keep: int, milestones: int) -> None:
        self._run, self._keep, self._milestones = run, keep, milestones
        self._thread, self._pending = ThreadPoolExecutor(1), Future[None]()
        self._pending.set_result(None)
        for left in run.glob(".step-*.tmp"):  # by a process that was killed while it wrote
            shutil.rmtree(left, ignore_errors=True)

    def save(self, write_model: Callable[[Path], None], moments: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Begin to write a checkpoint; `write_model` puts the weights into a folder. Nothing given may change later.

        Raises:
            StageError: the one before could not be written.
        """
        self.wait()
        self._pending = self._thread.submit(self._write, write_model, moments, state)

    def wait(self) -> None:
        """Wait until nothing is being written.

        Raises:
            StageError: a checkpoint could not be written; the ones before are whole.
        """
        try:
            self._pending.result()
        except Exception as error:  # noqa: BLE001 - the Rust library raises its own for a full disk
            raise StageError(f"a checkpoint could not be written to {self._run}: {error}; the last one stays") from None

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, *error: object) -> None:
        """However a run ends, what is being written is written to its end first."""
        self._thread.shutdown()

    def _write(self, write_model: Callable[[Path], None], moments: dict[str, Tensor], state: dict[str, Any]) -> None:
        with making(self._run / f"step-{state['step']:08}") as folder:
            write_model(folder)
            save_file(moments, folder / MOMENTS)
            write_json(folder / STATE, state)
        for old in checkpoints(self._run)[: -self._keep]:
            if not self._milestones or int(old.name.removeprefix("step-")) % self._milestones:
                shutil.rmtree(old, ignore_errors=True)
