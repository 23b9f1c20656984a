"""Checkpoints of a run: folders ``step-00000120`` that are there whole or not at all.

Each is a Hugging Face folder (or an adapter in PEFT's format) with float32 weights, and beside them the optimizer's
moments as safetensors and `state.json`, so a run goes on with identical losses. Nothing is pickled. Tensors are copied
first and written by a thread; if the disk fills, the last good checkpoint stays.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.errors import RecordError, StageError
from registry.publish import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

STATE, MOMENTS = "state.json", "optimizer.safetensors"
_NAME = re.compile(r"step-\d{8}")


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A folder that appears whole and synced, in place of what was there, or not at all.

    Raises:
        StageError: it cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed process of this number
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for path in temporary.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise StageError(f"{folder} cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def checkpoints(run: Path) -> list[Path]:
    """The whole checkpoints of a run, the oldest first."""
    found = run.iterdir() if run.is_dir() else ()
    return sorted(p for p in found if _NAME.fullmatch(p.name) and (p / STATE).is_file())


def read_state(checkpoint: Path) -> dict[str, Any]:
    """What `Saver` was given as state.

    Raises:
        RecordError: it is damaged.
    """
    try:
        state: dict[str, Any] = json.loads((checkpoint / STATE).read_bytes())
        return {**state, "step": int(state["step"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise RecordError(f"{checkpoint / STATE} is damaged; remove the folder to go on from the one before") from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of a checkpoint.

    Raises:
        RecordError: it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RecordError(f"{path} cannot be read ({error}); remove the folder to go on from the one before") from None


class Saver:
    """Writes checkpoints of a run in the background, one at a time, and keeps those that the policy names."""

    def __init__(self, run: Path, *, keep: int, milestones: int) -> None:
        self._run, self._keep, self._milestones = run, keep, milestones
        self._thread = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
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
        pending, self._pending = self._pending, None
        if pending is not None:
            try:
                pending.result()
            except Exception as error:  # noqa: BLE001 - the Rust library raises its own for a full disk
                raise StageError(
                    f"a checkpoint could not be written to {self._run}: {error}; the last one stays"
                ) from None

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, *error: object) -> None:
        """However a run ends, what is being written is written to its end first."""
        self._thread.shutdown()

    def _write(self, write_model: Callable[[Path], None], moments: dict[str, Tensor], state: dict[str, Any]) -> None:
        from safetensors.torch import save_file

        with making(self._run / f"step-{state['step']:08}") as folder:
            write_model(folder)
            save_file(moments, folder / MOMENTS)
            write_json(folder / STATE, state)
        self._forget()

    def _forget(self) -> None:
        for old in checkpoints(self._run)[: -self._keep]:
            step = int(old.name.removeprefix("step-"))
            if not self._milestones or step % self._milestones:
                shutil.rmtree(old, ignore_errors=True)
