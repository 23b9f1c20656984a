"""Slurm's own commands as functions: what they are given, what they say, and what is wrong where they say no.

In: argument lists, never a shell string. Out: plain values. `sacct` is not used: many clusters keep no accounting.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.errors import StageError, UsageError

_SECONDS = 60.0  # that a command may take
_PATIENCE = 600.0  # seconds that the controller may be away, as when it is restarted
_NEVER = {
    "AccountNotAllowed", "BadConstraints", "DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS",
    "PartitionNodeLimit", "PartitionTimeLimit", "QOSNotAllowed",
}  # fmt: skip
_PUT_BACK = {"BeginTime", "JobHoldMaxRequeue", "launch failed requeued held"}


@dataclass(frozen=True, slots=True)
class Element:
    """One job of an array, as `squeue` shows it."""

    job: int
    name: str
    index: int
    state: str
    reason: str

    @property
    def blocked(self) -> bool:
        """It waits for what will never be."""
        return self.state == "PENDING" and self.reason in _NEVER

    @property
    def put_back(self) -> bool:
        """Slurm could not launch it, as on a node that is gone, and holds it for minutes or for ever."""
        return self.state == "PENDING" and self.reason in _PUT_BACK


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended, as far as Slurm still knows it (5 minutes, by default)."""

    state: str = ""
    node: str = ""
    why: str = ""

    def __str__(self) -> str:
        if not self.state:
            return "vanished"
        return f"ended {self.state}{self.node and f' on {self.node}'}{self.why and f' ({self.why})'}"


def check_installed() -> None:
    """Raises UsageError where Slurm's commands are not here, or not the configuration that they are told to read."""
    missing = [name for name in ("sbatch", "squeue", "scancel", "scontrol", "sinfo") if shutil.which(name) is None]
    if missing:
        raise UsageError(f"--engine slurm needs {missing[0]}: run the build on a machine that submits jobs to Slurm")
    conf = os.environ.get("SLURM_CONF")
    if conf and not Path(conf).is_file():  # Slurm's commands would look for another one, for minutes
        raise UsageError(f"--engine slurm: SLURM_CONF names {conf}, and there is no such file")


def partitions() -> list[str]:
    """Their names.

    Raises:
        UsageError: no controller answers.
    """
    return sorted(set(_ask("sinfo", "--noheader", "--format=%R").split()))


def longest_array() -> int:
    """How many jobs an array may have: `MaxArraySize`."""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", _ask("scontrol", "show", "config"))
    return int(found[1]) if found else 1001


def submit(script: str, arguments: Sequence[str]) -> int:
    """Hand in a batch script; the number of the job.

    Raises:
        UsageError: with what Slurm says.
    """
    return int(_ask("sbatch", "--parsable", *arguments, script=script).strip().partition(";")[0])


def queue(prefix: str) -> list[Element]:
    """This user's jobs whose names begin with `prefix`: waiting, running, or coming to their end.

    Raises:
        StageError: the controller has been away for long.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            said = _ask("squeue", "--me", "--noheader", "--array", "--format=%F|%j|%K|%T|%r")
        except UsageError as error:
            if time.monotonic() > deadline:
                raise StageError(f"{error}\nJobs that run go on; the same command takes them up") from None
            time.sleep(5)
            continue
        rows = [line.split("|") for line in said.splitlines() if line.count("|") == 4]
        return [
            Element(int(job), name, int(index) if index.isdigit() else 0, state, reason)
            for job, name, index, state, reason in rows
            if name.startswith(prefix)
        ]


def cancel(*jobs: str) -> None:
    """End jobs ("12", or "12_3" for one of an array); those that have ended are no mistake."""
    if jobs:
        _run("scancel", *jobs)


def end_of(job: str) -> End:
    """How a job ended: its state and node, Slurm's reason and the exit code where these say more."""
    shown = _run("scontrol", "--oneliner", "show", "job", job).stdout
    said = dict(re.findall(r"(?<!\S)(JobState|Reason|ExitCode|NodeList|BatchHost)=(\S+)", shown))
    node = next((said[name] for name in ("BatchHost", "NodeList") if said.get(name, "(null)") != "(null)"), "")
    why = [said.get("Reason", "None"), f"exit code {said.get('ExitCode', '0:0')}"]
    return End(said.get("JobState", ""), node, ", ".join(w for w in why if w not in {"None", "exit code 0:0"}))


def _ask(*command: str, script: str | None = None) -> str:
    done = _run(*command, script=script)
    if done.returncode == 0:
        return done.stdout
    lines = [re.sub(r"^\w+: (error: )?", "", line) for line in done.stderr.splitlines() if line.strip()]
    raise UsageError(f"Slurm ({command[0]}): {'; '.join(lines[-3:]) or f'exit status {done.returncode}'}")


def _run(*command: str, script: str | None = None) -> subprocess.CompletedProcess[str]:
    """A command in our environment, without what Slurm told the job that the driver may itself be."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name == "SLURM_CONF"}
    try:
        return subprocess.run(
            command, input=script, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer in {_SECONDS:g} s")
