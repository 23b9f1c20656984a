"""What is handed in for an array: the batch script, and the arguments that `sbatch` is given.

In: the site's options. Out: text and an argument list, with nothing of a file's or a source's name in them.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.recipe import SlurmOptions


def script(options: SlurmOptions, folder: Path) -> str:
    """What each job of the array of `folder` runs."""
    python = options.python or sys.executable
    command = [python, "-P", "-m", "pipelines.engine.slurm.job", str(folder), str(options.cpus)]
    return "\n".join(["#!/bin/bash", "set -e", *options.setup, f"exec {shlex.join(command)}", ""])


def arguments(options: SlurmOptions, prefix: str, folder: Path, count: int, workers: int | None) -> list[str]:
    """Of an array of `count` jobs, as many at a time as `workers` ask for."""
    wished = {"partition": options.partition, "account": options.account, "qos": options.qos, "time": options.time}
    wished["mem"] = options.memory.removesuffix("B")  # Slurm writes 4G
    throttle = f"%{max(1, workers // options.cpus)}" if workers else ""
    return [
        f"--job-name={prefix}{folder.name}",
        f"--array=0-{count - 1}{throttle}",
        f"--cpus-per-task={options.cpus}",
        f"--output={folder}/job-%a.log",
        "--nodes=1",
        "--ntasks=1",
        "--no-requeue",  # the driver hands in again what was lost, and at once
        "--begin=now",  # so that a job which waits for its time is one that Slurm has put back
        *(f"--{name}={value}" for name, value in wished.items() if value),
    ]
