"""Plain text, sources of textbooks and Aozora Bunko files -> one document.

In: text in any Japanese encoding. Out: its text, a title from the first heading or the front matter, and, for Aozora
Bunko files (recognised by what is in them), title, author and colophon as metadata and the work itself without the
archive's markup: readings 《》, notes ［＃…］, and characters described by number put in as what they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import yaml

from pipelines.extract import Failure, Part
from pipelines.extract.encoding import decode
from pipelines.extract.sources import plain_markdown
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.extract import Raw

Ruby = Literal["drop", "keep"]
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
FENCED = re.compile(r"^(```|~~~).*?(?:^\1|\Z)", re.MULTILINE | re.DOTALL)
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.{0,20000}?)^---[ \t]*\n", re.MULTILINE | re.DOTALL)

# https://www.aozora.gr.jp/annotation/ : the markup of Aozora Bunko
NOTES = re.compile(r"^-{20,}\n【テキスト中に現れる記号について】.*?^-{20,}\n", re.MULTILINE | re.DOTALL)
COLOPHON = re.compile(r"^底本[：:].*", re.MULTILINE | re.DOTALL)
CREDITS = re.compile(r"^(?:入力|校正)[：:]|青空文庫", re.MULTILINE)
RUBY = re.compile(r"《[^》\n]{0,60}》")
NOTE = re.compile(r"［＃(?:[^［］]|［[^［］]*］)*］")
NUMBERED = re.compile(r"※［＃[^［］]*?(?:第[34]水準|、)([12])-(\d{1,2})-(\d{1,2})[^［］]*］")
UNICODE = re.compile(r"※［＃[^［］]*?U\+([0-9A-Fa-f]{4,6})[^［］]*］")
DESCRIBED = re.compile(r"※［＃[^［］]*］")
HEADING_NOTE = re.compile(r"^(.*［＃(?:[^［］]*は)?(?:同行|窓)?([大中小])見出し］.*)$", re.MULTILINE)
HEADING_LEVELS = {"大": "##", "中": "###", "小": "####"}
GETA = "〓"  # what Japanese printing sets for a character that it does not have


def extract_text(raw: Raw, *, ruby: Ruby = "drop") -> Iterator[Part | Failure]:
    """One text file as one document. `ruby`: leave the readings of Aozora Bunko out, or keep them as 《》.

    Raises:
        InputError: ``empty`` where no text is left.
    """
    decoded = decode(raw.path.read_bytes())
    part = read_text(decoded.text.replace("\r\n", "\n").replace("\r", "\n"), ruby=ruby)
    if not part.text:
        raise InputError("empty", "no text in it")
    part.measurements["undecodable"] = float(decoded.undecodable)
    yield part


def read_text(text: str, *, ruby: Ruby = "drop") -> Part:
    """Text that is decoded already, its lines ended as in Unix."""
    if is_aozora(text):
        return _read_aozora(text, ruby)
    text, metadata = _front_matter(text)
    text = plain_markdown(text)
    heading = HEADING.search(FENCED.sub("", text))
    title = metadata.pop("title", "") or (heading.group(1) if heading else "")
    return Part(text.strip("\n"), title=title, date=metadata.pop("date", ""), metadata=metadata)


def _front_matter(text: str) -> tuple[str, dict[str, str]]:
    """The text after its YAML front matter, and the plain values in that; all of it where it is no YAML mapping."""
    found = FRONT_MATTER.match(text)
    try:
        values = yaml.safe_load(found.group(1)) if found else None
    except (yaml.YAMLError, ValueError, RecursionError):
        values = None
    if found is None or not isinstance(values, dict):
        return text, {}
    plain = {
        str(key): str(value)
        for key, value in values.items()
        if value is not None and not isinstance(value, dict | list)
    }
    return text[found.end() :], plain


def is_aozora(text: str) -> bool:
    """Whether the text has the marks of the archive: its explanation of symbols, or a colophon that credits it."""
    colophon = COLOPHON.search(text)
    return NOTES.search(text) is not None or (colophon is not None and CREDITS.search(colophon.group()) is not None)


def _read_aozora(text: str, ruby: Ruby) -> Part:
    text, metadata = _cut_colophon(text)
    header, _, body = text.lstrip("\n").partition("\n\n")
    notes = NOTES.search(text)
    if notes:
        header, body = text[: notes.start()], text[notes.end() :]
    names = [_clean(line, "drop").strip() for line in header.split("\n") if line.strip()]
    metadata |= _names(names[1:])
    return Part(_clean(body, ruby).strip("\n"), title=names[0] if names else "", metadata=metadata)


def _names(lines: list[str]) -> dict[str, str]:
    """The lines under the title: subtitles, then the author, then whoever translated or edited."""
    names: dict[str, str] = {}
    while len(lines) > 1 and re.search(r"[訳編]$", lines[-1]):
        names.setdefault("translator", lines.pop())
    if lines:
        names["author"] = lines.pop()
    if lines:
        names["subtitle"] = " ".join(lines)
    return names


def _cut_colophon(text: str) -> tuple[str, dict[str, str]]:
    colophon = COLOPHON.search(text)
    if colophon is None:
        return text, {}
    lines = [line.strip() for line in colophon.group().split("\n") if line.strip()]
    return text[: colophon.start()], {"colophon": "\n".join(lines), "base_text": lines[0][3:].strip()}


def _clean(text: str, ruby: Ruby) -> str:
    """The work without the archive's markup. The order matters: characters first, since notes may hold them."""
    text = NUMBERED.sub(lambda found: _by_number(*map(int, found.groups())), text)
    text = UNICODE.sub(lambda found: _by_code_point(int(found.group(1), 16)), text)
    text = DESCRIBED.sub(GETA, text)
    text = HEADING_NOTE.sub(
        lambda found: f"{HEADING_LEVELS[found.group(2)]} {NOTE.sub('', found.group(1)).strip()}", text
    )
    text = NOTE.sub("", text).replace("｜", "")
    return text if ruby == "keep" else RUBY.sub("", text)


def _by_number(plane: int, row: int, cell: int) -> str:
    """The character of JIS X 0213 at plane-row-cell."""
    try:
        return bytes([0x8F] * (plane == 2) + [0xA0 + row, 0xA0 + cell]).decode("euc_jis_2004")
    except (UnicodeDecodeError, ValueError):
        return GETA


def _by_code_point(code: int) -> str:
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else GETA
