"""Gates: thresholds on any number of audit.json, so that a pipeline can refuse a corpus that fell short.

In: a YAML file and the audit's numbers. Out: one line per number that is on the wrong side. A gate is a path of keys,
where * stands for every key, with bounds as in a profile:

    funnel.kept: {at_least: 1000}
    sources.*.kept_ratio: {at_least: 0.5, because: "a source that loses half of its documents is misread"}
    extraction.signs_kept.filings.least: {at_least: 1.0}
    privacy.*.masked: {at_most: 100}             # the sum, where the path ends at numbers by source
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from registry.data import read_data
from registry.errors import UsageError, nearest

_BOUNDS = ("at_least", "at_most")
Limits = dict[str, dict[str, Any]]


def load_gates(path: Path) -> Limits:
    """The gates of a file.

    Raises:
        UsageError: there is no such file, or it is none of gates; the message names the entry.
    """
    try:
        tree = read_data(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: not a file of gates: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, dict) or not tree:
        raise UsageError(f"{path}: gates are a mapping from numbers of audit.json to at_least and at_most")
    for name, gate in tree.items():
        _check(path, str(name), gate)
    return {str(name): gate for name, gate in tree.items()}


def _check(path: Path, name: str, gate: Any) -> None:
    if not isinstance(gate, dict) or not set(_BOUNDS) & set(gate):
        raise UsageError(f"{path}: {name}: a gate has at_least or at_most, such as {{at_least: 0.5}}")
    for key, value in gate.items():
        if key not in {*_BOUNDS, "because"}:
            raise UsageError(f"{path}: {name}: there is no key {key!r}; {nearest(str(key), (*_BOUNDS, 'because'))}")
        if key in _BOUNDS and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise UsageError(f"{path}: {name}: {key} is a number, not {value!r}")


def fallen_short(gates: Limits, figures: Mapping[str, Any]) -> list[str]:
    """What fell short, in the order of the gates.

    Raises:
        UsageError: a gate names a number that the audit does not have; a gate that nothing can fail is no gate.
    """
    short = []
    for name, gate in gates.items():
        for place, value in _resolve(figures, name):
            number = _number(name, place, value)
            because = f" ({gate['because']})" if gate.get("because") else ""
            if "at_least" in gate and not number >= gate["at_least"]:
                short.append(f"{place} is {number:g}, at least {gate['at_least']:g} is asked{because}")
            if "at_most" in gate and not number <= gate["at_most"]:
                short.append(f"{place} is {number:g}, at most {gate['at_most']:g} is asked{because}")
    return short


def _resolve(figures: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    """(path, value) of all that `name` stands for. A key may hold dots itself, as CC-BY-4.0 does."""
    found = list(_walk(figures, name, ""))
    if not found:
        head = name.partition(".")[0]
        hint = nearest(head, figures) if head not in figures else nearest(name, _paths(figures[head], f"{head}."))
        raise UsageError(f"there is no number {name!r} in the audit; {hint}")
    return found


def _walk(value: Any, rest: str, place: str) -> Iterator[tuple[str, Any]]:
    if not rest:
        yield place.removesuffix("."), value
        return
    if not isinstance(value, Mapping):
        return
    if rest == "*" or rest.startswith("*."):
        for key in value:
            yield from _walk(value[key], rest[2:], f"{place}{key}.")
        return
    for key in value:
        if rest == key or rest.startswith(f"{key}."):
            yield from _walk(value[key], rest[len(key) + 1 :], f"{place}{key}.")


def _paths(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key in value:
            yield from _paths(value[key], f"{place}{key}.")
    elif isinstance(value, int | float):
        yield place.removesuffix(".")


def _number(name: str, place: str, value: Any) -> float:
    """A number, or the sum over a mapping of numbers."""
    if isinstance(value, Mapping) and all(_is_number(part) for part in value.values()):
        return float(sum(value.values()))
    if not _is_number(value):
        raise UsageError(f"the gate {name!r} leads to {place}, which is no number")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
