"""`corpus merge`: checkpoints -> a checkpoint folder, with a manifest of what it was made of.

The result has the files, tensor names and index of the reference (the base, or the first model).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.errors import UsageError
from registry.publish import making, write_json
from registry.tokenizer import copy_tokenizer
from train.files import settings
from train.merge import lora
from train.merge.config import Merge
from train.merge.inputs import opened
from train.merge.methods import method
from train.merge.stack import Stack
from train.merge.tensors import FLOATS, INDEX, Checkpoint, Float32, encode, keep_memory, write

if TYPE_CHECKING:
    import numpy as np

NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def merge(config: Merge, folder: Path, out: Path) -> Path:
    """Merge as `config` says, whose paths are from `folder`, into the new folder `out`.

    Raises:
        UsageError: the inputs cannot be merged, or the method's options are wrong, or `out` is there.
        StageError: the result cannot be written; nothing of it stays.
    """
    if out.exists():
        raise UsageError(f"{out} is there already; a merge makes a new folder")
    keep_memory()
    with making(out) as made:
        inputs = (_merge_adapters if config.adapters else _merge_models)(config, folder, made)
        recipe = config.model_dump(exclude={"sweep", "out"}, exclude_none=True)
        write_json(made / "merge.json", {"merge": recipe, "digests": "blake3", "inputs": inputs})
    return out


def _merge_models(config: Merge, folder: Path, out: Path) -> dict[str, Any]:
    options, function = method.check(config.method, config.options), method.get(config.method)
    weights = [part.weight for part in config.models]
    with opened(config, folder) as (base, models):
        reference = base or models[0]

        def merged(name: str) -> Iterator[Float32]:
            before = base.tensors[name] if base else None
            return function(Stack(name, before, [model.tensors[name] for model in models], weights), **options)

        _write_checkpoint(config, folder, reference, merged, out)
        named = [*zip([part.model for part in config.models], models, strict=True), (str(config.base), base)]
        return {name: checkpoint.digests() for name, checkpoint in named if checkpoint}


def _merge_adapters(config: Merge, folder: Path, out: Path) -> dict[str, Any]:
    adapters = [lora.Adapter(folder / part.adapter) for part in config.adapters]
    weights = [part.weight for part in config.adapters]
    told = {part.adapter: adapter.digests for part, adapter in zip(config.adapters, adapters, strict=True)}
    if not config.fold:
        lora.write_merged(adapters, weights, config.rank, out)
        return told
    with Checkpoint(folder / str(config.base)) as base:
        updates = lora.updates(adapters, weights, base)
        _write_checkpoint(config, folder, base, lambda name: lora.folded(base.tensors[name], updates.get(name)), out)
        return {**told, str(config.base): base.digests()}


def _write_checkpoint(
    config: Merge, folder: Path, reference: Checkpoint, values: Callable[[str], Iterator[Float32]], out: Path
) -> None:
    """Write a checkpoint laid out as `reference`, with the `values` of each of its floating-point tensors."""

    def pieces(entries: dict[str, tuple[str, tuple[int, ...]]]) -> Iterator[np.typing.NDArray[Any]]:
        for name, (kind, _) in entries.items():
            if not reference.tensors[name].size:
                continue  # nothing to merge, and no bytes
            if kind in FLOATS:
                yield from (encode(chunk, kind) for chunk in values(name))
            else:
                yield reference.tensors[name].stored()  # counters and masks are not merged

    for file, held in reference.files.items():
        entries = {
            n: (config.dtype if config.dtype and t.dtype in FLOATS else t.dtype, t.shape) for n, t in held.items()
        }
        write(out / file, entries, pieces(entries))
    for name in ("config.json", "generation_config.json", INDEX):
        if (reference.folder / name).is_file():
            shutil.copyfile(reference.folder / name, out / name)
    if config.dtype:
        told = settings(out)
        told["dtype" if "dtype" in told else "torch_dtype"] = NAMES[config.dtype]
        write_json(out / "config.json", told)
    copy_tokenizer(folder / config.tokenizer if config.tokenizer else reference.folder, out)
