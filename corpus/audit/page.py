"""The page: one file of HTML with its own style, pictures and script, and nothing else to load.

In: findings and a language. Out: HTML. Every string goes through autoescape and `visible`, so that text full of markup,
script, control characters and marks of writing direction is shown and never acts; a content security policy allows the
page's own script and style by their digests, and no request to anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from corpus.audit import charts
from corpus.audit.figures.rules import BOUNDS
from corpus.audit.figures.selftest import theory
from corpus.audit.visible import visible
from registry.data import read_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corpus.audit.findings import Findings
    from corpus.opened import OpenedBuild

_HERE = Path(__file__).parent
_NAMES = {"en": "words/en.yaml", "ja": "words/ja.yaml"}


def render(opened: OpenedBuild, findings: Findings, language: str) -> str:
    """report.html in one language ("en" or "ja")."""
    words = load_words(language)
    return compose(
        "report.html",
        words,
        m=opened.manifest,
        figures=findings.figures,
        neighbours=findings.neighbours,
        clusters=findings.clusters,
        documents=[_shown(row, words) for row in findings.documents],
        licence=licence,
        rule_name=lambda name: words.get("rules", {}).get(name) or _docline(name),
        recipe=yaml.safe_dump(opened.manifest.recipe, allow_unicode=True, sort_keys=False, width=100),
        flow=_flow(findings.figures["funnel"], words),
        curve=_curve(findings.figures["self_test"], opened.manifest.recipe["dedup"]["near"], words),
    )


def compose(template: str, words: Mapping[str, Any], **values: Any) -> str:
    """A template filled in, with the house's style and script and their digests."""
    style = (_HERE / "templates" / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "templates" / "page.js").read_text(encoding="utf-8")
    return _environment().get_template(template).render(
        w=words,
        charts=charts,
        bounds=BOUNDS,
        style=Markup(style),  # noqa: S704 - a file of ours
        script=Markup(script),  # noqa: S704
        policy=(
            f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        **values,
    )  # fmt: skip


def compose_text(template: str, **values: Any) -> str:
    """A template of plain text filled in: nothing is escaped for HTML, but everything is made visible."""
    return _environment().overlay(autoescape=False).get_template(template).render(**values)


@cache
def load_words(language: str) -> dict[str, Any]:
    """The words of the page in one language."""
    words: dict[str, Any] = read_data(_HERE / _NAMES[language])
    return words


@cache
def licence(name: str) -> dict[str, list[str]]:
    """What a licence asks for, and its names in the front matter of dataset cards."""
    known: dict[str, dict[str, list[str]]] = read_data(_HERE / "licences.yaml")
    fits = [start for start in known if name.lower().startswith(start)]
    return known[max(fits, key=len)] if fits else {"asks": ["unknown"], "hub": ["other"]}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.filters |= {"n": number, "pct": percent, "size": size, "short": short, "data": _data}
    return environment


def number(value: float) -> str:
    """A count with separators, or a measurement with four digits."""
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def short(value: int) -> str:
    """A power of two in few characters: 512, 4k, 2M."""
    for unit, power in (("M", 20), ("k", 10)):
        if value >= 1 << power:
            return f"{value >> power}{unit}"
    return str(value)


def percent(value: float) -> str:
    """A share: 99.95 % is not 100 %."""
    if 0.999 <= value < 1:
        return f"{int(value * 10000) / 100:.2f} %"
    return f"{100 * value:.1f} %"


def size(count: float) -> str:
    """Bytes, in the unit that people read."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError


def _data(value: Any) -> Markup:
    """JSON that cannot end the element it stands in, whatever it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _docline(name: str) -> str:
    """The first line of a built-in rule's description; a domain's own rules are not loaded wherever audits are made."""
    import pipelines.quality  # noqa: F401 - registers the rules
    from registry.names import rule

    function = rule.get(name) if name in rule else None
    if function is None or not function.__module__.startswith("pipelines."):
        return ""
    return (function.__doc__ or "").strip().splitlines()[0]


def why(row: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    """One sentence on the fate of a document."""
    values = {
        "rule": row["rule"],
        "value": number(row["value"]) if row["value"] is not None else "",
        "threshold": number(row["threshold"]) if row["threshold"] is not None else "",
        "twin": row["duplicate_of"],
        "similarity": number(row["similarity"]) if row["similarity"] is not None else "",
        "error": row["error"],
    }
    sentence: str = words["why"][row["fate"]].format(**values)
    return sentence


def _shown(row: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """A document as the page's script takes it; all of its strings made visible."""
    part = f" [{row['part']}]" if row["part"] else ""
    told = {
        "id": row["id"],
        "source": row["source"],
        "fate": row["fate"],
        "rule": row["rule"],
        "title": row["title"] or row["uri"],
        "place": f"{row['source']}/{row['uri']}{part}",
        "why": why(row, words),
        "state": row["state"],
    }
    shown = {key: visible(value) for key, value in told.items()}
    return shown | {"changes": [[sign, visible(text)] for sign, text in row["changes"]]}


def _flow(funnel: Mapping[str, Any], words: Mapping[str, Any]) -> list[Markup]:
    """What is left after each stage; a wide picture and a narrow one."""
    seen = funnel["documents"]
    read = seen - funnel["failed"]
    good = read - funnel["rejected"]
    stages = [*zip(words["stages"].values(), (seen, read, good, funnel["kept"]), strict=True)]
    losses = [(fate, words["losses"][fate], funnel[fate]) for fate in ("failed", "rejected", "duplicate")]
    counts = {fate: number(funnel[fate]) for fate in ("failed", "rejected", "duplicate", "kept")}
    title = words["flow_title"].format(seen=number(seen), **counts)
    return [charts.flow(stages, losses, title, width) for width in (880.0, 350.0)]


def _curve(test: Mapping[str, Any], near: Any, words: Mapping[str, Any]) -> Markup | str:
    if "curve" not in test:
        return ""
    line = [(i / 50, theory(i / 50, near["bands"], near["rows"])) for i in range(51)]
    most = max(row["pairs"] for row in test["curve"])
    dots = [(row["from"] + 0.025, row["found"], row["pairs"] / most) for row in test["curve"]]
    return charts.curve(line, dots, near["threshold"], words["selftest"])
