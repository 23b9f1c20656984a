"""Jobs that end before they begin, told by a Slurm that is played: what is an accident is handed in again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.engine import Event, Site, Task
from pipelines.engine.attempts import Outcomes
from pipelines.engine.records import write_record
from pipelines.engine.slurm import commands, engine
from pipelines.engine.slurm.array import Heard, Told, read_bundle
from pipelines.engine.slurm.commands import Element, End
from pipelines.engine.slurm.deaths import EarlyDeaths
from registry.errors import StageError, UsageError
from registry.recipe import EngineOptions

FAILED = End("FAILED", "", "JobLaunchFailure, exit code 0:53")


@dataclass
class Played:
    """Two nodes that take jobs in turn. `ends` says by node and array how a job ends there; None: it does its work."""

    ends: Callable[[str, int], End | None]
    nodes: tuple[str, ...] = ("n1", "n2")
    submitted: list[list[str]] = field(default_factory=list)
    gone: dict[str, End] = field(default_factory=dict)
    held: list[Element] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def submit(self, script: str, arguments: list[str]) -> int:
        given = dict(argument.lstrip("-").partition("=")[::2] for argument in arguments)
        free = [node for node in self.nodes if node not in given.get("exclude", "").split(",")]
        self.submitted.append(arguments)
        if not free:
            raise UsageError("Slurm (sbatch): Requested node configuration is not available")
        array, folder = len(self.submitted), Path(given["output"]).parent
        for number in range(int(re.findall(r"\d+", given["array"])[-1]) + 1):
            node = free[number % len(free)]
            end = self.ends(node, array)
            if end is None:
                work(folder, number, node)
            elif end.state == "PENDING":
                self.held.append(Element(array, given["job-name"], number, "PENDING", end.why))
            else:
                self.gone[f"{array}_{number}"] = End(end.state, node, end.why)
        return array

    def queue(self, prefix: str) -> list[Element]:
        return [one for one in self.held if f"{one.job}_{one.index}" not in self.cancelled]

    def cancel(self, *jobs: str) -> None:
        self.cancelled += jobs

    def end_of(self, job: str) -> End:
        return self.gone.get(job, End())


def work(folder: Path, number: int, node: str) -> None:
    """What a job does, as far as a driver sees it."""
    told = Told(folder, number)
    told.tell("ready", node=node)
    for place, task in enumerate(read_bundle(folder, number)):
        told.event(Event("started", 0), place)
        write_record(Path(task.folder), task.id, {})
        told.event(Event("done", 0), place)
    told.tell("finished")


def perform(monkeypatch: pytest.MonkeyPatch, folder: Path, slurm: Played, *, tasks: int = 8) -> Outcomes:
    for name in ("submit", "queue", "cancel", "end_of"):
        monkeypatch.setattr(commands, name, getattr(slurm, name))
    monkeypatch.setattr(commands, "check_installed", lambda: None)
    monkeypatch.setattr(commands, "partitions", list)
    monkeypatch.setattr(commands, "longest_array", lambda: 1001)
    monkeypatch.setattr(engine, "_PULSE", 0.001)
    monkeypatch.setattr(engine, "_LOOK", 0.001)
    todo = [Task(f"task{i}", {}, str(folder)) for i in range(tasks)]
    with engine.SlurmEngine(Site(folder, None, EngineOptions())) as running:
        return running.run("deeds:double", todo, retries=2, timeout=None, on_event=lambda event: None)


def all_done(outcomes: Outcomes) -> bool:
    return all(outcome.status == "done" for outcome in outcomes)


def test_what_a_node_cannot_launch_goes_to_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A node that ends every job at once: four jobs in a row, and none after that."""
    slurm = Played(lambda node, array: FAILED if node == "n2" else None)
    outcomes = perform(monkeypatch, tmp_path, slurm)
    assert all_done(outcomes)
    assert [outcome.attempts for outcome in outcomes] == [1, 2] * 4
    assert ["--exclude=n2" in arguments for arguments in slurm.submitted] == [False, True]


@pytest.mark.parametrize("end", [FAILED, End("OUT_OF_MEMORY", "", "exit code 0:125"), End("NODE_FAIL"), End()])
def test_the_only_job_may_die_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: End) -> None:
    outcomes = perform(monkeypatch, tmp_path, Played(lambda node, array: end if array == 1 else None), tasks=1)
    assert all_done(outcomes)


def test_where_there_is_but_one_node_it_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slurm = Played(lambda node, array: FAILED if array == 1 else None, nodes=("n1",))
    assert all_done(perform(monkeypatch, tmp_path, slurm))
    assert ["exclude" in str(arguments) for arguments in slurm.submitted] == [False, False]


def test_jobs_that_die_on_all_nodes_are_no_accident(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slurm = Played(lambda node, array: FAILED)
    with pytest.raises(StageError, match=r"1_2 ended FAILED on n1 \(JobLaunchFailure, exit code 0:53\)\): it left no"):
        perform(monkeypatch, tmp_path, slurm)
    assert len(slurm.submitted) == 1


def test_a_single_job_that_always_dies_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"fail before they begin .*JobLaunchFailure"):
        perform(monkeypatch, tmp_path, Played(lambda node, array: FAILED), tasks=1)


@pytest.mark.parametrize("reason", ["BeginTime", "launch failed requeued held"])
def test_a_job_that_slurm_has_put_back_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: str
) -> None:
    slurm = Played(lambda node, array: End("PENDING", "", reason) if (node, array) == ("n2", 1) else None)
    assert all_done(perform(monkeypatch, tmp_path, slurm))
    assert slurm.cancelled == ["1_1", "1_3", "1_5", "1_7"]


def test_a_job_that_ended_well_may_tell_so_late(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files of other machines may be seen only after their job has left the queue."""
    lines, looks = Heard.lines, [0]

    def late(heard: Heard) -> list[dict[str, object]]:
        looks[0] += 1
        return lines(heard) if looks[0] > 8 else []

    monkeypatch.setattr(Heard, "lines", late)
    slurm = Played(lambda node, array: None, gone={"1_0": End("COMPLETED", "n1")})
    outcomes = perform(monkeypatch, tmp_path, slurm, tasks=1)
    assert [(outcome.status, outcome.attempts) for outcome in outcomes] == [("done", 1)]
    assert len(slurm.submitted) == 1


def test_deaths_after_a_job_began_are_accidents() -> None:
    deaths = EarlyDeaths()
    for node in ("n1", "n2"):
        deaths.add(1, node)
    assert not deaths.avoid()  # no other is known to work
    deaths.begun(1, "n4")
    for node in ("n1", "n2", "n3"):
        deaths.add(1, node)
    assert not deaths.no_accident()
    assert deaths.avoid() == ["n1", "n2", "n3"]
    deaths.begun(1, "n2")
    assert deaths.avoid() == ["n1", "n3"]
    deaths.forgive()
    assert not deaths.avoid()
    for node in ("n1", "n1", "n2"):
        assert not deaths.no_accident()
        deaths.add(2, node)
    assert deaths.no_accident()
