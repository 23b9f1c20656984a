"""Which format an input is, from its bytes, never from its name.

In: a file (its first 64 KiB). Out: its media type and the name of the extractor that reads it. Text is told from binary
by decoding it, so UTF-16 and Shift_JIS files are text, and a picture called ``report.txt`` is not.
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.extract.encoding import decode
from registry.data import read_data
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HEAD = 64 * 1024
TAR, TAR_AT = b"ustar", 257  # IEEE Std 1003.1, pax
PDF_WITHIN = 1024  # readers accept junk before "%PDF-" (ISO 32000-1, annex H, note 13)
ROOT = re.compile(r"<(?:\w+:)?html\b[^>]*", re.IGNORECASE)
INLINE_XBRL = re.compile(r"""=\s*["']http://www\.xbrl\.org/20\d\d/inlineXBRL["']""")
PROLOGUE = re.compile(r"(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
HTML_ROOT = re.compile(r"<(?:!doctype\s+html|html|head|body|title|meta|script|style)\b", re.IGNORECASE)
HTML_FRAGMENT = re.compile(r"<(?:table|div|p|h[1-6]|ul|ol|dl|font|center|article|section|main|br|b|a)\b", re.IGNORECASE)
MARKDOWN = re.compile(r"^(?:#{1,6} |```|[-*] )", re.MULTILINE)
JSON = re.compile(r'\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\})|\[\s*(?:[\[{"]|\d+\s*[,\]])')
BLANK = "\ufeff\0 \t\r\n\f\v\u3000\xa0"
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
CONTROLS_IN_TEXT = 0.02  # share above which it is no text: old files hold a stray ^Z or two


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What an input is: its media type, and the extractor for it."""

    media_type: str
    format: str


def sniff(path: Path) -> Sniffed:
    """The media type and format of the file at `path`.

    Raises:
        InputError: ``empty`` for nothing or only white space; ``unsupported`` with the media type for what is not read.
    """
    with path.open("rb") as file:
        return sniff_bytes(file.read(HEAD), path.stat().st_size)


def sniff_bytes(head: bytes, size: int) -> Sniffed:
    """The same for the first bytes of an input of `size` bytes."""
    if not head:
        raise InputError("empty", "0 bytes")
    table = _signatures()
    if row := _match(head, table["read"]):
        return Sniffed(row["media_type"], row["format"])
    if b"%PDF-" in head[:PDF_WITHIN]:
        return Sniffed("application/pdf", "pdf")
    if row := _match(head, table["compressed"]):
        return _sniff_compressed(head, row)
    if row := _match(head, table["refused"]):
        raise _refusal(row)
    return _sniff_text(head, whole=len(head) >= size)


@cache
def _signatures() -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = read_data(Path(__file__).with_suffix(".yaml"))
    for row in (row for rows in tables.values() for row in rows if "pattern" not in row):
        row["bytes"] = bytes.fromhex(str(row["hex"])) if "hex" in row else row["text"].encode()
    return tables


def _refusal(row: dict[str, Any]) -> InputError:
    return InputError("unsupported", ", ".join(filter(None, (row["media_type"], row.get("because")))))


def archive_kind(head: bytes) -> str:
    """How the members of a file that begins with `head` are read: "zip", "tar" or "packed"; "" for no archive.

    A packed file of records (WARC, JSON Lines) is none, since its records are read in place; nor is an office file.
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        row = _match(head, _signatures()["refused"])
        return "zip" if row is None or row["media_type"] in {"application/zip", "application/epub+zip"} else ""
    if head.startswith(TAR, TAR_AT):
        return "tar"
    row = _match(head, _signatures()["compressed"])
    inner = _decompress(head, row["suffix"]) if row else b""
    if inner.startswith(TAR, TAR_AT):
        return "tar"
    return "packed" if inner and not (inner.startswith(b"WARC/") or _is_jsonl(decode(inner).text, whole=False)) else ""


def _match(head: bytes, rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    return next((row for row in rows if _matches(head, row["bytes"], row.get("offset", 0))), None)


def _matches(head: bytes, signature: bytes, offset: int | str) -> bool:
    if offset == "zip":  # the names of a ZIP's members tell what is in it
        return head.startswith(b"PK\x03\x04") and signature in head
    return head.startswith(signature, int(offset))


def _sniff_compressed(head: bytes, row: dict[str, Any]) -> Sniffed:
    inner = _decompress(head, row["suffix"])
    if inner.startswith(b"WARC/"):
        found = Sniffed("application/warc", "warc")
    elif inner and _is_jsonl(decode(inner).text, whole=False):
        found = Sniffed("application/jsonl", "jsonl")
    else:
        raise _refusal(row)
    return Sniffed(f"{found.media_type}+{row['suffix']}", found.format)


def _decompress(head: bytes, suffix: str) -> bytes:
    """At most 64 KiB of what `head` unpacks to; what there is when it is cut off; nothing when it is broken."""
    import zstandard

    readers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda packed: zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(packed, HEAD),
        "zstd": lambda packed: zstandard.ZstdDecompressor().stream_reader(packed).read(HEAD),
    }
    try:
        return readers[suffix](head)
    except (zlib.error, zstandard.ZstdError):
        return b""


def _sniff_text(head: bytes, *, whole: bool) -> Sniffed:
    text = decode(head).text
    if whole and not text.strip(BLANK):
        raise InputError("empty", "only white space")
    if len(CONTROL.findall(text)) > CONTROLS_IN_TEXT * len(text):
        raise InputError("unsupported", "application/octet-stream")
    root = ROOT.search(text)
    if root and INLINE_XBRL.search(root.group()):
        return Sniffed("application/xhtml+xml", "filing")
    start = PROLOGUE.sub("", text, count=1)
    for row in _signatures()["marked"]:
        if re.match(row["pattern"], start):
            return Sniffed(row["media_type"], row["format"])
    if HTML_ROOT.match(start) or (HTML_FRAGMENT.match(start) and not MARKDOWN.search(text)):
        return Sniffed("text/html", "html")
    if _is_jsonl(text, whole=whole):
        return Sniffed("application/jsonl", "jsonl")
    if text.startswith("<?xml"):
        raise InputError("unsupported", "application/xml")
    if JSON.match(start):
        raise InputError("unsupported", "application/json")
    return Sniffed("text/plain", "text")


def _is_jsonl(text: str, *, whole: bool) -> bool:
    """Most of the first lines are JSON objects; a single longer line need only begin like one."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not whole and len(lines) == 1:
        return re.match(r'\s*\{\s*"', lines[0]) is not None
    lines = lines[:20] if whole else lines[:-1][:20]
    return 2 * sum(map(_is_object, lines)) > len(lines)


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
