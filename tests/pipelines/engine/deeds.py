"""Tasks for the engine's tests: functions that a worker imports by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any


def double(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    output = target.with_suffix(".txt")
    output.write_text(str(2 * spec["number"]))
    progress(1)
    return {"outputs": [output.name], "number": 2 * spec["number"]}


def tells_often(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    for _ in range(1000):
        progress(1)
        time.sleep(0.0002)
    return {}


def raises(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    if spec["number"] == 3:
        raise ValueError("planned")
    return double(spec, target, progress)


def dies_once(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    marker = target.with_suffix(".died")
    if spec["number"] == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return double(spec, target, progress)


def dies_always(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    if spec["number"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return double(spec, target, progress)


def hangs(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    if spec["number"] == 3:
        time.sleep(60)
    return double(spec, target, progress)


def sleeps(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    target.with_suffix(".pid").write_text(str(os.getpid()))
    time.sleep(60)
    return {}


def double_slowly(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    time.sleep(2)
    return double(spec, target, progress)


def stops_its_parent_once(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    return _to_its_parent_once(signal.SIGSTOP, spec, target, progress)


def kills_its_parent_once(spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    return _to_its_parent_once(signal.SIGKILL, spec, target, progress)


def _to_its_parent_once(number: int, spec: dict[str, Any], target: Path, progress: Any) -> dict[str, Any]:
    marker = target.with_suffix(".sent")
    if spec["number"] == 3 and not marker.exists():
        marker.touch()
        time.sleep(1.5)  # long enough for the driver to hear that it has begun
        os.kill(os.getppid(), number)
        time.sleep(60)
    return double(spec, target, progress)
