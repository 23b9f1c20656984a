"""Reports made of the most awkward legal markup: all that is visible is kept in its order, and nothing else."""

from __future__ import annotations

import re

import pytest

from pipelines.extract import Raw
from pipelines.extract.filing import extract_filing
from pipelines.extract.sniff import sniff
from made_filings import SECRET, Maker

MADE = 150
MARK = re.compile(r"^\s*(?:#{1,6} |(?:- |\d+\. )+)?")
SEPARATOR = re.compile(r"\|(?: --- \|)+")
BLANK = re.compile(r"[\s\u200b\u2060\u3000^]+")


def solid(text):
    return BLANK.sub("", text)


def cells(line):
    return [solid(re.sub(r"^- ", "", cell.strip()).replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def read(markdown):
    """The text of a Markdown without its marks, its headings, and its tables."""
    said, headings, tables, last = [], [], [], ""
    for line in markdown.split("\n"):
        if line.startswith("| "):
            if not last.startswith("| "):
                tables.append([])
            if not SEPARATOR.fullmatch(line):
                tables[-1].append(cells(line))
                said += tables[-1][-1]
        else:
            said.append(solid(MARK.sub("", line)))
            if heading := re.match(r"(#+) (.*)", line):
                headings.append((len(heading.group(1)), solid(heading.group(2))))
        last = line
    return "".join(said), headings, tables


@pytest.mark.parametrize("seed", range(MADE))
def test_all_that_is_visible_is_kept_in_its_order_and_nothing_else(tmp_path, seed):
    filing = Maker(seed).filing()
    path = tmp_path / "honbun.htm"
    path.write_bytes(filing.data)
    assert sniff(path).format == "filing"
    parts = list(extract_filing(Raw(path, path.name, "filing", "application/xhtml+xml")))
    markdown = "\n\n".join(part.text for part in parts)
    said, headings, tables = read(markdown)
    assert SECRET not in markdown
    assert said == solid("".join(filing.whole.said))
    assert [h for h in headings if h not in filing.whole.headings] == []
    assert tables == [[list(map(solid, row)) for row in table] for table in filing.whole.tables]
    assert {key: parts[0].metadata.get(key) for key in filing.facts} == filing.facts
    assert {(part.measurements["numbers_kept"], part.measurements["signs_kept"]) for part in parts} == {(1.0, 1.0)}
