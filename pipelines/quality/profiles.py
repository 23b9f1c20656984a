"""Profiles: within which limits the measurements of a kind of text have to lie. Data in, verdicts out.

A profile is YAML, `<kind>.yaml`: one entry per rule, in the order in which they judge.

    hiragana_ratio: {at_least: 0.05, because: "a report with tables has 0.2, keyword lists have none"}
    repeated_words: {at_most: 0.6, n: 5}          # n is an option of the rule
    short_lines: null                             # a profile of a domain or a recipe switches a rule off

Three layers, the later one replacing whole entries: the built-in profile, the domain's own folder, the recipe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from registry.data import read_data
from registry.errors import InputError, RecipeError, RecordError, UnknownNameError, UsageError, nearest
from registry.ledger import Verdict
from registry.names import rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipelines.quality.text import Text

BUILT_IN = Path(__file__).with_name("profiles")
_KEYS = ("at_least", "at_most", "because")


@dataclass(frozen=True, slots=True)
class Limit:
    """What one rule's measurement has to keep to, and why."""

    rule: str
    at_least: float = -math.inf
    at_most: float = math.inf
    because: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def broken_by(self, value: float) -> float | None:
        """The threshold that `value` is on the wrong side of, if any. Values that are no number break every limit."""
        if not value >= self.at_least:
            return self.at_least if self.at_least > -math.inf else self.at_most
        return None if value <= self.at_most else self.at_most


@dataclass(frozen=True)
class Profile:
    """The limits for one kind of text, in the order in which they judge."""

    kind: str
    limits: tuple[Limit, ...]

    def judge(self, measurements: Mapping[str, float]) -> Verdict | None:
        """The first limit that is broken, or None where all are kept.

        Raises:
            RecordError: a measurement that a limit needs was never taken.
        """
        for limit in self.limits:
            if limit.rule not in measurements:
                raise RecordError(f"there is no measurement {limit.rule!r} to judge by; refine the documents again")
            value = measurements[limit.rule]
            threshold = limit.broken_by(value)
            if threshold is not None:
                return Verdict("refine", limit.rule, value, threshold)
        return None

    def measure(self, doc: Text) -> dict[str, float]:
        """What every registered rule finds in `doc`, with this profile's options, by name.

        Raises:
            InputError: ``rule_failed``; the detail names the rule and the exception, and holds no text.
        """
        from pipelines.quality.measuring import measure_all

        (found,) = measure_all(doc.alone, [self])
        if isinstance(found, InputError):
            raise found
        return found

    @cached_property
    def options(self) -> dict[str, Mapping[str, Any]]:
        """The options of the rules that have some."""
        return {limit.rule: limit.options for limit in self.limits if limit.options}


def decided_by_profile(row: Mapping[str, Any]) -> bool:
    """Whether thresholds decide a ledger's row: no failure, policy, block or benchmark forestalled them."""
    return row["fate"] in {"kept", "duplicate"} or (row["stage"] == "refine" and row["rule"] in rule)


def load_profile(kind: str, folders: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None) -> Profile:
    """The profile called `kind`: built in, then as each of `folders` changes it, then as the recipe does.

    Raises:
        UnknownNameError: no layer has a profile for `kind`.
        RecipeError: an entry names a rule or an option that does not exist, or a threshold that is no number.
    """
    places = [BUILT_IN, *folders]
    files = [place / f"{kind}.yaml" for place in places if kind in _kinds([place])]
    if not files:
        raise UnknownNameError(f"there is no profile for texts of kind {kind!r}; {nearest(kind, _kinds(places))}")
    limits: dict[str, Limit | None] = {}
    for file in files:
        limits |= _layer(_read(file), str(file))
    limits |= _layer(overrides or {}, f"refine.profiles.{kind}")
    return Profile(kind, tuple(limit for limit in limits.values() if limit is not None))


def _kinds(folders: Iterable[Path]) -> set[str]:
    return {file.stem for folder in folders for file in folder.glob("*.yaml")}


def _read(file: Path) -> Any:
    try:
        return read_data(file) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{file} cannot be read as YAML: {error}") from error


def _layer(entries: Any, place: str) -> dict[str, Limit | None]:
    if not isinstance(entries, dict):
        raise RecipeError(f"{place}: a profile is a mapping from rules to limits, not {entries!r}")
    return {name: _limit(name, entry, place) for name, entry in entries.items()}


def _limit(name: Any, entry: Any, place: str) -> Limit | None:
    if name not in rule:
        raise RecipeError(f"{place}: there is no rule {name!r}; {nearest(str(name), rule)}")
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise RecipeError(f"{place}: {name}: expected at_least, at_most or null, not {entry!r}")
    limit = Limit(
        name,
        _threshold(entry, "at_least", -math.inf, f"{place}: {name}"),
        _threshold(entry, "at_most", math.inf, f"{place}: {name}"),
        str(entry.get("because", "")),
        _options(name, {key: value for key, value in entry.items() if key not in _KEYS}, place),
    )
    if not -math.inf < max(limit.at_least, -limit.at_most) or limit.at_least > limit.at_most:
        raise RecipeError(f"{place}: {name}: needs at_least or at_most, and at_least not above at_most")
    return limit


def _threshold(entry: Mapping[str, Any], key: str, default: float, place: str) -> float:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise RecipeError(f"{place}: {key}: expected a number, not {value!r}")
    return float(value)


def _options(name: str, given: Mapping[str, Any], place: str) -> dict[str, Any]:
    known = [*_KEYS, *rule.options(name)]
    for key in given:
        if key not in known:
            raise RecipeError(f"{place}: {name}: there is no key {key!r}; {nearest(str(key), known)}")
    try:
        return rule.check(name, given)
    except UsageError as error:
        raise RecipeError(f"{place}: {name}: {error}") from error
