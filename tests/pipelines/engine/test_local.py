"""The local launcher: nothing is lost when a worker dies, hangs or raises, and nothing is left running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.engine import Event, Task, launcher
from pipelines.engine.attempts import Outcomes
from pipelines.engine.local import LocalEngine
from pipelines.engine.records import read_record
from registry.errors import StageError, UnknownNameError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    with LocalEngine(2, tmp_path / "logs") as running:
        yield running


def perform(engine: LocalEngine, name: str, folder: Path, **options: object) -> tuple[Outcomes, list[Event]]:
    events: list[Event] = []
    tasks = [Task(f"task{i}", {"number": i}, str(folder)) for i in range(6)]
    settings = {"retries": 1, "timeout": None, **options}
    return engine.run(f"deeds:{name}", tasks, on_event=events.append, **settings), events  # type: ignore[arg-type]


def test_results_come_in_the_order_of_the_tasks_and_are_on_record(engine: LocalEngine, tmp_path: Path) -> None:
    outcomes, _ = perform(engine, "double", tmp_path)
    assert [(outcome.id, outcome.status) for outcome in outcomes] == [(f"task{i}", "done") for i in range(6)]
    assert [(read_record(tmp_path, f"task{i}") or {})["number"] for i in range(6)] == [0, 2, 4, 6, 8, 10]


def test_progress_is_told_now_and_then(engine: LocalEngine, tmp_path: Path) -> None:
    """A document may take microseconds: one message each would keep the driver busier than the workers."""
    _, events = perform(engine, "tells_often", tmp_path)
    amounts = [event.amount for event in events if event.kind == "progress"]
    assert 6 <= len(amounts) <= 60
    assert sum(amounts) <= 6 * 1000


def test_an_error_is_told_where_the_log_cannot_be_written(tmp_path: Path) -> None:
    """On a full disk the traceback finds no place either."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker-0.log").symlink_to("/dev/full")
    with LocalEngine(1, tmp_path / "logs") as engine:
        outcomes, _ = perform(engine, "raises", tmp_path)
    assert (outcomes[3].status, outcomes[3].error) == ("failed", "ValueError: planned")


def test_an_exception_costs_its_own_task_and_is_not_tried_again(engine: LocalEngine, tmp_path: Path) -> None:
    outcomes, _ = perform(engine, "raises", tmp_path)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["failed"] + ["done"] * 2
    assert (outcomes[3].error, outcomes[3].attempts) == ("ValueError: planned", 1)
    assert read_record(tmp_path, "task3") is None


def test_a_killed_worker_is_noticed_and_its_task_tried_again(engine: LocalEngine, tmp_path: Path) -> None:
    outcomes, events = perform(engine, "dies_once", tmp_path)
    assert [outcome.status for outcome in outcomes] == ["done"] * 6
    assert [outcome.attempts for outcome in outcomes] == [1, 1, 1, 2, 1, 1]
    assert [event.task for event in events if event.kind == "lost"] == [3]


def test_a_task_that_always_kills_its_worker_is_reported_and_the_others_are_done(
    engine: LocalEngine, tmp_path: Path
) -> None:
    outcomes, _ = perform(engine, "dies_always", tmp_path, retries=2)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["lost"] + ["done"] * 2
    assert outcomes[3].attempts == 3
    assert "status -9" in outcomes[3].error


def test_a_task_that_hangs_is_ended_tried_again_and_reported(engine: LocalEngine, tmp_path: Path) -> None:
    started = time.monotonic()
    outcomes, _ = perform(engine, "hangs", tmp_path, timeout=3.0)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3 + ["timeout"] + ["done"] * 2
    assert outcomes[3].attempts == 2
    assert time.monotonic() - started < 20


def test_workers_that_die_as_they_start_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(2, b'no library here'); os._exit(7)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with LocalEngine(2, tmp_path / "logs") as engine, pytest.raises(StageError, match="no library here"):
        perform(engine, "double", tmp_path)


@pytest.mark.parametrize("signal", ["KILL", "TERM", "INT"])
def test_no_worker_outlives_the_driver(tmp_path: Path, signal: str) -> None:
    script = f"""
from pathlib import Path
from pipelines.engine import Task
from pipelines.engine.local import LocalEngine
with LocalEngine(2, Path({str(tmp_path)!r}) / "logs") as engine:
    tasks = [Task(str(i), {{}}, {str(tmp_path)!r}) for i in range(2)]
    engine.run("deeds:sleeps", tasks, retries=0, timeout=None, on_event=lambda event: None)
"""
    driver = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    pids = [wait_for(tmp_path / f"{i}.pid") for i in range(2)]
    subprocess.run(["kill", f"-{signal}", str(driver.pid)], check=True)
    driver.wait(timeout=10)
    deadline = time.monotonic() + 10
    while any(running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(running(pid) for pid in pids)


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    pytest.fail(f"{path.name} did not appear")


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_an_unknown_engine_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="local"):
        launcher.get("lokal")
