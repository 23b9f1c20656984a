"""Running the command line as a user does, and looking at what it made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from registry import layout

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "registry" / "domains" / "ja_finance" / "sample"
TOKENIZER = ROOT / "registry" / "domains" / "ja_finance" / "tokenizer"
SMALL = ROOT / "tests" / "golden" / "small" / "recipe.yaml"
COMMAND = Path(sys.executable).with_name("corpus")
PUBLISHED = (*layout.PUBLISHED, "manifest.json")


def corpus(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `corpus ARGUMENTS` to its end."""
    command = [str(COMMAND), *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=300
    )


def python_with(module: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script with a Python that has `module`: this one, or one of CORPUS_READERS; else the test is skipped."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = partial(
        subprocess.run, capture_output=True, text=True, check=False, env={**environment, "HF_HUB_OFFLINE": "1"}
    )
    for python in (sys.executable, *filter(None, os.environ.get("CORPUS_READERS", "").split(os.pathsep))):
        if run([python, "-c", f"import {module}"]).returncode == 0:
            return lambda *arguments, **options: run([python, *map(str, arguments)], **options)
    pytest.skip(f"no Python here has {module}: name one in CORPUS_READERS")


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start `corpus ARGUMENTS`, with its progress on a pipe."""
    command = [str(COMMAND), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def contents(build: Path) -> dict[str, bytes]:
    """Every published file and its bytes."""
    places = [build / name for name in PUBLISHED]
    files = [
        path
        for place in places
        for path in ([place] if place.is_file() else sorted(place.rglob("*")))
        if path.is_file()
    ]
    return {str(path.relative_to(build)): path.read_bytes() for path in files}
