"""Pictures as inline SVG: no library, no style attribute, colours by class so that light, dark and print have theirs.

In: numbers and words. Out: markup that is safe to put into a page (every string is escaped). A picture has a title that
a screen reader says; the table that stands behind it is the template's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape


def share_bar(parts: Sequence[tuple[str, float]], whole: float, title: str) -> Markup:
    """One horizontal bar cut into (class, value) parts; `whole` is its full width."""
    x, pieces = 0.0, []
    for name, value in parts:
        width = 100 * value / whole if whole else 0
        if value:
            pieces.append(_rect(x, 0, max(width, 0.4), 10, name))
        x += width
    return _svg(100, 10, "".join(pieces), title, "bar", stretch=True)


def histogram(spread: dict[str, Any], marks: Sequence[tuple[str, float]], title: str) -> Markup:
    """A histogram of `counts` between `low` and `high` with its thresholds as (bound, value) marks; red is beyond."""
    counts, width, height = spread["counts"], 240.0, 64.0
    step, most = width / len(counts), max(counts) or 1
    pieces = []
    for number, count in enumerate(counts):
        if count:
            tall = max((height - 2) * (count / most) ** 0.5, 1.5)
            middle = _value_at(spread, (number + 0.5) / len(counts))
            beyond = any(middle < at if bound == "at_least" else middle > at for bound, at in marks)
            name = "beyond" if beyond else "within"
            pieces.append(_rect(number * step + 0.5, height - tall, step - 1, tall, name))
    for _, value in marks:
        x = round(width * _place_of(spread, value), 1)
        pieces.append(f'<line class="mark" x1="{x}" x2="{x}" y1="0" y2="{height:g}"/>')
    pieces.append(f'<line class="axis" x1="0" x2="{width:g}" y1="{height:g}" y2="{height:g}"/>')
    return _svg(width, height + 1, "".join(pieces), title, "histogram", stretch=True)


def columns(values: Sequence[tuple[str, float]], title: str, name: str = "within") -> Markup:
    """Columns with a label below each."""
    width, height, most = 640.0, 150.0, max((value for _, value in values), default=0) or 1
    step = width / max(len(values), 1)
    pieces = []
    for number, (label, value) in enumerate(values):
        tall = max(height * value / most, 1.0) if value else 0
        x = number * step
        pieces.append(_rect(x + step * 0.12, 4 + height - tall, step * 0.76, tall, name))
        pieces.append(_text(x + step / 2, height + 20, label, "tick"))
    pieces.append(f'<line class="axis" x1="0" x2="{width:g}" y1="{height + 4:g}" y2="{height + 4:g}"/>')
    return _svg(width, height + 28, "".join(pieces), title, "columns")


def curve(
    line: Sequence[tuple[float, float]], dots: Sequence[tuple[float, float, float]], mark: float, title: str
) -> Markup:
    """A line and dots (x, y, weight) in the unit square, with one upright mark."""
    left, top, width, height = 34.0, 8.0, 420.0, 190.0

    def place(x: float, y: float) -> tuple[float, float]:
        return round(left + width * x, 1), round(top + height * (1 - y), 1)

    pieces = []
    for tenth in range(0, 11, 2):
        x, y = place(tenth / 10, tenth / 10)
        pieces.append(f'<line class="grid" x1="{left:g}" x2="{left + width:g}" y1="{y}" y2="{y}"/>')
        pieces.append(_text(x, top + height + 18, f"{tenth / 10:g}", "tick"))
        pieces.append(_text(left - 8, y + 4, f"{tenth / 10:g}", "tick end"))
    x, _ = place(mark, 0)
    pieces.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{top:g}" y2="{top + height:g}"/>')
    points = " ".join(f"{a},{b}" for a, b in (place(*point) for point in line))
    pieces.append(f'<polyline class="theory" points="{points}"/>')
    for at, found, weight in dots:
        a, b = place(at, found)
        pieces.append(f'<circle class="dot" cx="{a}" cy="{b}" r="{3 + 5 * weight**0.5:.1f}"/>')
    return _svg(left + width + 12, top + height + 26, "".join(pieces), title, "curve")


def flow(stages: Sequence[tuple[str, int]], losses: Sequence[tuple[str, str, int]], title: str, width: float) -> Markup:
    """What is left after each stage, and what goes where between them.

    Args:
        stages: (label, documents) from the first to the last, one more than the losses.
        losses: (class, label, documents) lost between a stage and the next.
        title: what a screen reader says.
        width: in pixels; a narrow one for phones.
    """
    top, tall, post = 46.0, 150.0, 6.0
    whole = max(stages[0][1], 1)
    gap = (width - post) / max(len(losses) + 1, 1)
    pieces = []
    for number, (label, count) in enumerate(stages):
        x, high = number * gap, tall * count / whole
        pieces.append(_rect(x, top, post, max(high, 1), "kept"))
        pieces.append(_text(x, top - 26, label, "stage"))
        pieces.append(_text(x, top - 8, f"{count:,}", "number"))
        after = stages[number + 1][1] if number + 1 < len(stages) else count
        end = x + gap if number + 1 < len(stages) else width
        rest = tall * after / whole
        pieces.append(f'<path class="stream" d="M{x + post:.1f},{top:g}H{end:.1f}V{top + rest:.1f}H{x + post:.1f}Z"/>')
        if number < len(losses):
            pieces.append(_loss(losses[number], x + post, top + rest, top + high, gap, top + tall))
    return _svg(width, top + tall + 58, "".join(pieces), title, "flow")


def _loss(loss: tuple[str, str, int], x: float, upper: float, lower: float, gap: float, floor: float) -> str:
    """A band that leaves the stream and bends down to its label."""
    name, label, count = loss
    thick = lower - upper
    turn, down = x + gap * 0.18, floor + 12
    band = min(thick, gap * 0.5)
    bend = (
        f"M{x:.1f},{upper:.1f}H{turn:.1f}Q{turn + band:.1f},{upper:.1f} {turn + band:.1f},{upper + band:.1f}V{down:.1f}"
        f"H{turn:.1f}V{lower:.1f}H{x:.1f}Z"
    )
    shape = f'<path class="{name}" d="{bend}"/>' if count else ""
    return shape + _text(x + 2, down + 16, label, "loss") + _text(x + 2, down + 33, f"{count:,}", "loss number")


def _value_at(spread: dict[str, Any], share: float) -> float:
    low, high = spread["low"], spread["high"]
    if spread["scale"] == "log":
        return float(low * (high / low) ** share)
    return float(low + (high - low) * share)


def _place_of(spread: dict[str, Any], value: float) -> float:
    low, high = float(spread["low"]), float(spread["high"])
    if spread["scale"] == "log":
        return min(max(math.log(max(value, low) / low) / math.log(high / low), 0.0), 1.0)
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _rect(x: float, y: float, width: float, height: float, name: str) -> str:
    return f'<rect class="{name}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def _text(x: float, y: float, text: str, name: str) -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(width: float, height: float, inner: str, title: str, name: str, *, stretch: bool = False) -> Markup:
    fit = ' preserveAspectRatio="none"' if stretch else ""
    return Markup(  # noqa: S704 - numbers of ours, and strings that were escaped
        f'<svg class="{name}" viewBox="0 0 {width:g} {height:g}"{fit} role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{inner}</svg>"
    )
