"""Reports made of the most awkward legal markup: all that is visible is kept in its order, and nothing else."""

from __future__ import annotations

import csv
import html
import io
import re
from collections import Counter
from random import Random

import pytest
from made_filings import Maker
from made_markup import SECRET

from pipelines.extract import Raw
from pipelines.extract.fidelity import fidelity, missing
from pipelines.extract.filing import COLUMNS, extract_edinet_csv, extract_filing, extract_xbrl
from pipelines.extract.sniff import sniff

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
        if line.startswith("```"):
            continue
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


def sections_of(data, path):
    path.write_bytes(data)
    assert sniff(path).format == "filing"
    return list(extract_filing(Raw(path, path.name, "filing", "application/xhtml+xml"), check=True))


def figures(texts):
    return Counter(figure for text in texts for figure in re.findall(r"\d+(?:[.,．，]\d+)*", text))


@pytest.mark.parametrize("seed", range(MADE))
def test_all_that_is_visible_is_kept_in_its_order_and_nothing_else(tmp_path, seed):
    filing = Maker(seed).filing()
    parts = sections_of(filing.data, tmp_path / "honbun.htm")
    markdown = "\n\n".join(part.text for part in parts)
    said, headings, tables = read(markdown)
    assert SECRET not in markdown
    assert said == solid("".join(filing.whole.said))
    assert figures(filing.whole.said) <= figures([markdown])
    assert headings == [(level, solid(text)) for level, text in filing.whole.headings]
    assert tables == [[list(map(solid, row)) for row in table] for table in filing.whole.tables]
    assert {key: parts[0].metadata.get(key) for key in filing.facts} == filing.facts
    assert "missing" not in parts[0].metadata
    assert {(part.measurements["numbers_kept"], part.measurements["signs_kept"]) for part in parts} == {(1.0, 1.0)}


@pytest.mark.parametrize("seed", range(0, MADE, 5))
def test_a_figure_or_sign_that_is_lost_is_told(tmp_path, seed):
    """The check itself is checked: one visible figure, then one sign, is taken out of what was written."""
    filing, random = Maker(seed).filing(), Random(seed)
    text = "\n\n".join(part.text for part in sections_of(filing.data, tmp_path / "honbun.htm"))
    source = "\n".join(filing.whole.said)
    figure = random.choice([figure for figure in figures(filing.whole.said) if len(figure) > 4])
    without = re.sub(rf"(?<![\d.,]){re.escape(figure)}(?!\d)", "", text, count=1)
    assert fidelity(source, without)["numbers_kept"] < 1
    assert any(line.startswith(f"{figure}\t") for line in missing(source, without).split("\n"))
    signed = random.choice(re.findall(r"[△▲−－–]\s*\d[\d.,]*", text) or ["none"])
    if signed != "none":
        without = text.replace(signed, signed[1:], 1)
        assert fidelity(source, without)["signs_kept"] < 1
        assert any(line.startswith("".join(signed.split())) for line in missing(source, without).split("\n"))


TAG = re.compile(r"<([\w:.-]+)((?:\s+[\w:.-]+=\"[^\"]*\")+)(\s*/?)>")
ATTRIBUTE = re.compile(r"[^\s=]+=\"[^\"]*\"")


def reordered(tag):
    return f"<{tag[1]}\n {'  '.join(reversed(ATTRIBUTE.findall(tag[2])))}{tag[3]}>"


MUTATIONS = {
    "prefix": lambda text: re.sub(r"(</?|xmlns:)ix(?=[:=])", r"\1inline", text),
    "attributes": lambda text: TAG.sub(reordered, text),
    "spans": lambda text: re.sub(
        r">([^<>\s][^<>]*)<(?!/(?:title|style|script)\b)", r'><span class="x">\1</span><', text
    ),
    "comments": lambda text: text.replace("<td", "<!-- 12,345 --><td").replace("</p>", "<!-- △99 --></p>"),
    "references": lambda text: re.sub(r"[△▲]", lambda sign: f"&#x{ord(sign.group()):x};", text),
}


@pytest.mark.parametrize("mutation", [*MUTATIONS, "utf-16", "euc_jp", "cp932"])
def test_a_real_filing_written_otherwise_gives_the_same(shared_data, tmp_path, mutation):
    files = [
        p
        for kind in ("edinet_htm/*/*.htm", "edinet_fsa_sample/*/*.htm", "tdnet/**/*.htm")
        for p in sorted(shared_data.glob(kind))
    ]
    assert len(files) > 200
    for path in files[:: len(files) // 7]:
        text = path.read_bytes().decode("utf-8-sig")
        if mutation in MUTATIONS:
            head, body, rest = text.partition("<body")
            changed = MUTATIONS[mutation](text) if mutation == "prefix" else head + body + MUTATIONS[mutation](rest)
            data = changed.encode()
        else:
            whole = "".join(c if c.encode(mutation, "ignore").decode(mutation) == c else f"&#{ord(c)};" for c in text)
            label = mutation.replace("_", "-")
            data = re.sub(r'encoding="[^"]*"', f'encoding="{label}"', whole, count=1).encode(mutation)
        expected = sections_of(path.read_bytes(), tmp_path / "a.htm")
        assert [(part.text, part.title, part.metadata) for part in sections_of(data, tmp_path / "b.htm")] == [
            (part.text, part.title, part.metadata) for part in expected
        ], path.name


VALUES = ["売上は△1,234百万円", '引用は"56"である', "二行の\n78", "△90 ", "　", "A\tB 12", "－"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONE])
@pytest.mark.parametrize("delimiter", ["\t", ","])
def test_a_csv_keeps_every_figure_however_it_is_written(tmp_path, codec, quoting, delimiter):
    file = io.StringIO()
    escape = {"escapechar": "\\"} if quoting != csv.QUOTE_NONE else {"quotechar": None}
    out = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    out.writerow(COLUMNS)
    for number, value in enumerate(VALUES):
        concept = "a:BusinessTextBlock" if number % 2 else "a:NetSales"
        row = [concept, f"項目{number} [目次]", "C", "", "連結", "", "", "円", value]
        if quoting == csv.QUOTE_NONE:  # not a CSV by any rule, but such are about
            file.write(delimiter.join(row) + "\r\n")
        else:
            csv.writer(file, delimiter=delimiter, quoting=quoting, **escape).writerow(row)
    path = tmp_path / "a.csv"
    path.write_bytes(file.getvalue().encode(codec, "replace"))
    assert sniff(path).format == "edinet_csv"
    parts = list(extract_edinet_csv(Raw(path, path.name, "filing", "")))
    assert figures(VALUES) <= figures(part.text for part in parts)
    assert "△1,234" in "".join(part.text for part in parts)
    assert parts[0].measurements["signs_kept"] == 1.0


def test_a_text_block_within_another_figure_is_not_taken_for_told(tmp_path):
    blocks = ["<p>損失 △1,234</p><p>計 56</p>", "<p>損失 △1,23</p>", "<p>計 56</p>", "<![CDATA[<p>計 78</p>]]>"]
    markup = "".join(
        f"<c:N{n}TextBlock>{block if 'CDATA' in block else html.escape(block)}</c:N{n}TextBlock>"
        for n, block in enumerate(blocks)
    )
    path = tmp_path / "a.xbrl"
    path.write_text(f'<xbrl xmlns="http://www.xbrl.org/2003/instance" xmlns:c="http://c">{markup}</xbrl>', "utf-8")
    (part,) = extract_xbrl(Raw(path, path.name, "filing", ""))
    assert part.text == "損失 △1,234\n\n計 56\n\n損失 △1,23\n\n計 78"
