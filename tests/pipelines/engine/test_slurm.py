"""The Slurm launcher on a cluster of two nodes: what is lost is handed in again, what was left is taken up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from clusters import SlurmCluster, slurm_cluster, wait_until

from pipelines.engine import Event, Site, Task
from pipelines.engine.attempts import Outcomes
from pipelines.engine.records import read_record
from pipelines.engine.slurm.engine import SlurmEngine
from registry.errors import StageError, UsageError
from registry.recipe import EngineOptions, SlurmOptions

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,  # socket names have to be short
        slurm_cluster(Path(folder)) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("SLURM_CONF", running.env["SLURM_CONF"])
        patch.setenv("PYTHONPATH", str(HERE))
        yield running


def site(folder: Path, workers: int | None = None, **slurm: Any) -> Site:
    return Site(folder, workers, EngineOptions(slurm=SlurmOptions(**slurm)))


def perform(where: Site, name: str, **options: object) -> tuple[Outcomes, list[Event]]:
    events: list[Event] = []
    tasks = [Task(f"task{i}", {"number": i}, str(where.work)) for i in range(6)]
    settings = {"retries": 1, "timeout": None, "on_event": events.append, **options}
    with SlurmEngine(where) as engine:
        return engine.run(f"deeds:{name}", tasks, **settings), events  # type: ignore[arg-type]


def test_results_come_in_the_order_of_the_tasks_and_are_on_record(cluster: SlurmCluster, tmp_path: Path) -> None:
    outcomes, events = perform(site(tmp_path), "double")
    assert [(outcome.id, outcome.status) for outcome in outcomes] == [(f"task{i}", "done") for i in range(6)]
    assert {event.task for event in events if event.kind == "started"} == set(range(6))
    assert [(read_record(tmp_path, f"task{i}") or {})["number"] for i in range(6)] == [0, 2, 4, 6, 8, 10]
    wait_until(lambda: not cluster.jobs(), 30, "a job did not end")  # one that has told everything may be ending still
    assert not (tmp_path / "logs" / "slurm").exists()


@pytest.mark.parametrize("array", [1, 4])
def test_an_array_may_be_shorter_than_the_list_of_tasks(cluster: SlurmCluster, tmp_path: Path, array: int) -> None:
    outcomes, _ = perform(site(tmp_path, array=array), "raises")
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["failed"] + ["done"] * 2
    assert (outcomes[3].error, outcomes[3].attempts) == ("ValueError: planned", 1)


def test_a_killed_process_costs_its_job_nothing(cluster: SlurmCluster, tmp_path: Path) -> None:
    outcomes, events = perform(site(tmp_path, array=2), "dies_once")
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert [event.task for event in events if event.kind == "lost"] == [3]


def test_a_task_that_always_kills_its_process_is_reported(cluster: SlurmCluster, tmp_path: Path) -> None:
    outcomes, _ = perform(site(tmp_path, array=2), "dies_always")
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["lost"] + ["done"] * 2
    assert "status -9" in outcomes[3].error


def test_a_task_that_hangs_is_ended_and_reported(cluster: SlurmCluster, tmp_path: Path) -> None:
    outcomes, _ = perform(site(tmp_path, array=2), "hangs", timeout=3.0)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["timeout"] + ["done"] * 2


def test_a_killed_job_is_handed_in_again(cluster: SlurmCluster, tmp_path: Path) -> None:
    outcomes, _ = perform(site(tmp_path, array=2), "kills_its_parent_once")
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert [outcome.attempts for outcome in outcomes] == [1, 1, 1, 2, 1, 1]


def test_a_job_that_was_cancelled_by_hand_is_handed_in_again(cluster: SlurmCluster, tmp_path: Path) -> None:
    def cancel() -> None:
        wait_until(lambda: cluster.running_on("n1") and cluster.running_on("n2"), 60, "no job ran")
        cluster.said("scancel", cluster.jobs()[0])

    killer = Thread(target=cancel)
    killer.start()
    outcomes, _ = perform(site(tmp_path, array=2), "double_slowly")
    killer.join()
    assert [outcome.status for outcome in outcomes] == ["done"] * 6


def test_jobs_are_left_and_taken_up_again(cluster: SlurmCluster, tmp_path: Path) -> None:
    """The driver is killed; the array goes on, and the next driver waits for it instead of handing in another."""
    script = f"""
import sys
sys.path.insert(0, {str(HERE.parents[1])!r}); sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from test_slurm import perform, site
perform(site(Path({str(tmp_path)!r}), array=2), "double_slowly")
"""
    driver = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    wait_until(lambda: cluster.running_on("n1"), 60, "no job ran")
    driver.kill()
    driver.wait(timeout=10)
    before = {job.partition("_")[0] for job in cluster.jobs()}
    assert len(before) == 1
    seen: set[str] = set()
    watcher = Thread(target=lambda: [seen.update(cluster.jobs()) or time.sleep(0.5) for _ in range(20)])
    watcher.start()
    outcomes, _ = perform(site(tmp_path, array=2), "double_slowly")
    watcher.join()
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert {job.partition("_")[0] for job in seen} == before


def test_jobs_that_serve_no_more_are_cancelled(cluster: SlurmCluster, tmp_path: Path) -> None:
    """What was left does another function: it is cancelled, and what is wanted is done."""
    where = site(tmp_path, array=2)
    engine = SlurmEngine(where).__enter__()
    from pipelines.engine.attempts import Attempts

    tasks = [Task(f"other{i}", {"number": i}, str(tmp_path)) for i in range(2)]
    engine._submit(Attempts("deeds:sleeps", tasks, retries=0, timeout=None, on_event=lambda event: None))
    wait_until(lambda: cluster.running_on("n1"), 60, "no job ran")
    outcomes, _ = perform(where, "double")
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    wait_until(lambda: not cluster.jobs(), 30, "the jobs were not cancelled")


def test_what_slurm_does_not_take_is_one_clear_error(cluster: SlurmCluster, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Slurm has no partition 'mian'; did you mean main"):
        perform(site(tmp_path, partition="mian"), "double")
    with pytest.raises(UsageError, match="Memory specification can not be satisfied"):
        perform(site(tmp_path, memory="100GB"), "double")
    assert not cluster.jobs()


def test_a_job_that_can_never_start_is_cancelled(cluster: SlurmCluster, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"never start .*PartitionTimeLimit"):
        perform(site(tmp_path, partition="short", time="01:00:00"), "double")
    wait_until(lambda: not cluster.jobs(), 30, "it was not cancelled")


def test_a_node_without_our_packages_is_named(cluster: SlurmCluster, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"on n[12] \(.*\): .*No module named 'pipelines'"):
        perform(site(tmp_path, python="/usr/bin/python3", setup=["unset PYTHONPATH"]), "double")
    wait_until(lambda: not cluster.jobs(), 30, "the jobs were not cancelled")


def test_a_node_that_ends_every_job_at_once_is_left_out(cluster: SlurmCluster, tmp_path: Path) -> None:
    """It is free again at once, and so is given job after job, each of which dies before it begins."""
    outcomes, _ = perform(site(tmp_path, setup=['test "$SLURMD_NODENAME" != n2']), "double_slowly")
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert max(outcome.attempts for outcome in outcomes) == 2


def test_setup_commands_run_before_the_job(cluster: SlurmCluster, tmp_path: Path) -> None:
    outcomes, _ = perform(site(tmp_path, setup=[f"echo $SLURM_ARRAY_TASK_ID >> {tmp_path}/setup"], array=1), "double")
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert (tmp_path / "setup").read_text() == "0\n"


def test_the_driver_may_be_a_job_itself(cluster: SlurmCluster, tmp_path: Path) -> None:
    script = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(HERE.parents[1])!r}); sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from test_slurm import perform, site
outcomes, _ = perform(site(Path({str(tmp_path)!r}), array=1), "double")
Path({str(tmp_path)!r}, "answer").write_text(" ".join(outcome.status for outcome in outcomes))
"""
    command = ["sbatch", "--parsable", f"--output={tmp_path}/driver.log"]
    subprocess.run(command, input=script, env=os.environ, text=True, check=True, capture_output=True)
    wait_until((tmp_path / "answer").exists, 90, f"no answer: {(tmp_path / 'driver.log')}")
    assert (tmp_path / "answer").read_text() == " ".join(["done"] * 6)


def test_a_job_for_a_node_that_has_just_died_is_not_waited_for(cluster: SlurmCluster, tmp_path: Path) -> None:
    """Slurm does not know yet, gives it a job, and holds that for two minutes when it does know."""
    cluster.kill_node("n2")
    began = time.monotonic()
    outcomes, _ = perform(site(tmp_path, array=2), "double")
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert time.monotonic() - began < 90
    cluster.start_node("n2")
    wait_until(lambda: cluster.idle() == 2, 60, "the node did not come back")


def test_a_node_that_dies_costs_its_task_one_attempt(cluster: SlurmCluster, tmp_path: Path) -> None:
    """The last of the tests: the node is not started again."""

    def fail() -> None:
        wait_until(lambda: cluster.running_on("n1") and cluster.running_on("n2"), 60, "no job ran")
        time.sleep(1)
        cluster.kill_node("n2")

    killer = Thread(target=fail)
    killer.start()
    outcomes, _ = perform(site(tmp_path, array=2), "double_slowly")
    killer.join()
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert max(outcome.attempts for outcome in outcomes) == 2
