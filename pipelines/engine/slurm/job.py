"""What runs in one job of an array: `python -P -m pipelines.engine.slurm.job FOLDER CPUS`.

It performs its share of the tasks with a `LocalEngine` of as many workers as the job has CPUs, so a process that dies
or hangs costs its task an attempt and not the job. What is on record already is not done again.
"""

from __future__ import annotations

import os
import socket
import sys
from array import array
from pathlib import Path

from pipelines.engine import Event
from pipelines.engine.local import LocalEngine
from pipelines.engine.records import read_record, version_here
from pipelines.engine.slurm.array import Told, read_bundle, read_call
from pipelines.engine.taskfile import TaskFile


def main() -> None:
    """Perform the share of this job, and tell about it."""
    folder, cpus = Path(sys.argv[1]), int(sys.argv[2])
    number = int(os.environ["SLURM_ARRAY_TASK_ID"])
    call = read_call(folder)
    if call is None:
        sys.exit(f"{socket.gethostname()} does not see {folder}: --out has to be on a file system that all nodes share")
    if call["version"] != version_here():
        sys.exit(f"{socket.gethostname()} has another version of corpus-foundry than the build began with")
    told = Told(folder, number)
    told.tell("ready", node=os.environ.get("SLURMD_NODENAME", ""))
    tasks, places = TaskFile(folder), array("I")
    for place, task in enumerate(read_bundle(folder, number)):
        if read_record(Path(task.folder), task.id) is None:
            tasks.append(task)
            places.append(place)

    def tell(event: Event) -> None:
        told.event(event, places[event.task])

    with LocalEngine(cpus, folder / f"workers-{number}") as engine:
        engine.run(call["function"], tasks, retries=call["retries"], timeout=call["timeout"], on_event=tell)
    told.tell("finished")


if __name__ == "__main__":
    main()
