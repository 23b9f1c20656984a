"""A file is what its bytes say, whatever it is called."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipelines.extract.sniff import HEAD, sniff, sniff_bytes
from registry.errors import InputError

IXBRL = '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/{}/inlineXBRL"><body/></html>'
JAPANESE = "当社の売上高は増加しました。\n"
LINE = b'{"text": "a"}\n'


def formats(data):
    return sniff_bytes(data[:HEAD], len(data)).format


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (IXBRL.format(2008).encode("utf-8-sig"), "filing"),
        (IXBRL.format(2013).encode("utf-16"), "filing"),
        (b"<html><p>http://www.xbrl.org/2008/inlineXBRL</p></html>", "html"),
        (b"\n<!-- saved -->\n<!DOCTYPE html><html><body>x", "html"),
        ("<HTML><BODY>金融</BODY></HTML>".encode("cp932"), "html"),
        (b"<div><p>a</p></div>", "html"),
        (b"<!-- English -->\n# Heading\n\ntext", "text"),
        (b"<div align=center>logo</div>\n\n# Heading\n", "text"),
        (b"  %PDF-1.7\n", "pdf"),
        (LINE * 3, "jsonl"),
        (b"{broken\n" + LINE * 9, "jsonl"),
        (b'{"text": "' + b"a" * 2 * HEAD, "jsonl"),
        (gzip.compress(LINE * 10_000, mtime=0), "jsonl"),
        (zstandard.ZstdCompressor().compress(LINE), "jsonl"),
        (b"WARC/1.0\r\nWARC-Type: warcinfo\r\n", "warc"),
        (gzip.compress(b"WARC/1.1\r\n", mtime=0), "warc"),
        *(
            (JAPANESE.encode(codec), "text")
            for codec in ("cp932", "euc_jp", "iso2022_jp", "utf-8", "utf-16", "utf-16-le")
        ),
        (b"# Markdown\n", "text"),
        (b"[link](x) and {braces}", "text"),
    ],
)
def test_formats(data, expected):
    assert formats(data) == expected


def test_parquet(tmp_path):
    path = tmp_path / "x.txt"
    pq.write_table(pa.table({"text": ["a"]}), path)
    assert sniff(path).media_type == "application/vnd.apache.parquet"


def test_packed_records_keep_their_wrapping_in_the_media_type():
    assert sniff_bytes(gzip.compress(LINE, mtime=0), 100).media_type == "application/jsonl+gzip"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty: 0 bytes"),
        (b" \r\n\t", "empty: only white space"),
        ("　\n".encode("utf-16"), "empty: only white space"),
        (b"\x89PNG\r\n\x1a\n....", "unsupported: image/png"),
        (b"\xff\xd8\xff\xe0", "unsupported: image/jpeg"),
        (b"GIF89a", "unsupported: image/gif"),
        (b"PK\x03\x04....mimetypeapplication/epub+zip", r"unsupported: application/epub\+zip"),
        (b"PK\x03\x04....xl/workbook.xml", "unsupported: application/vnd.openxmlformats-officedocument.spreadsheetml"),
        (b"PK\x03\x04....", "unsupported: application/zip"),
        (b"MZ\x90\x00", "unsupported: application/vnd.microsoft.portable-executable"),
        (gzip.compress(b"<html></html>", mtime=0), "unsupported: application/gzip"),
        (b"\x1f\x8b broken", "unsupported: application/gzip"),
        (bytes(range(256)) * 4, "unsupported: application/octet-stream"),
        (b'{\n  "a": 1\n}', "unsupported: application/json"),
        (b'[{"a": 1}]', "unsupported: application/json"),
        (b'<?xml version="1.0"?><note/>', "unsupported: application/xml"),
    ],
)
def test_what_is_not_read_says_what_it_is(data, reason):
    with pytest.raises(InputError, match=reason):
        sniff_bytes(data, len(data))


def test_a_compression_bomb_costs_no_more_than_the_head():
    assert formats(gzip.compress(LINE + b" " * 50_000_000, mtime=0)) == "jsonl"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("edinet_htm/*/*.htm", "filing"),
        ("edinet_fsa_sample/*/*.htm", "filing"),
        ("tdnet/*/*.htm", "filing"),
        ("law/2013_html/*", "html"),
        ("html_gold/*/*.html", "html"),
        ("html_gold/*/*.md", "text"),
        ("aozora/*", "text"),
        ("edinet_csv/*", "edinet_csv"),
        ("pdf/*/*.pdf", "pdf"),
        ("web_ja/*.jsonl", "jsonl"),
    ],
)
def test_real_files(shared_data, pattern, expected):
    files = sorted(shared_data.glob(pattern))
    assert files
    assert {sniff(path).format for path in files} == {expected}
