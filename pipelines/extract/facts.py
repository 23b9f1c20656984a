"""What a report says of itself in its facts -> metadata: filer, codes, form, period, dates, consolidated or not.

In: the values of the facts of an iXBRL file, an XBRL instance or a type-5 CSV, by concept. Out: metadata. Its keys,
and the concepts that they come from, are in ``facts.yaml``: EDINET and TDnet taxonomies, and SEC's dei.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from pipelines.extract.markup import local_name, text_of
from registry.data import read_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NOTHING = frozenset({"", "－", "-", "―"})
LONGEST_FACT = 200  # characters: a text block is no metadata
TAXONOMY_WITHIN = 64 * 1024
ERA_DATE = re.compile(r"(\D{2})(元|\d+)年(\d+)月(\d+)日")
DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")
ENGLISH_DATE = re.compile(r"([A-Za-z]{3})[a-z]*\.?(\d{1,2}),?(\d{4})")


def metadata(values: Mapping[str, str], head: str) -> dict[str, str]:
    """Metadata from first values by concept, and from what `head` declares: a filer's own taxonomy, or a CSV's name.

    `report` names the report that a file is one of: EDINET code, end of the period and day of filing, as declared.
    """
    rules = _rules()
    declared = next(filter(None, (re.search(form, head[:TAXONOMY_WITHIN]) for form in rules["declared"])), None)
    found = declared.groupdict() if declared else {}
    if found:
        found["form"] = found["form"].replace("-", "/")
        found["report"] = "_".join(found[key] for key in ("edinet_code", "period_end", "filing_date"))
    for key, concepts in rules["facts"].items():
        value = next((values[concept] for concept in concepts if concept in values), "")
        value = iso_date(value) if key in rules["dates"] else value
        if value:
            found[key] = value
    return found


def inline_values(root: etree._Element) -> dict[str, str]:
    """The first value that is not blank of every concept of an iXBRL file, by its local name, continuations joined."""
    facts: list[etree._Element] = []
    further: dict[str, etree._Element] = {}
    consolidated = ""
    for element in root.iter(etree.Element):
        name = local_name(element)
        if name == "ix:nonnumeric":
            facts.append(element)
        elif name == "ix:continuation":
            further[element.get("id") or ""] = element
        elif name == "ix:nonfraction" and not consolidated:
            consolidated = element.get("contextref") or element.get("contextRef") or ""
    values = first_values(((fact.get("name") or "").rpartition(":")[2], _value(fact, further)) for fact in facts)
    if consolidated and "Consolidated" in consolidated:
        values.setdefault("Consolidated", str("NonConsolidated" not in consolidated).lower())
    return values


def first_values(facts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first value that is not blank and no text block, by concept."""
    values: dict[str, str] = {}
    for concept, text in facts:
        value = " ".join(text.split())
        if value not in NOTHING and len(value) <= LONGEST_FACT:
            values.setdefault(concept, value)
    return values


def _value(fact: etree._Element, further: Mapping[str, etree._Element]) -> str:
    """Its text and that of its continuations (Inline XBRL 1.1, 4.2); a truth value from its format."""
    form = (fact.get("format") or "").rpartition(":")[2]
    if form in {"booleantrue", "booleanfalse", "fixed-true", "fixed-false"}:
        return form.removeprefix("boolean").removeprefix("fixed-")
    text, seen, after = _said(fact), set[str](), fact.get("continuedAt") or fact.get("continuedat")
    while after and after in further and after not in seen:
        seen.add(after)
        text += " " + _said(further[after])
        after = further[after].get("continuedAt") or further[after].get("continuedat")
    return text


def _said(element: Any) -> str:
    """Its text without what is excluded from the fact (Inline XBRL 1.1, 5), such as the number of a page."""
    if next(element.iter("{*}exclude", "ix:exclude"), None) is None:
        return text_of(element)
    return "".join(element.xpath(".//text()[not(ancestor::*[local-name() = 'exclude' or name() = 'ix:exclude'])]"))


def iso_date(text: str) -> str:
    """A Japanese or Western date as ISO 8601; nothing for what is none: "令和８年６月12日" is "2026-06-12"."""
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    eras, months = _rules()["eras"], _rules()["months"]
    if (era := ERA_DATE.search(text)) and era.group(1) in eras:
        year = eras[era.group(1)] + (1 if era.group(2) == "元" else int(era.group(2)))
        month, day = int(era.group(3)), int(era.group(4))
    elif western := DATE.search(text):
        year, month, day = map(int, western.groups())
    elif (english := ENGLISH_DATE.search(text)) and english.group(1).lower() in months:
        month, day, year = months.index(english.group(1).lower()) + 1, int(english.group(2)), int(english.group(3))
    else:
        return ""
    return f"{year:04d}-{month:02d}-{day:02d}" if 1 <= month <= 12 and 1 <= day <= 31 else ""


@cache
def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = read_data(Path(__file__).with_suffix(".yaml"))
    return rules
