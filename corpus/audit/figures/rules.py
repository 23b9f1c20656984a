"""Every rule by kind of text: how its measurements are spread, where its thresholds lie, what it rejected.

In: the ledger and the profiles of the manifest. Out: per kind and rule the quantiles, a histogram of 40 bars, and per
threshold how many documents it decided on (`rejected`) and how many lie beyond it whatever decided (`beyond`). And,
for the page, the rows nearest to each threshold on either side: what a change of it would bring or cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corpus.audit.ledger import Floats, Ledger, Rows

_BARS = 40
_QUANTILES = {"least": 0.0, "p05": 0.05, "median": 0.5, "p95": 0.95, "most": 1.0}
_WIDE = 200.0  # a spread of values that only a logarithmic scale can show
_NEAREST = 2  # documents shown on each side of a threshold
BOUNDS = ("at_least", "at_most")


def rules(ledger: Ledger, profiles: Mapping[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Per kind, in the order in which they judge, the rules with a threshold; then, by name, all other measurements."""
    rejected = ledger.rows("fate", "rejected")
    found: dict[str, dict[str, Any]] = {}
    for kind in ledger.values("kind"):
        limits = {limit["rule"]: limit for limit in profiles.get(kind, [])}
        rows = ledger.rows("kind", kind)
        others = [name for name in ledger.measured if name not in limits and not name.startswith("privacy_")]
        found[kind] = {}
        for name in [*limits, *others]:
            values = ledger.measured.get(name, np.full(len(ledger), np.nan))[rows]
            known = values[np.isfinite(values)]
            if known.size:
                limit = limits.get(name, {})
                decided = _among(len(ledger), rejected, ledger.rows("rule", name))[rows] if limit else None
                found[kind][name] = _spread(known, limit) | _thresholds(values, limit, decided)
    return found


def neighbours(
    ledger: Ledger, profiles: Mapping[str, list[dict[str, Any]]]
) -> dict[tuple[str, str, str], tuple[Rows, Rows]]:
    """(kind, rule, bound) -> rows on the good side of the threshold and rows beyond it, the nearest first."""
    found = {}
    for kind, limits in profiles.items():
        rows = ledger.rows("kind", kind)
        for limit in limits:
            values = ledger.measured.get(limit["rule"], np.full(len(ledger), np.nan))[rows]
            for bound in BOUNDS:
                if bound in limit:
                    beyond = _beyond(values, bound, limit[bound])
                    good = np.isfinite(values) & ~beyond
                    found[kind, limit["rule"], bound] = (
                        rows[_nearest(values, good, limit[bound])],
                        rows[_nearest(values, beyond, limit[bound])],
                    )
    return found


def _among(count: int, one: Rows, other: Rows) -> Any:
    """Which of `count` rows are in both."""
    found = np.zeros(count, bool)
    found[np.intersect1d(one, other, assume_unique=True)] = True
    return found


def _beyond(values: Floats, bound: str, threshold: float) -> Any:
    return values < threshold if bound == "at_least" else values > threshold


def _nearest(values: Floats, among: Any, threshold: float) -> Rows:
    """The places of the values nearest to the threshold; of equal ones the first in the ledger."""
    places = np.flatnonzero(among)
    distance = np.abs(values[places] - threshold)
    if len(places) > _NEAREST:
        reach = np.partition(distance, _NEAREST - 1)[_NEAREST - 1]
        places, distance = places[distance <= reach], distance[distance <= reach]
    return places[np.argsort(distance, kind="stable")[:_NEAREST]].astype(np.int64)


def _thresholds(values: Floats, limit: dict[str, Any], decided: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"because": limit.get("because", "")} if limit else {}
    for bound in BOUNDS:
        if bound in limit:
            beyond = _beyond(values, bound, limit[bound])
            told[bound] = {
                "threshold": limit[bound],
                "rejected": int(np.count_nonzero(beyond & decided)),
                "beyond": int(np.count_nonzero(beyond)),
            }
    return told


def _spread(known: Floats, limit: dict[str, Any]) -> dict[str, Any]:
    quantiles = np.quantile(known, list(_QUANTILES.values()), method="lower")
    thresholds = [float(limit[bound]) for bound in BOUNDS if bound in limit]
    inner = np.quantile(known, [0.005, 0.995], method="lower").tolist()
    low, high = _range(known, inner, thresholds)
    positive = known[known > 0]
    wide = low >= 0 and positive.size == known.size and high > _WIDE * max(float(positive.min()), 1e-9)
    return {
        "documents": int(known.size),
        **{name: float(f"{value:.6g}") for name, value in zip(_QUANTILES, quantiles.tolist(), strict=True)},
        "histogram": _histogram(known, low, high, wide=wide),
    }


def _range(known: Floats, inner: list[float], thresholds: list[float]) -> tuple[float, float]:
    """From where to where a histogram goes: thresholds are in it, and where values lie beyond one, room for them."""
    low, high = min([inner[0], *thresholds]), max([inner[1], *thresholds])
    room = 0.06 * (high - low)
    beyond_high = thresholds and float(known.max()) > max(thresholds)
    beyond_low = thresholds and float(known.min()) < min(thresholds)
    if beyond_high:
        high = max(high, max(thresholds) + room)
    if beyond_low:
        low = max(min(low, min(thresholds) - room), float(known.min()))
    return low, high


def _histogram(known: Floats, low: float, high: float, *, wide: bool) -> dict[str, Any]:
    """Bars between `low` and `high`, of equal width or of equal ratio; what lies outside counts to the outermost."""
    if wide:
        low = max(low, float(known.min()))
    if high <= low:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    edges = np.geomspace(low, high, _BARS + 1) if wide else np.linspace(low, high, _BARS + 1)
    counts, _ = np.histogram(np.clip(known, low, high), bins=edges)
    return {
        "low": float(f"{low:.6g}"),
        "high": float(f"{high:.6g}"),
        "scale": "log" if wide else "linear",
        "counts": counts.tolist(),
    }
