"""Tasks of lm-evaluation-harness on a model, by the extra `eval`: any YAML that it reads, from a folder of the user's.

A task's `!function` runs code of the folder that it is in; that is how lm_eval works, so include only what you trust.

https://github.com/EleutherAI/lm-evaluation-harness/blob/main/docs/task_guide.md
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from registry.errors import UsageError
from train.config import LmEval
from train.score import Score, told


def measure(model: Path, wanted: LmEval, folder: Path) -> tuple[dict[str, Any], dict[str, Score]]:
    """Mean, standard error and n by "TASK/METRIC", and the items of accuracies, for comparisons.

    Raises:
        UsageError: lm_eval is not installed, or cannot run the tasks.
    """
    try:
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise UsageError(f"lm_eval tasks need {error.name}: pip install 'corpus-foundry[eval]'") from None
    include = str(folder / wanted.include) if wanted.include else None
    try:
        manager = TaskManager(include_path=include, include_defaults=include is None)
        found = simple_evaluate(
            model="hf", model_args={"pretrained": str(model), "dtype": "float32"}, tasks=list(wanted.tasks),
            task_manager=manager, log_samples=True, batch_size=8, bootstrap_iters=200,
            device="cuda" if torch.cuda.is_available() else "cpu",
        )  # fmt: skip
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UsageError(f"lm_eval cannot run {', '.join(wanted.tasks)}: {type(error).__name__}: {error}") from None
    results: dict[str, Any] = {}
    items: dict[str, Score] = {}
    for task, measured in found["results"].items():
        samples = found.get("samples", {}).get(task, [])
        for key, value in measured.items():
            metric, _, kind = key.partition(",")
            if kind != "none" or metric.endswith("_stderr"):
                continue
            noise = measured.get(f"{metric}_stderr,none")  # "N/A" where it knows none
            results[f"{task}/{metric}"] = told(value, noise if isinstance(noise, float) else math.nan, len(samples))
        if samples and all("acc" in sample for sample in samples):
            items[f"lm_eval/{task}"] = Score([float(sample["acc"]) for sample in samples])
    return results, items
