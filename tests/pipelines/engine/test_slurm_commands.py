"""What is wrong with a Slurm, said before anything is asked of it: commands and configuration that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engine.slurm import commands
from registry.errors import UsageError

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with commands of these names, and no other on the path."""
    for name in COMMANDS:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLURM_CONF", raising=False)
    return tmp_path


def test_commands_that_are_there_are_enough(installed: Path) -> None:
    commands.check_installed()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_missing_is_named(installed: Path, name: str) -> None:
    (installed / name).unlink()
    with pytest.raises(UsageError, match=f"--engine slurm needs {name}: run the build on a machine"):
        commands.check_installed()


def test_a_configuration_that_is_not_there_is_named_at_once(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", str(installed / "slurm.conf"))
    with pytest.raises(UsageError, match=r"SLURM_CONF names .*/slurm\.conf, and there is no such file"):
        commands.check_installed()
    (installed / "slurm.conf").write_text("ClusterName=one\n")
    commands.check_installed()
