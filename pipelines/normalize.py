"""Text as an extractor gave it -> text in one spelling of Unicode. Applying it twice changes nothing.

In: Markdown or plain text, as hostile as it comes. Out: the same text with radicals and half-width kana as ordinary
characters, voiced marks composed, control and zero-width characters gone, spaces between Japanese characters closed.
Tables, headings, lists and code keep their form. Whole NFKC is not applied, because it changes facts: 10² becomes 102,
㎡ becomes m2, ① becomes 1. Numbers, △ ▲ and units stay as they were written unless an option asks for another form.
The mappings are data, in normalize.yaml. Measured: 18 MB/s on laws and novels where MeCab runs at 4.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from registry.data import read_data
from registry.names import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

_CJK = (
    r"\u3001-\u3007\u300c-\u3011\u3041-\u3096\u309d-\u309f\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff08\uff09\uff0c\uff0e"
    r"\U00020000-\U0003fffd"
)
_NUMERALS = "〇一二三四五六七八九十百千万億兆"
_NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACE = re.compile(r"[\xa0\u1680\u2000-\u200a\u202f\u205f]")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2069"
    r"\ufdd0-\ufdef\ufe00-\ufe0e\ufeff\ufff9-\ufffb\ufffe\uffff\U0001fffe\U0001ffff\U000e0000-\U000e01ef]"
)
_STACKED = re.compile(r"([\u0300-\u036f\u3099\u309a]{30})[\u0300-\u036f\u3099\u309a]+")
_VOICED = re.compile(r"[\u3041-\u30ff][\u3099\u309a\u309b\u309c]")
_ACCENTED = re.compile(r"[A-Za-z\u00c0-\u024f][\u0300-\u036f]+")
# Patterns that begin with what is rare: led by the condition on what stands before, the search takes ten times as long.
_TRAILING = re.compile(r"[ \t\u3000](?<![ \t\u3000]{2})[ \t\u3000]*$", re.MULTILINE)  # linear on long gaps
_BLANK_LINES = re.compile(r"\n{3,}")
_CJK_SPACE = re.compile(rf" (?<=[{_CJK}] )(?:(?<![{_NUMERALS}] ) *(?=[{_CJK}])| *(?=[{_CJK}])(?![{_NUMERALS}]))")
_LATIN_SPACE = re.compile(rf" (?:(?<=[{_CJK}] ) *(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%] ) *(?=[{_CJK}]))")
_MARKER = re.compile(r"[ \t]*(?:(?:[-*+>]|#{1,6}|\d{1,3}[.)])[ \t]+)*")
_FENCES = ("```", "~~~")
_WRAPPED = re.compile(rf"[{_CJK}A-Za-z0-9]$(?<![。」』）])")
_GOES_ON = re.compile(r"[\u3001\u3002\u3041-\u3096\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_PROTECTED = r"0-9０-９A-Za-zＡ-Ｚａ-ｚ"
_COMMA = re.compile(rf"(?<![{_PROTECTED}])，|，(?![{_PROTECTED}])")
_PERIOD = re.compile(rf"(?<![{_PROTECTED}])．|．(?![{_PROTECTED}])")


class Need:
    """What a text has that may have to be written otherwise. Plain numbers: cheaper than an IntFlag."""

    LINE_END = 1  # another one than \n
    SPACE = 2  # another one than U+0020
    INVISIBLE = 4
    MAPPED = 8  # a character with another spelling
    MARK = 16  # accents and voiced marks
    CJK = 32  # a character beside which a space is closed; by itself no need
    GAP = 64  # spaces between two of these, outside of tables
    ENDS = 128  # spaces before a line end; by itself no need


def normalize(
    text: str,
    *,
    symbols: Literal["keep", "expand"] = "keep",
    width: Literal["keep", "half"] = "keep",
    spaces: Literal["close", "keep"] = "close",
    latin_spaces: Literal["keep", "close"] = "keep",
    kutoten: Literal["keep", "majority"] = "keep",
    join_lines: bool = False,
) -> str:
    """`text` in one spelling; idempotent.

    Args:
        text: Markdown or plain text of any length; lone surrogates become U+FFFD.
        symbols: ``expand`` spells out ① ㈱ ㎡ as Unicode's NFKC does; it changes how numbers and units read.
        width: ``half`` writes full-width letters, digits and signs in ASCII.
        spaces: ``close`` removes spaces between two Japanese characters, outside of tables and code.
        latin_spaces: ``close`` removes spaces between a Japanese and a Latin character or digit.
        kutoten: ``majority`` writes ，． as 、。 where they outnumber those; never between letters or digits.
        join_lines: joins the lines of hard-wrapped prose.
    """
    from pipelines.survey import survey  # its machine code takes half a second to load

    expand, half = symbols == "expand", width == "half"
    needs = survey(text, _table(expand, half))
    text = _characters(_visible(text, needs), needs, expand=expand, half=half)
    if kutoten == "majority":
        text = _kutoten(text)
    if needs & ~(Need.CJK | Need.GAP) or text.endswith((" ", "\t", "\u3000")):
        text = _TRAILING.sub("", text)
    if join_lines or latin_spaces == "close" or (spaces == "close" and needs & ~(Need.CJK | Need.ENDS)):
        text = _lines(text, spaces == "close", latin_spaces == "close", join_lines)
    if "\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip("\n")


def _visible(text: str, needs: int) -> str:
    """`text` with plain line ends and spaces, and without what no reader can see."""
    if needs & Need.LINE_END:
        text = _NEWLINE.sub("\n", text)
    if needs & Need.SPACE:
        text = _SPACE.sub(" ", text)
    if needs & Need.INVISIBLE:
        text = _INVISIBLE.sub("", _SURROGATE.sub("\ufffd", text))
    return text


def _characters(text: str, needs: int, *, expand: bool, half: bool) -> str:
    if needs & Need.MAPPED:
        pattern, table = _mapping(expand, half)
        text = pattern.sub(lambda match: table.get(match[0], match[0]), text)
    if needs & (Need.MARK | Need.MAPPED):
        text = _STACKED.sub(r"\1", text)  # Unicode's stream-safe limit; composing longer runs takes quadratic time
        text = _VOICED.sub(lambda match: _voiced(match[0]), text)
        text = _ACCENTED.sub(lambda match: unicodedata.normalize("NFC", match[0]), text)
    return text


@cache
def _table(expand: bool, half: bool) -> NDArray[np.uint8]:
    """What each code point asks for: a `Need`."""
    import numpy as np

    patterns = {
        Need.LINE_END: _NEWLINE,
        Need.SPACE: _SPACE,
        Need.INVISIBLE: re.compile(f"{_INVISIBLE.pattern}|{_SURROGATE.pattern}"),
        Need.MAPPED: _mapping(expand, half)[0],
        Need.MARK: re.compile(r"[\u0300-\u036f\u3099-\u309c]"),
        Need.CJK: re.compile(f"[{_CJK}]"),
    }
    everything = "".join(map(chr, range(0x110000)))
    table = np.zeros(0x110000, np.uint8)
    for need, pattern in patterns.items():
        table[[match.start() for match in pattern.finditer(everything)]] |= np.uint8(need)
    return table


def _voiced(pair: str) -> str:
    mark = "\u3099" if pair[1] in "\u3099\u309b" else "\u309a"
    composed = unicodedata.normalize("NFC", pair[0] + mark)
    return composed if len(composed) == 1 else pair


@cache
def _mapping(expand: bool, half: bool) -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern that finds every character that is written differently, and what each becomes."""
    data: dict[str, Any] = read_data(Path(__file__).with_suffix(".yaml"))
    pairs = {pair[0]: pair[1] for pair in (data["radicals"] + " " + data["vertical"]).split()}
    ranges = [*data["nfkc"], *(data["expand"] if expand else []), *(data["half"] if half else [])]
    characters = [chr(code) for first, last in ranges for code in range(first, last + 1)]
    table = pairs | {character: unicodedata.normalize("NFKC", character) for character in characters}
    # Ranges, because a set of 1,500 single characters scans at 6 MB/s and these few ranges at 350.
    spans = "".join(f"{chr(first)}-{chr(last)}" for first, last in [*ranges, *data["pairs_within"]])
    return re.compile(f"[{spans}]"), table


def _kutoten(text: str) -> str:
    commas, periods = len(_COMMA.findall(text)), len(_PERIOD.findall(text))
    if commas + periods <= text.count("、") + text.count("。"):
        return text
    return _PERIOD.sub("。", _COMMA.sub("、", text))


def _lines(text: str, close: bool, close_latin: bool, join: bool) -> str:
    """What depends on the kind of line: fenced or indented code and table rows pass as they are."""
    lines: list[str] = []
    fenced = mergeable = False
    for line in text.split("\n"):
        fence = line.lstrip(" \t").startswith(_FENCES)
        fenced ^= fence
        if fence or fenced or line.startswith(("|", "    ", "\t")):
            lines.append(line)
            mergeable = False
            continue
        if join and mergeable and _GOES_ON.match(line) and len(lines[-1]) >= 20 and _WRAPPED.search(lines[-1]):
            lines[-1] = _closed(lines[-1] + line, close, close_latin)
        else:
            lines.append(_closed(line, close, close_latin))
        mergeable = not line.startswith("#")
    return "\n".join(lines)


def _closed(line: str, close: bool, close_latin: bool) -> str:
    if " " not in line:
        return line
    marker = _MARKER.match(line)
    start = marker.end() if marker else 0
    rest = line[start:]
    if close:
        rest = _CJK_SPACE.sub("", rest)
    if close_latin:
        rest = _LATIN_SPACE.sub("", rest)
    return line[:start] + rest


_steps: Registry[Any] = Registry("step")
_steps(normalize)


def check_normalize(options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` as valid options of `normalize`. Raises UsageError, which names the nearest."""
    return _steps.check("normalize", options)
