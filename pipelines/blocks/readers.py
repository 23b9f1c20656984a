"""datatrove's readers of JSON Lines, Parquet and WARC, with nothing lost on the way.

In: an input of records, packed or not. Out: parts and failures. datatrove's readers skip a bad line with a warning,
drop the rest of a file after one invalid byte, and die of a `null`. Here each of these is a Failure with its place
("line 7", "row 7", "record 7"), and the rest is read.

Reasons of failures: ``bad_json``, ``no_text``, ``no_id``, ``duplicate_id``, ``broken``, ``unsupported``, ``empty``.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import replace
from datetime import date as calendar_date
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from datatrove.pipeline.readers import JsonlReader, ParquetReader, WarcReader
from loguru import logger

from pipelines.extract import Failure, Part
from pipelines.extract.encoding import decode
from pipelines.extract.html import read_html
from pipelines.extract.sniff import HEAD, sniff_bytes
from pipelines.extract.text import read_text
from pipelines.extract.unpacked import Unpacked
from registry.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from datatrove.data import Document

    from pipelines.extract import Raw

logger.disable("datatrove")  # what it warns of is a Failure here

BLANK_LINE = b" \t\r\n"
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,39}", re.ASCII)  # of a key; what else stands there may be text of the document
PAGES = frozenset({"response", "resource", "conversion"})  # the other records describe, they hold no page


def extract_jsonl(
    raw: Raw,
    *,
    text: str = "text",
    id: str = "",  # noqa: A002 - the key's name in recipes
    title: str = "title",
    date: str = "date",
) -> Iterator[Part | Failure]:
    """One part per line. The options name the keys; without `id` a part is called by its line, counted from 0."""
    reader = _Jsonl(str(raw.path.parent), text_key=text, id_key=id, adapter=_adapt, add_file_path=False)
    yield from _parts(reader.read_file(raw.path.name), title, date)


def extract_parquet(
    raw: Raw,
    *,
    text: str = "text",
    id: str = "",  # noqa: A002 - the key's name in recipes
    title: str = "title",
    date: str = "date",
) -> Iterator[Part | Failure]:
    """One part per row. The options name the columns; without `id` a part is called by its row, counted from 0.

    Raises:
        InputError: ``broken`` where it is no Parquet, ``unsupported`` where it has no such column of text.
    """
    reader = _Parquet(str(raw.path.parent), text_key=text, id_key=id, adapter=_adapt)
    reader.add_file_path = False  # no argument of theirs; it would put the absolute path into the metadata
    yield from _parts(reader.read_file(raw.path.name), title, date)


def extract_warc(raw: Raw, *, ruby: Literal["drop", "keep"] = "drop") -> Iterator[Part | Failure]:
    """One part per page that was fetched, named by its WARC-Record-ID; `ruby` as for HTML."""
    reader = _Warc(str(raw.path.parent))
    reader.ruby = ruby
    yield from _unique(reader.read_file(raw.path.name))


def _parts(found: Iterable[Document | Failure], title: str, date: str) -> Iterator[Part | Failure]:
    def part(record: Document | Failure) -> Part | Failure:
        if isinstance(record, Failure):
            return record
        facts = dict(record.metadata)
        return Part(record.text, record.id, title=facts.pop(title, ""), date=facts.pop(date, ""), metadata=facts)

    yield from _unique(map(part, found))


def _unique(found: Iterable[Part | Failure]) -> Iterator[Part | Failure]:
    """No place twice: a part with the id of an earlier one becomes a failure."""
    seen: set[str] = set()
    for number, one in enumerate(found):
        if one.part in seen and isinstance(one, Part):
            yield Failure("duplicate_id", f"the id of an earlier record, at {number}", f"duplicate {number}")
            continue
        while one.part in seen:
            one = replace(one, part=one.part + "'")  # noqa: PLW2901
        seen.add(one.part)
        yield one


def _adapt(reader: Any, record: Mapping[str, Any], _path: str, ordinal: int) -> dict[str, Any]:
    """A datatrove adapter: text, id and every plain value as a string; a nested `metadata` is unfolded."""
    nested = record.get("metadata")
    fields = {**(nested if isinstance(nested, dict) else {}), **record}
    text = fields.pop(reader.text_key, None)
    name = _plain(fields.pop(reader.id_key, None)) if reader.id_key else str(ordinal)
    facts = {str(key): _plain(value) for key, value in fields.items()}
    return {
        "text": text if isinstance(text, str) and text.strip() else "",
        "id": name,
        "metadata": {key: value for key, value in facts.items() if value},
    }


def _plain(value: Any) -> str:
    """A string, number, truth value or date as a string; nothing for what has parts."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, calendar_date | datetime):
        return value.isoformat()
    return str(value) if isinstance(value, str | int | float) else ""


class _Records:
    """What the readers of records share: a record becomes a document, or a failure that says why not."""

    def record(self, value: Any, ordinal: int, place: str) -> Document | Failure:
        """A document of one JSON object or row."""
        if not isinstance(value, dict):
            return Failure("bad_json", f"{place} is no object but {type(value).__name__}", place)
        document: Any = self.get_document_from_dict(value, "", ordinal)  # type: ignore[attr-defined]
        if document is None:
            return Failure("no_text", f"{place} has no {_lacking(value, self.text_key)}", place)  # type: ignore[attr-defined]
        if not document.id:
            return Failure("no_id", f"{place} has no {self.id_key!r}", place)  # type: ignore[attr-defined]
        return document


def _lacking(record: Mapping[str, Any], key: str) -> str:
    """What a record without text lacks: text under its key, or the key. Of other keys those like names are told."""
    nested = record.get("metadata")
    keys = [*record, *(nested if isinstance(nested, dict) else ())]
    if key in keys:
        return f"text under {key!r}"
    names = [name for name in keys if _NAME.fullmatch(name)]
    return f"key {key!r}" + (f"; {nearest(key, names)}" if names else "")


class _Jsonl(_Records, JsonlReader):  # type: ignore[misc]
    def read_file(self, filepath: str) -> Iterator[Document | Failure]:
        with self.data_folder.open(filepath, "rb", compression=None) as packed:
            stream = Unpacked(packed)
            following = 1  # line, counted as people do
            for number, line in enumerate(io.BufferedReader(stream)):
                whole = line.endswith(b"\n") or not stream.damage
                if whole and line.strip(BLANK_LINE):
                    yield self._line(line.removeprefix(codecs.BOM_UTF8) if number == 0 else line, number)
                following += whole
            if stream.damage:
                place = f"line {following}"
                yield Failure("broken", f"unreadable from {place} on: {stream.damage}", place)

    def _line(self, line: bytes, number: int) -> Document | Failure:
        import orjson

        place = f"line {number + 1}"
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return Failure("bad_json", f"{place}: {error.msg}", place)
        return self.record(value, number, place)


class _Parquet(_Records, ParquetReader):  # type: ignore[misc]
    def read_file(self, filepath: str) -> Iterator[Document | Failure]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self.data_folder.open(filepath, "rb", compression=None) as file:
            try:
                table = pq.ParquetFile(file)
            except (pa.ArrowException, OSError) as error:
                raise InputError("broken", f"no Parquet file: {str(error)[:200]}") from None
            columns = self._columns(table.schema_arrow)
            first = 0
            for group in range(table.num_row_groups):
                yield from self._rows(table, group, first, columns)
                first += table.metadata.row_group(group).num_rows

    def _columns(self, schema: Any) -> list[str]:
        """The columns with plain values; the text must be one of them."""
        import pyarrow as pa

        nested = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)
        columns = [field.name for field in schema if not any(is_(field.type) for is_ in nested)]
        for key in filter(None, (self.text_key, self.id_key)):
            if key not in columns:
                raise InputError("unsupported", f"no plain column {key!r}; {nearest(key, columns)}")
        return columns

    def _rows(self, table: Any, group: int, first: int, columns: list[str]) -> Iterator[Document | Failure]:
        import pyarrow as pa

        row = first
        try:
            for batch in table.iter_batches(batch_size=self.batch_size, row_groups=[group], columns=columns):
                for value in _values(batch):
                    place = f"row {row + 1}"
                    broken = Failure("broken", f"{place} is no valid UTF-8", place)
                    yield broken if value is None else self.record(value, row, place)
                    row += 1
        except (pa.ArrowException, OSError) as error:
            yield Failure("broken", f"rows unreadable from {row + 1} on: {str(error)[:200]}", f"row {row + 1}")


def _values(batch: Any) -> Iterator[dict[str, Any] | None]:
    """The rows of a batch; none for one that holds invalid UTF-8."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        for offset in range(len(batch)):
            try:
                yield batch.slice(offset, 1).to_pylist()[0]
            except UnicodeDecodeError:
                yield None


class _Warc(WarcReader):  # type: ignore[misc]
    ruby: Literal["drop", "keep"] = "drop"

    def read_file(self, filepath: str) -> Iterator[Part | Failure]:
        from warcio.archiveiterator import ArchiveIterator
        from warcio.exceptions import ArchiveLoadFailed

        with self.data_folder.open(filepath, "rb", compression=None) as packed:
            stream = Unpacked(packed)
            number, page = 0, None
            try:
                for number, record in enumerate(ArchiveIterator(io.BufferedReader(stream)), start=1):
                    if record.rec_type in PAGES:
                        page = self._page(record, f"record {number}")
                        yield page
            except (ArchiveLoadFailed, ValueError, EOFError) as error:
                stream.damage = stream.damage or str(error)[:200]
            if stream.damage and not (isinstance(page, Failure) and page.reason == "broken"):
                place = f"record {number + 1}"
                yield Failure("broken", f"unreadable from {place} on: {stream.damage}", place)

    def _page(self, record: Any, place: str) -> Part | Failure:
        name = (record.rec_headers.get_header("WARC-Record-ID") or place).strip("<>").removeprefix("urn:uuid:")
        status = record.http_headers.get_statuscode() if record.http_headers else "200"
        if status != "200":
            return Failure("unsupported", f"HTTP status {status[:3]}", name)
        body = record.content_stream().read()
        if getattr(record.raw_stream, "limit", 0) > 0:
            return Failure("broken", f"{place} is cut off", name)
        try:
            page = self._read(body, _content_type(record), record.rec_headers.get_header("WARC-Target-URI") or "")
        except InputError as error:
            return Failure(error.reason, error.detail, name)
        return replace(page, part=name, metadata={**_crawl(record), **page.metadata})

    def _read(self, body: bytes, content_type: str, url: str) -> Part:
        """A page by what its bytes are; its header only tells a scrap of HTML from text, and the charset."""
        found = sniff_bytes(body[:HEAD], len(body))
        charset = re.search(r"charset=([^;\s]+)", content_type, re.IGNORECASE)
        decoded = decode(body, charset.group(1) if charset else None)
        seen = {"undecodable": float(decoded.undecodable)}
        if found.format in {"html", "filing"} or (found.format == "text" and "html" in content_type):
            return read_html(decoded.text, url=url, ruby=self.ruby, measurements=seen)
        if found.format == "text":
            return replace(read_text(decoded.text, ruby=self.ruby), measurements=seen)
        raise InputError("unsupported", found.media_type)


def _content_type(record: Any) -> str:
    headers = record.http_headers or record.rec_headers
    return (headers.get_header("Content-Type") or "").lower()


def _crawl(record: Any) -> dict[str, str]:
    headers = {"url": "WARC-Target-URI", "crawled": "WARC-Date"}
    return {key: value for key, header in headers.items() if (value := record.rec_headers.get_header(header))}
