"""Financial reports in Inline XBRL (EDINET, TDnet) -> Markdown, one document per section, no figure and no sign lost.

In: one XHTML file with the inline XBRL namespace. Out: its sections, with what the report says of itself: filer, codes,
kind of document, period, dates. Every part carries `numbers_kept` and `signs_kept` of its whole file: the share of the
figures, and of the figures after △ or ▲, that a reader sees in the source and that stand in the output.

Both are 1.0 on all 238 files at hand (24 MB, 35,772 figures, 2,167 of them signed; none is added either). On 20 of
these trafilatura keeps 60-68 % of the figures, and resiliparse's main text 31 % of the signs: it drops the bare △
before <ix:nonFraction>. html2text and markdownify keep them, but shift the rows of tables.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from lxml import etree

from pipelines.extract import Failure, Part
from pipelines.extract.encoding import decode
from pipelines.extract.markup import (
    element_names,
    hide_by_style,
    is_hidden,
    local_name,
    parse,
    parse_html,
    text_of,
    xml_parser,
)
from pipelines.extract.walk import blocks_of, to_markdown
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.extract import Raw
    from pipelines.extract.tables import Block

NUMBER = r"\d+(?:[.,．，]\d+)*"
FIGURES = re.compile(NUMBER)
SIGNED = re.compile(rf"[△▲][ \xa0\u3000]*{NUMBER}")
DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
INLINE = frozenset({"span", "a", "b", "i", "u", "em", "strong", "font", "small", "big", "label"})
LONGEST_HEADING = 80  # characters; the longest of 1,131 marked headings at hand has 74
LONGEST_FACT = 200  # a text block is no metadata
TAXONOMY_WITHIN = 64 * 1024
ERA_DATE = re.compile(r"(\D{2})(元|\d+)年(\d+)月(\d+)日")
DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})")


def extract_filing(raw: Raw) -> Iterator[Part | Failure]:
    """The sections of one filing, numbered from 1; the part "" where it has but one.

    Raises:
        InputError: ``empty`` where nothing is visible, ``broken`` or ``too_large`` where the markup cannot be read.
    """
    decoded = decode(raw.path.read_bytes())
    root = _parse(decoded.text)
    hide_by_style(root)
    blocks = [_with_heading(block) for block in blocks_of(root)]
    if not blocks:
        raise InputError("empty", "nothing visible in it")
    facts = _facts(root, decoded.text)
    seen = {**fidelity(visible_text(root), to_markdown(blocks)), "undecodable": float(decoded.undecodable)}
    sections = _sections(blocks)
    for number, (path, section) in enumerate(sections, start=1):
        metadata = {**facts, "section": " > ".join(path)} if path else facts
        title = path[-1] if path else facts.get("document_title", "")
        part = str(number) if len(sections) > 1 else ""
        date = facts.get("filing_date") or facts.get("period_end", "")
        yield Part(to_markdown(section), part, title=title, date=date, metadata=metadata, measurements=seen)


def _parse(text: str) -> etree._Element:
    """XHTML as XML, which it is; where it is not well-formed, whatever of two lenient readings shows more."""
    text = DECLARATION.sub("", text, count=1)  # the encoding it names is not that of the text any more
    try:
        root = parse(text, xml_parser())
    except InputError as error:
        if error.reason != "broken":
            raise
    else:
        if next(root.iter(etree.Entity), None) is None:  # an entity of its own DTD stays unexpanded: read as HTML
            return root
    candidates = [parse(text, xml_parser(recover=True)), parse_html(text)]
    return max(candidates, key=lambda root: len(visible_text(root)))


def visible_text(root: etree._Element) -> str:
    """What a reader sees of a page, each block on its own line: the reference that the output is measured against."""
    pieces: list[str] = []
    hidden = element_names("hidden")
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        name = local_name(element)
        if event == "start" and is_hidden(element, name, hidden):
            walk.skip_subtree()
        elif event == "start":
            pieces += [_edge(name), element.text or ""]
        if event != "start" and element is not root:
            pieces += [_edge(name), element.tail or ""]
    return "".join(pieces)


def _edge(name: str) -> str:
    return "" if not name or name in INLINE or name.startswith("ix:") else "\n"


def fidelity(source: str, output: str) -> dict[str, float]:
    """The shares of the figures and signed figures of `source` that `output` has, each as often; 1 for none."""
    return {"numbers_kept": _kept(FIGURES, source, output), "signs_kept": _kept(SIGNED, source, output)}


def _kept(pattern: re.Pattern[str], source: str, output: str) -> float:
    wanted, found = (Counter(re.sub(r"\s", "", hit) for hit in pattern.findall(text)) for text in (source, output))
    return (wanted & found).total() / wanted.total() if wanted else 1.0


def _with_heading(block: Block) -> Block:
    """A paragraph that is nothing but a numbered title of the disclosure form, as the heading it is."""
    if not block.plain or len(block.text) > LONGEST_HEADING:
        return block
    level = next((level for level, form in _headings() if form.fullmatch(block.text)), 0)
    return replace(block, level=level) if level else block


def _sections(blocks: list[Block]) -> list[tuple[tuple[str, ...], list[Block]]]:
    """The blocks cut at headings, each section with the headings it stands under. Rules: ``filing.yaml``."""
    rules = _rules()
    highest = min((block.level for block in blocks if block.level), default=0)
    cut_at = rules["cut_at"] if highest <= rules["cut_at"] else 6
    sections: list[tuple[tuple[str, ...], list[Block]]] = []
    above: list[Block] = []  # the headings that what comes stands under
    path: tuple[str, ...] = ()  # those that the section at hand stands under
    section: list[Block] = []
    for block in blocks:
        if 0 < block.level <= cut_at:
            if _length(section) >= rules["shortest"]:
                sections.append((path, section))
                section = []
            above = [*(heading for heading in above if heading.level < block.level), block]
        if all(b.level for b in section):
            path = tuple(" ".join(heading.text.split()) for heading in above)
        section.append(block)
    if sections and _length(section) < rules["shortest"]:
        sections[-1][1].extend(section)
    else:
        sections.append((path, section))
    return sections


def _length(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)


def _facts(root: etree._Element, text: str) -> dict[str, str]:
    """What the file's facts, and the address of its own taxonomy, say of the report."""
    rules = _rules()
    declared = re.search(rules["taxonomy"], text[:TAXONOMY_WITHIN])
    found = {key: value for key, value in (declared.groupdict() if declared else {}).items() if value}
    values = _first_values(root)
    for key, concepts in rules["facts"].items():
        value = next((values[concept] for concept in concepts if concept in values), "")
        value = iso_date(value, rules["eras"]) if key in rules["dates"] else value
        if value:
            found[key] = value
    return found


def _first_values(root: etree._Element) -> dict[str, str]:
    """The first value that is not blank of every concept, by its local name."""
    values: dict[str, str] = {}
    for element in root.iter(etree.Element):
        if local_name(element) == "ix:nonnumeric":
            concept = (element.get("name") or "").rpartition(":")[2]
            value = " ".join(text_of(element).split())
            if value and len(value) <= LONGEST_FACT:
                values.setdefault(concept, value)
    return values


def iso_date(text: str, eras: Mapping[str, int]) -> str:
    """A Japanese or Western date as ISO 8601; nothing for what is none: "令和８年６月12日" is "2026-06-12"."""
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    if (era := ERA_DATE.search(text)) and era.group(1) in eras:
        year = eras[era.group(1)] + (1 if era.group(2) == "元" else int(era.group(2)))
        month, day = int(era.group(3)), int(era.group(4))
    elif western := DATE.search(text):
        year, month, day = map(int, western.groups())
    else:
        return ""
    return f"{year:04d}-{month:02d}-{day:02d}" if 1 <= month <= 12 and 1 <= day <= 31 else ""


@cache
def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    return rules


@cache
def _headings() -> list[tuple[int, re.Pattern[str]]]:
    return [(level, re.compile(form)) for level, form in sorted(_rules()["headings"].items())]
