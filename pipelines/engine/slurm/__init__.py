"""The launcher for a Slurm cluster: one array job per stage, whose jobs perform their shares of the tasks.

    engine.py       hand in, watch, hand in again what was lost, take up what an earlier driver left
    array.py        the files of an array: shares, events, output
    batch.py        the script and arguments of an array
    deaths.py       jobs that ended before they began
    job.py          what runs in a job
    commands.py     sbatch, squeue, scancel, scontrol, sinfo

Why not datatrove's SlurmPipelineExecutor: it returns at once and reports nothing, leaves jobs in the queue that wait
for ever for one that failed, and pickles its steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.engine import Site
    from pipelines.engine.slurm.engine import SlurmEngine


def start(site: Site) -> SlurmEngine:
    """The engine that `--engine slurm` means."""
    from pipelines.engine.slurm.engine import SlurmEngine

    return SlurmEngine(site)
