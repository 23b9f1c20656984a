"""The Ray launcher on a cluster of two nodes: nothing is lost when a worker, a node or the driver dies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from clusters import RAY_TOKEN, RayCluster, ray_cluster

from pipelines.engine import Event, Site, Task
from pipelines.engine.attempts import Outcomes
from pipelines.engine.ray import RayEngine
from pipelines.engine.records import read_record
from registry.errors import UsageError
from registry.recipe import EngineOptions, RayOptions

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(autouse=True, scope="module")
def _allowed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in RAY_TOKEN.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    with ray_cluster(PYTHONPATH=str(HERE)) as running:
        yield running


def site(folder: Path, address: str) -> Site:
    return Site(folder, None, EngineOptions(ray=RayOptions(address=address)))


@pytest.fixture
def engine(cluster: RayCluster, tmp_path: Path) -> Iterator[RayEngine]:
    with RayEngine(site(tmp_path, cluster.address)) as running:
        yield running


def perform(engine: RayEngine, name: str, folder: Path, **options: object) -> tuple[Outcomes, list[Event]]:
    events: list[Event] = []
    tasks = [Task(f"task{i}", {"number": i}, str(folder)) for i in range(6)]
    settings = {"retries": 1, "timeout": None, "on_event": events.append, **options}
    return engine.run(f"deeds:{name}", tasks, **settings), events  # type: ignore[arg-type]


def test_results_come_in_the_order_of_the_tasks_and_are_on_record(engine: RayEngine, tmp_path: Path) -> None:
    outcomes, _ = perform(engine, "double", tmp_path)
    assert [(outcome.id, outcome.status) for outcome in outcomes] == [(f"task{i}", "done") for i in range(6)]
    assert [(read_record(tmp_path, f"task{i}") or {})["number"] for i in range(6)] == [0, 2, 4, 6, 8, 10]


def test_an_exception_costs_its_own_task_and_is_not_tried_again(engine: RayEngine, tmp_path: Path) -> None:
    outcomes, _ = perform(engine, "raises", tmp_path)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["failed"] + ["done"] * 2
    assert (outcomes[3].error, outcomes[3].attempts) == ("ValueError: planned", 1)


def test_a_killed_process_costs_one_attempt_of_its_task(engine: RayEngine, tmp_path: Path) -> None:
    outcomes, events = perform(engine, "dies_once", tmp_path)
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert [outcome.attempts for outcome in outcomes] == [1, 1, 1, 2, 1, 1]
    assert [event.task for event in events if event.kind == "lost"] == [3]


def test_a_task_that_always_kills_its_process_is_reported(engine: RayEngine, tmp_path: Path) -> None:
    outcomes, _ = perform(engine, "dies_always", tmp_path)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["lost"] + ["done"] * 2
    assert "status -9" in outcomes[3].error
    assert outcomes[3].error.endswith(", 2 times")


def test_a_task_that_hangs_is_ended_tried_again_and_reported(engine: RayEngine, tmp_path: Path) -> None:
    outcomes, _ = perform(engine, "hangs", tmp_path, timeout=3.0)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["timeout"] + ["done"] * 2
    assert outcomes[3].attempts == 2


def test_a_node_that_hangs_with_its_task_is_told_by_the_driver(
    engine: RayEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Ray worker itself is stopped, so that it cannot end its task: the driver does."""
    monkeypatch.setattr("pipelines.engine.ray._GRACE", 1.0)
    outcomes, _ = perform(engine, "stops_its_parent_once", tmp_path, timeout=3.0)
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert outcomes[3].attempts == 2


def test_a_killed_ray_worker_and_its_child_cost_one_attempt(engine: RayEngine, tmp_path: Path) -> None:
    outcomes, _ = perform(engine, "kills_its_parent_once", tmp_path)
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert outcomes[3].attempts == 2


def test_a_node_without_our_packages_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # Ray puts the driver's folder on the path of its workers
    script = tmp_path / "hidden" / "pipelines"
    script.mkdir(parents=True)
    (script / "__init__.py").write_text("raise ImportError('No module named fugashi')")
    with ray_cluster(PYTHONPATH=str(tmp_path / "hidden")) as bare, pytest.raises(UsageError) as error:
        RayEngine(site(tmp_path, bare.address)).__enter__()
    assert " lacks our packages (No module named fugashi): install corpus-foundry into" in str(error.value)


def test_a_node_that_dies_costs_its_task_one_attempt(tmp_path: Path) -> None:
    import ray

    with ray_cluster(PYTHONPATH=str(HERE)) as cluster, RayEngine(site(tmp_path, cluster.address)) as engine:
        own = next(node for node in ray.nodes() if node["NodeID"] == ray.get_runtime_context().get_node_id())
        other = 1 - cluster.node_with(Path(own["RayletSocketName"]).name + " ")
        killer = Thread(target=lambda: cluster.kill_node(other) if cluster.works(other) else None)
        killer.start()
        outcomes, events = perform(engine, "double_slowly", tmp_path)
        killer.join()
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert sorted(outcome.attempts for outcome in outcomes) == [1, 1, 1, 1, 1, 2]
    assert [event.kind for event in events].count("lost") == 1


def test_no_process_of_a_task_outlives_a_killed_driver(cluster: RayCluster, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = f"""
from pathlib import Path
from pipelines.engine import Site, Task
from pipelines.engine.ray import RayEngine
from registry.recipe import EngineOptions, RayOptions
folder = Path({str(tmp_path)!r})
with RayEngine(Site(folder, None, EngineOptions(ray=RayOptions(address={cluster.address!r})))) as engine:
    tasks = [Task(str(i), {{}}, str(folder)) for i in range(2)]
    engine.run("deeds:sleeps", tasks, retries=0, timeout=None, on_event=lambda event: None)
"""
    driver = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    try:
        pids = [appearing(tmp_path / f"{i}.pid") for i in range(2)]
    finally:
        driver.kill()
        driver.wait(timeout=10)
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in pids)


def appearing(path: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.1)
    pytest.fail(f"{path.name} did not appear")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
