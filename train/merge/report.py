"""`corpus merge --report`: how far the models went from their base, and in which common directions, by block.

Near-orthogonal task vectors add without harm. The global cosine hides where they meet: in small models it is .2 in the
embeddings and .06 in the attention, so it is told by block.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np

from registry.errors import UsageError
from train.merge.config import Merge
from train.merge.inputs import opened
from train.merge.stack import Stack
from train.merge.tensors import FLOATS

_BLOCKS = {"embed": "embeddings", "lm_head": "embeddings", "norm": "norms", "ln_": "norms", "attn": "attention",
           "attention": "attention", "mlp": "mlp"}  # fmt: skip


def grams(config: Merge, folder: Path) -> dict[str, np.typing.NDArray[np.float64]]:
    """Inner products [models, models] of the task vectors, by block and for "all".

    Raises:
        UsageError: there is no base, or the models do not belong together.
    """
    if not (config.base and config.models):
        raise UsageError("a report is of models and their differences to a base: give `base` and `models`")
    found: dict[str, np.typing.NDArray[np.float64]] = {}
    with opened(config, folder) as (base, models):
        for name, tensor in sorted(base.tensors.items()) if base else ():
            if tensor.dtype in FLOATS:
                stack = Stack(name, tensor, [model.tensors[name] for model in models], [])
                gram = stack.gram(deltas=True)
                for block in ("all", next((block for part, block in _BLOCKS.items() if part in name), "other")):
                    found[block] = found.get(block, 0) + gram
    return found


def table(config: Merge, folder: Path) -> str:
    """Norms and cosines as lines for a terminal."""
    labels = [Path(part.model).as_posix() for part in config.models]
    lines = []
    for block, gram in grams(config, folder).items():
        norms = np.sqrt(np.diag(gram))
        lines.append(f"{block}: " + ", ".join(f"|{one}| {norm:.4g}" for one, norm in zip(labels, norms, strict=True)))
        for (i, one), (j, other) in combinations(enumerate(labels), 2):
            lines.append(f"  cos({one}, {other}) {gram[i, j] / max(norms[i] * norms[j], 1e-30):+.4f}")
    return "\n".join(lines)
