"""What would have to change in the recipe for a document to have another fate.

In: a row of the ledger and the profiles of the build. Out: changes as `--set` takes them, each with what it does.
Limits are judged in order and the first broken one decides, so a rejected document needs every broken limit relaxed; an
entry of a recipe replaces the profile's whole entry, so bounds and options that stay are written out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.data import read_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]
_BOUNDS = ("at_least", "at_most")
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Flip:
    """A change of the recipe, as `KEY=VALUE` or as advice, and what comes of it."""

    change: str
    effect: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One limit and what the document measured against it."""

    rule: str
    value: float
    limit: Mapping[str, Any]

    @property
    def broken(self) -> str:
        """The bound that the value is beyond, or ""."""
        if "at_least" in self.limit and not self.value >= self.limit["at_least"]:
            return "at_least"
        return "at_most" if "at_most" in self.limit and not self.value <= self.limit["at_most"] else ""

    def distance(self, bound: str) -> float:
        """How far the value is from the bound, as a share of the bound."""
        bound_value = float(self.limit[bound])
        return abs(self.value - bound_value) / max(abs(bound_value), 1e-9)


def judged(row: Row, profile: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """The limits of a profile in the order in which they judge, with the document's measurements."""
    measured = row["measurements"]
    return [Judged(limit["rule"], measured[limit["rule"]], limit) for limit in profile if limit["rule"] in measured]


def flips(row: Row, limits: Sequence[Judged], similarity: float | None) -> list[Flip]:
    """What would change the document's fate.

    Args:
        row: of the ledger.
        limits: `judged` of it.
        similarity: the highest that it has with another document of its cluster, where it is a near-duplicate.
    """
    match row["fate"]:
        case "kept":
            return _reject(row, limits)
        case "rejected":
            return _accept(row, limits)
        case "duplicate":
            return _separate(row, similarity)
        case _:
            return _mend(row)


def _reject(row: Row, limits: Sequence[Judged]) -> list[Flip]:
    """The limits that come nearest to rejecting a kept document."""
    near = sorted(
        ((limit.distance(bound), limit, bound) for limit in limits for bound in _BOUNDS if bound in limit.limit),
        key=lambda found: (found[0], found[1].rule),
    )
    return [
        Flip(
            f"refine.profiles.{row['kind']}.{limit.rule}.{bound}",
            f"rejected once it is {'above' if bound == 'at_least' else 'below'} {limit.value:.6g};"
            f" it is {limit.limit[bound]:g}",
        )
        for _, limit, bound in near[:_NEAREST]
    ]


def _accept(row: Row, limits: Sequence[Judged]) -> list[Flip]:
    broken = [limit for limit in limits if limit.broken]
    if not any(limit.rule == row["rule"] for limit in broken):
        return [Flip(f"refine.blocks without {row['rule']}", "the block no longer refuses it; the rules then judge it")]
    return [
        Flip(f"refine.profiles.{row['kind']}.{limit.rule}={relaxed(limit)}", _told(limit, len(broken)))
        for limit in broken
    ]


def _told(limit: Judged, count: int) -> str:
    also = "" if count == 1 else f" (all {count} are needed)"
    return f"{limit.rule} {limit.value:.6g} is then within the limit{also}; duplicates are looked for after that"


def relaxed(limit: Judged) -> str:
    """The limit's entry with the broken bound at the document's own value, as YAML on one line."""
    entry = {bound: limit.limit[bound] for bound in _BOUNDS if bound in limit.limit}
    entry[limit.broken] = limit.value
    entry |= dict(limit.limit.get("options", {}))
    return "{" + ", ".join(f"{key}: {value!r}" for key, value in entry.items()) + "}"


def _separate(row: Row, similarity: float | None) -> list[Flip]:
    if row["rule"] == "contained":
        return [_stand_alone(row)]
    if row["rule"] == "exact":
        return [
            Flip(
                f"sources.{row['source']}.priority", "above that of the other's source, this copy is the one that stays"
            ),
        ]
    if similarity is None:
        return [Flip("dedup.near.threshold", "above its similarity with every document of its cluster, it is kept")]
    if similarity >= 1:
        return [Flip("dedup.near.n", "longer shingles may tell them apart; at this length they have the same ones")]
    return [
        Flip(
            f"dedup.near.threshold={above(similarity)}",
            f"it is kept: no document of its cluster is more than {similarity:.6g} like it",
        )
    ]


def _stand_alone(row: Row) -> Flip:
    """What keeps a document that stands in a longer one."""
    if row["linked_to"] != row["duplicate_of"]:
        return Flip(
            f"dedup.near.threshold={above(row['linked_similarity'])}",
            f"it no longer goes with {row['linked_to']}, which stands in the longer document; it may by itself",
        )
    if row["similarity"] >= 1:
        return Flip("dedup.near.containment=null", "no document goes because it stands in a longer one")
    return Flip(
        f"dedup.near.containment={above(row['similarity'])}",
        f"it is kept, unless another document holds more than {row['similarity']:.6g} of it",
    )


def above(similarity: float) -> float:
    """The least number of four digits above a similarity."""
    return min(int(similarity * 10_000 + 1) / 10_000, 1.0)


def _mend(row: Row) -> list[Flip]:
    reason = row["error"].partition(":")[0]
    known = _reasons().get(reason)
    if known is None:
        return []
    return [Flip(known["change"].format(source=row["source"]), known["effect"])]


@cache
def _reasons() -> dict[str, dict[str, str]]:
    """What helps against a failure, by its reason."""
    data: dict[str, dict[str, str]] = read_data(Path(__file__).with_name("reasons.yaml"))
    return data
