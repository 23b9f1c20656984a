"""A stage's CODE names everything that its results depend on: a change anywhere in it does the stage again."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipelines.stages import dedup, extracted, index, paragraphs, refine, survey, write

# What a stage's work begins with, and what may change without changing a result of it: the plan, the engine, the records.
WORK = {
    "extract": (extracted.CODE, ["pipelines.extract", "pipelines.blocks.readers", "pipelines.extract.sniff"]),
    "refine": (refine.CODE, ["pipelines.refine", "pipelines.blocks.filters"]),
    "index": (index.CODE, ["pipelines.dedup.index"]),
    "dedup": (dedup.CODE, ["pipelines.dedup.contained", "pipelines.dedup.planted", "pipelines.dedup.against"]),
    "paragraphs": (paragraphs.CODE, ["pipelines.dedup.paragraphs"]),
    "survey": (survey.CODE, ["pipelines.tokenize"]),
    "write": (write.CODE, ["pipelines.tokenize", "pipelines.dedup.cut"]),
}
NEUTRAL = ("pipelines.engine", "pipelines.pack", "pipelines.preflight", "pipelines.inventory")


def imported(name: str) -> set[str]:
    """Modules of ours that a module imports, within functions too."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return set()
    found = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {other for other in found if other.startswith("pipelines.") and _is_module(other)}


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def reachable(entries: list[str]) -> set[str]:
    seen: set[str] = set()
    queue = list(entries)
    while queue:
        name = queue.pop()
        if name not in seen and not name.startswith(NEUTRAL):
            seen.add(name)
            queue += imported(name)
    return seen


@pytest.mark.parametrize("stage", WORK)
def test_everything_that_a_stage_could_run_is_in_its_code(stage: str) -> None:
    code, entries = WORK[stage]
    missing = {
        name for name in reachable(entries) if not any(name == own or name.startswith(f"{own}.") for own in code)
    }
    assert not missing
