"""Results of a campaign, a JSON object a line -> the tables of README.md, in Markdown."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.faults.building import STAGES

Result = dict[str, Any]


def read(path: Path) -> list[Result]:
    """What is in a file of results, which may not be there yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def table(results: list[Result]) -> str:
    """A row per fault: how the builds ended, and in which stages they were hit."""
    head = ("fault", "runs", "ended by itself", "after one `--resume`", "wrong", *STAGES)
    lines = [_row(head), _row(["---"] * len(head))]
    for fault in [*dict.fromkeys(result["fault"] for result in results), "all"]:
        own = [result for result in results if fault in {result["fault"], "all"}]
        right = Counter(result["how"] for result in own if not result["wrong"])
        hit = Counter(result["stage"] for result in own)
        wrong = sum(bool(result["wrong"]) for result in own)
        cells = [fault, len(own), right["ended by itself"], right["resumed"], wrong, *(hit[stage] for stage in STAGES)]
        lines.append(_row(cells))
    return "\n".join(lines)


def _row(cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
