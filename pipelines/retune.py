"""A finished build and changed thresholds -> what they would change, from the measurements in the ledger alone.

In: a build, and `KEY=VALUE` changes to the profiles of its recipe. Out: a `Change` per document whose fate a profile
decides otherwise. Nothing is extracted, cleaned or measured; `corpus build` with the same changes then makes the corpus
so, from the same measurements. Duplicates are not searched again here: what a duplicate's survivor becomes is told,
what else would survive is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.quality.profiles import decided_by_profile
from registry.errors import RecipeError

if TYPE_CHECKING:
    from pipelines.preflight import Plan
    from pipelines.quality.profiles import Profile

_PREFIX = "refine.profiles."


@dataclass(frozen=True, slots=True)
class Change:
    """A document whose verdict changes; `before` and `after` are rules, empty where it passes."""

    id: str
    uri: str
    kind: str
    before: str
    after: str
    value: float
    threshold: float


def check_changes(changes: Iterable[str], measured: Plan, changed: Plan) -> None:
    """Raise RecipeError where a change asks for more than other thresholds."""
    for change in changes:
        if not change.startswith(_PREFIX):
            raise RecipeError(
                f"--set {change}: only thresholds can be retuned, such as {_PREFIX}KIND.RULE.at_least=0.1"
            )
    for kind, profile in changed.profiles.items():
        if _options(profile) != _options(measured.profiles[kind]):
            raise RecipeError(f"{_PREFIX}{kind}: an option of a rule changes what it measures; run `corpus build`")


def retune(rows: Iterable[Mapping[str, Any]], profiles: Mapping[str, Profile]) -> Iterator[Change]:
    """The documents among `rows` of a ledger that `profiles` judge otherwise than it says."""
    for row in rows:
        if not decided_by_profile(row):
            continue
        verdict = profiles[row["kind"]].judge(row["measurements"])
        before, after = row["rule"] if row["fate"] == "rejected" else "", verdict.rule if verdict else ""
        if bool(before) != bool(after):
            value = verdict.value if verdict else row["value"]
            threshold = verdict.threshold if verdict else row["threshold"]
            yield Change(row["id"], row["uri"], row["kind"], before, after, value, threshold)


def _options(profile: Profile) -> dict[str, Mapping[str, Any]]:
    return {limit.rule: limit.options for limit in profile.limits if limit.options}
