"""Sources other than folders of pages: records packed or not, web archives; and datatrove's blocks in a recipe."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import SAMPLE, TOKENIZER, corpus

import corpus as api

BODY = (
    "当期の売上高は、主力の食品事業が伸びたことから、前期に比べて五％増加した。利益は原料の値上がりにより減少した。{}"
)
PAGE = (SAMPLE / "news" / "aoba_20240806_split.html").read_bytes()


def warc() -> bytes:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True)
    for number, (kind, body) in enumerate((("text/html", PAGE), ("image/png", b"\x89PNG\r\n\x1a\n" + b"0" * 50))):
        headers = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.0")
        record = writer.create_warc_record(
            f"https://example.jp/{number}",
            "response",
            payload=io.BytesIO(body),
            http_headers=headers,
            warc_headers_dict={"WARC-Record-ID": f"<urn:uuid:{number}>", "WARC-Date": "2024-08-06T00:00:00Z"},
        )
        writer.write_record(record)
    return out.getvalue()


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    lines = [json.dumps({"body": BODY.format(i), "key": i}, ensure_ascii=False) for i in range(3)]
    (tmp_path / "in" / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    pq.write_table(
        pa.table({"body": ["配当は、株主に利益を分配するものである。"], "key": ["x"]}), tmp_path / "in" / "b.parquet"
    )
    (tmp_path / "in" / "c.warc.gz").write_bytes(warc())
    (tmp_path / "recipe.yaml").write_text(
        "name: sources\n"
        "sources:\n"
        "  - {name: lines, path: in/a.jsonl.gz, kind: record, licence: x, text: body, id: key}\n"
        "  - {name: table, path: in/b.parquet, kind: record, licence: x, text: body, id: key}\n"
        "  - {name: web, path: in/c.warc.gz, kind: news, licence: x}\n"
        f"tokenize: {{tokenizer: {TOKENIZER}, validation: 0}}\n"
        "dedup: {near: off}\n"
    )
    return tmp_path


def test_records_and_pages_become_documents_with_their_own_ids(domain: Path) -> None:
    done = corpus("build", domain, "--out", domain / "out")
    assert done.returncode == 3
    opened = api.open_build(domain / "out")
    told = {(row["source"], row["part"]): row["fate"] for row in opened.ledger()}
    assert told == {
        ("lines", "0"): "kept",
        ("lines", "1"): "kept",
        ("lines", "2"): "kept",
        ("table", "x"): "kept",
        ("web", "0"): "kept",
        ("web", "1"): "failed",
    }
    page = next(opened.documents(source="web"))
    assert page["metadata"]["url"] == "https://example.jp/0"
    assert page["media_type"] == "application/warc+gzip"
    assert [row["error"] for row in opened.ledger(fate="failed")] == ["unsupported: image/png"]


def test_an_input_that_cannot_be_read_is_a_failed_row(domain: Path) -> None:
    (domain / "in" / "d.jsonl").symlink_to("nowhere")
    (domain / "recipe.yaml").write_text((domain / "recipe.yaml").read_text().replace("in/c.warc.gz", "in/d.jsonl"))
    assert corpus("build", domain, "--out", domain / "out").returncode == 3
    failed = list(api.open_build(domain / "out").ledger(fate="failed"))
    assert [(row["uri"], row["error"]) for row in failed] == [("d.jsonl", "unreadable: No such file or directory")]


def test_a_filter_of_datatrove_judges_and_its_verdict_is_in_the_ledger(domain: Path) -> None:
    block = "[{datatrove.pipeline.filters.GopherQualityFilter: {language: ja, min_doc_words: 60, min_stop_words: 0}}]"
    done = corpus("build", domain, "--out", domain / "out", "--set", f"refine.blocks={block}")
    assert done.returncode == 3, done.stderr
    rejected = list(api.open_build(domain / "out").ledger(fate="rejected"))
    assert {row["source"] for row in rejected} == {"lines", "table", "web"}
    assert all(row["rule"].startswith("datatrove.GopherQualityFilter:gopher_") for row in rejected)
    assert all((row["stage"], row["value"], row["threshold"]) == ("refine", 0.0, 1.0) for row in rejected)
    assert all("hiragana_ratio" in row["measurements"] for row in rejected)
