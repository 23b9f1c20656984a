"""The measures of benchmarks/html.py, each independent of the code it judges.

`numbers`, `signed` and `headings_of` read a page with regular expressions alone, not with our parser; `facts_found`
follows the XBRL facts of a filing through our sections in their order.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NUMBER = r"\d+(?:[.,．，]\d+)*"
INLINE = re.compile(r"</?(?:ix:\w+|span|a|b|i|u|em|strong|font|small|big|label)(?:\s[^>]*)?/?>", re.IGNORECASE)
FACT = re.compile(r"<ix:nonFraction\b([^>]*[^/>])>(.*?)</ix:nonFraction>", re.DOTALL | re.IGNORECASE)
TABLE = re.compile(r"(?:^\|.*\|$\n?)+", re.MULTILINE)
FENCE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
FAR = 200_000  # characters: a fact further on than this is another one of the same value


def visible(source: str) -> str:
    """What a reader sees of a filing: tags taken out by hand, inline ones without a trace, others as a line end."""
    body = re.search(r"<body\b", source, re.IGNORECASE)
    source = source[body.start() if body else 0 :]
    source = re.sub(
        r"<!--.*?-->|<ix:header.*?</ix:header>|<(script|style)\b.*?</\1>", "", source, flags=re.DOTALL | re.IGNORECASE
    )
    source = re.sub(r"<div[^>]*display:\s*none[^>]*>[^<]*</div>", "", source)
    return html.unescape(re.sub(r"<[^>]*>", "\n", INLINE.sub("", source)))


def lines(page: str) -> list[str]:
    """The lines that a reader sees of a page, without those that are blank: what ``html_labels.yaml`` counts."""
    return [" ".join(line.split()) for line in visible(page).split("\n") if line.strip()]


def numbers(text: str) -> Counter[str]:
    """The figures of a text, each as often as it stands there."""
    return Counter(re.findall(NUMBER, text))


def signed(text: str) -> Counter[str]:
    """The figures after △ or ▲."""
    return Counter(re.sub(r"\s", "", hit) for hit in re.findall(rf"[△▲]\s*{NUMBER}", text))


def kept(wanted: Counter[str], found: Counter[str]) -> tuple[int, int]:
    """How many of `wanted` are in `found`, and how many there are."""
    return (wanted & found).total(), wanted.total()


def headings_of(source: str) -> Counter[str]:
    """The text of every <h1> to <h6> that is not empty, without white space."""
    found = re.findall(r"<h[1-6]\b[^>]*>(.*?)</h[1-6]>", source, re.DOTALL | re.IGNORECASE)
    texts = (solid(html.unescape(re.sub(r"<[^>]*>", "", text))) for text in found)
    return Counter(text for text in texts if text)


def marked_headings(markdown: str) -> Counter[str]:
    """The text of every heading of a Markdown text, without white space; none in code."""
    return Counter(solid(text) for text in re.findall(r"^#{1,6} (.*)$", FENCE.sub("", markdown), re.MULTILINE))


def rectangular(markdown: str) -> tuple[int, int]:
    """How many of the tables have as many cells in every row, and how many tables there are."""
    tables = [block.strip().split("\n") for block in TABLE.findall(markdown)]
    even = sum(len({line.replace("\\|", "").count("|") for line in table}) == 1 for table in tables)
    return even, len(tables)


def facts_found(source: str, sections: Sequence[str]) -> tuple[int, int]:
    """How many numeric facts, as displayed with their sign, stand in the sections in the order of the source."""
    body = re.sub(r"<ix:header.*?</ix:header>", "", source, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", "\n".join(sections))
    found = total = place = 0
    for match in FACT.finditer(body):
        shown = re.sub(r"\s+", "", html.unescape(re.sub(r"<[^>]*>", "", match.group(2))))
        if not any(character.isdigit() for character in shown):
            continue
        before = re.search(r"([△▲])(?:\s|<[^>]*>)*$", body[max(0, match.start() - 200) : match.start()])
        sign = before.group(1) + r"\s?" if before and 'sign="-"' in match.group(1) else ""
        total += 1
        at = re.compile(rf"(?<![0-9.,]){sign}{re.escape(shown)}(?![0-9])").search(text, place, place + FAR)
        if at:
            found, place = found + 1, at.end()
    return found, total


def solid(text: str) -> str:
    """NFKC text without white space, what has no width, and Markdown's marks."""
    return re.sub(r"[\s\u200b\u2060\ufeff\xad|#*`_>\-]+", "", unicodedata.normalize("NFKC", text))


def f1(text: str, gold: str, n: int = 4) -> float:
    """F1 of character n-grams, as multisets."""
    ours, theirs = (Counter(s[i : i + n] for i in range(max(1, len(s) - n + 1))) for s in (solid(text), solid(gold)))
    common = (ours & theirs).total()
    return 2 * common / (ours.total() + theirs.total()) if common else 0.0


def cleaned(source: str) -> str:
    """A Markdown or Quarto source as a page shows it: no comments, chunk options, includes, attributes, results."""
    source = re.sub(r"\A---\n.*?\n---\n", "", source, flags=re.DOTALL)
    source = re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL)
    source = re.sub(
        r"^```\{\w+[^\n]*\n(?:#\|[^\n]*\n)*#\| *(?:include|echo): *false.*?^```$",
        "",
        source,
        flags=re.MULTILINE | re.DOTALL,
    )
    source = re.sub(r"^#\|.*\n", "", source, flags=re.MULTILINE)
    source = re.sub(r"^```\{\w+[^\n]*(?:include|echo) *= *FALSE.*?^```$", "", source, flags=re.MULTILINE | re.DOTALL)
    source = re.sub(r"^[ ]*```[^\n]*\n\s*\{\{#.*?\}\}\s*```$", "", source, flags=re.MULTILINE | re.DOTALL)
    source = re.sub(r"\{\{[#<].*?\}\}|^:::+.*$|!\[[^\]]*\]\([^)]*\)(?:\{[^}]*\})?", "", source, flags=re.MULTILINE)
    source = re.sub(r"(?<=[^\n`])[ ]*\{[#.][^}\n]*\}[ ]*$", "", source, flags=re.MULTILINE)
    source = re.sub(r"\[((?:[^\[\]]|\[[^\]]*\])*)\](?:\([^)\n]*\)|\[[^\]]*\])", r"\1", source)
    source = re.sub(r"^\[[^\]]+\]: *\S+.*$", "", source, flags=re.MULTILINE)
    return html.unescape(re.sub(r"</?(?:br|img|span|div|p|a|em|sup|sub)\b[^>]*>", "", source))


def without_results(page: str, gold: str) -> str:
    """A page without the code that its source does not hold: results of programs, and included files."""
    lines = {line.strip() for line in gold.split("\n")} - {""}

    def keep(block: re.Match[str]) -> str:
        text = html.unescape(re.sub(r"<[^>]*>", "", block.group()))
        own = [line.strip() for line in text.split("\n") if line.strip()]
        return block.group() if sum(line in lines or f"# {line}" in lines for line in own) * 2 > len(own) else ""

    return re.sub(r"<pre\b.*?</pre>(?:\s*</pre>)?", keep, page, flags=re.DOTALL)


def code_lines(gold: str, output: str) -> tuple[int, int]:
    """How many lines of the source's code stand in the output with their indent, and how many there are.

    rustdoc hides the "# " before a line of Rust that it compiles and does not show; the line itself is on the page.
    """
    lines = [line.rstrip() for _, block in FENCE.findall(gold) for line in block.split("\n") if line.strip("# \t")]
    found = Counter(line.rstrip() for line in output.split("\n"))
    hits = 0
    for line in lines:
        shown = next((form for form in (line, re.sub(r"^# ", "", line)) if found[form] > 0), None)
        if shown is not None:
            found[shown] -= 1
            hits += 1
    return hits, len(lines)


def heading_lines(gold: str, output: str) -> tuple[int, int]:
    """How many of the source's headings are headings of the output."""
    wanted, found = marked_headings(gold), list(marked_headings(output))
    return sum(any(text.endswith(heading) for text in found) for heading in wanted.elements()), wanted.total()


def ratio(pairs: Iterable[tuple[int, int]]) -> float:
    """The sum of the first over the sum of the second numbers; 1 for none."""
    found, total = (sum(side) for side in zip(*pairs, strict=True))
    return found / total if total else 1.0


def mean(values: Iterable[float]) -> float:
    """The mean; 0 for none."""
    listed = list(values)
    return fmean(listed) if listed else 0.0
