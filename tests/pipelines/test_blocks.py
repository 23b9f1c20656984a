"""Records are read one by one and none is lost without a word; datatrove's filters judge Japanese text."""

from __future__ import annotations

import gzip
import io
import json
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from datatrove.data import Document
from datatrove.utils.word_tokenizers import load_word_tokenizer
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipelines.blocks.filters import MecabWords, load_block
from pipelines.blocks.readers import extract_jsonl, extract_parquet, extract_warc
from pipelines.extract import Failure, Part, Raw
from registry.errors import InputError, UsageError
from registry.ledger import Verdict

SENTENCE = "当社グループの売上高は前年同期に比べて増加しました。"
FILTERS = "datatrove.pipeline.filters"


def raw(path):
    return Raw(path, path.name, "record", "application/jsonl")


def jsonl(tmp_path, data, name="in.jsonl", **options):
    path = tmp_path / name
    path.write_bytes(data)
    return list(extract_jsonl(raw(path), **options))


LINES = [
    b'{"text": "\xe4\xb8\x80", "title": "T", "date": "2024-01-02", "n": 3, "ok": true, "x": [1], "empty": ""}',
    b"{broken",
    b"null",
    b"[1, 2]",
    b'{"title": "no text"}',
    b'{"text": "   "}',
    b'{"text": 5}',
    b'{"text": "\xff\xfe bytes"}',
    b'{"text": "\\ud800"}',
    b"",
    b'{"text": "\xe4\xba\x8c"}',
]


def test_every_bad_line_is_a_failure_with_its_place_and_the_rest_is_read(tmp_path):
    found = jsonl(tmp_path, b"\n".join(LINES))
    parts = [one for one in found if isinstance(one, Part)]
    failures = [one for one in found if isinstance(one, Failure)]
    assert [(part.text, part.part) for part in parts] == [("一", "0"), ("二", "10")]
    assert [(one.part, one.reason) for one in failures] == [
        ("line 2", "bad_json"),
        ("line 3", "bad_json"),
        ("line 4", "bad_json"),
        ("line 5", "no_text"),
        ("line 6", "no_text"),
        ("line 7", "no_text"),
        ("line 8", "bad_json"),
        ("line 9", "bad_json"),
    ]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"text": ""}, "line 1 has no text under 'text'"),
        ({"metadata": {"text": 3}}, "line 1 has no text under 'text'"),
        ({"test": "a", "id": 1}, "line 1 has no key 'text'; did you mean test?"),
        ({"body": "a", "id": 1}, "line 1 has no key 'text'; known: body, id"),
        ({"body": "a", "a@example.jp": 1, "山田": 2, "a b": 3}, "line 1 has no key 'text'; known: body"),
        ({}, "line 1 has no key 'text'"),
    ],
)
def test_a_record_without_text_tells_which_keys_it_has_but_no_text(tmp_path, record, told):
    assert jsonl(tmp_path, json.dumps(record).encode())[0].detail == told


def test_plain_fields_become_metadata_and_nested_ones_do_not(tmp_path):
    part = jsonl(tmp_path, LINES[0])[0]
    assert (part.title, part.date) == ("T", "2024-01-02")
    assert part.metadata == {"n": "3", "ok": "true"}


def test_ids_are_the_records_own_and_a_repeated_one_is_a_failure(tmp_path):
    lines = [{"k": 7, "body": "a"}, {"k": 7, "body": "b"}, {"body": "c"}, {"k": "line 3", "body": "d"}]
    found = jsonl(tmp_path, "\n".join(map(json.dumps, lines)).encode(), text="body", id="k")
    assert [getattr(one, "reason", one.part) for one in found] == ["7", "duplicate_id", "no_id", "duplicate_id"]
    assert len({one.part for one in found}) == 4


def test_a_failures_place_never_repeats_a_records_id(tmp_path):
    found = jsonl(tmp_path, b'{"k": "line 2", "text": "a"}\n{broken', id="k")
    assert [one.part for one in found] == ["line 2", "line 2'"]


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path):
    assert jsonl(tmp_path, b"\xef\xbb\xbf" + LINES[0])[0].text == "一"


def two_frames(data):
    half = len(data) // 2
    packer = zstandard.ZstdCompressor()
    return packer.compress(data[:half]) + packer.compress(data[half:])


PACKERS = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress, "two zstd frames": two_frames}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_packed_lines_are_read_by_their_bytes_whatever_the_file_is_called(tmp_path, pack):
    data = b"\n".join(json.dumps({"text": f"{n} {SENTENCE}"}).encode() for n in range(2000))
    found = jsonl(tmp_path, pack(data), name="plain.txt")
    assert [part.text for part in found] == [f"{n} {SENTENCE}" for n in range(2000)]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_file_cut_off_gives_what_was_whole_and_one_failure(tmp_path, pack):
    rows = [json.dumps({"text": f"{n} {n * 2654435761 % 10**12}"}) for n in range(20_000)]
    packed = pack("\n".join(rows).encode())
    found = jsonl(tmp_path, packed[: len(packed) * 3 // 4])
    assert all(isinstance(one, Part) for one in found[:-1])
    assert len(found) > 12_000
    assert [part.text for part in found[:-1]] == [json.loads(row)["text"] for row in rows[: len(found) - 1]]
    assert found[-1].reason == "broken"
    assert found[-1].part == f"line {len(found)}"


def parquet(tmp_path, table, **options):
    path = tmp_path / "in.parquet"
    pq.write_table(table, path, row_group_size=options.pop("group", 1000))
    return list(extract_parquet(raw(path), **options))


def test_parquet_rows_without_text_are_failures_and_dates_are_iso(tmp_path):
    when = pa.array([None, None, 1], pa.date32())
    table = pa.table({"body": ["a", None, "c"], "date": when, "vector": [[1.0], [2.0], [3.0]], "n": [1, 2, 3]})
    found = parquet(tmp_path, table, text="body")
    assert [getattr(one, "reason", one.part) for one in found] == ["0", "no_text", "2"]
    assert (found[2].date, found[2].metadata) == ("1970-01-02", {"n": "3"})


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    with pytest.raises(InputError, match="did you mean body"):
        parquet(tmp_path, pa.table({"body": ["a"]}), text="boby")


def test_a_row_that_is_no_utf8_fails_alone(tmp_path):
    wrong = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 1, 2], pa.int32()).buffers()[1], pa.py_buffer(b"a\xff")]
    )
    found = parquet(tmp_path, pa.table({"text": wrong}))
    assert [(one.part, getattr(one, "reason", "")) for one in found] == [("0", ""), ("row 2", "broken")]


def test_a_damaged_row_group_is_one_failure_and_the_others_are_read(tmp_path):
    path = tmp_path / "in.parquet"
    table = pa.table({"text": [f"{n} {SENTENCE}" for n in range(30)]})
    pq.write_table(table, path, row_group_size=10, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data[column.data_page_offset : column.data_page_offset + column.total_compressed_size] = bytes(
        column.total_compressed_size
    )
    path.write_bytes(data)
    found = list(extract_parquet(raw(path)))
    assert [one.part for one in found if isinstance(one, Part)] == [str(n) for n in (*range(10), *range(20, 30))]
    assert [one.reason for one in found if isinstance(one, Failure)] == ["broken"]


def test_what_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1 nonsense")
    with pytest.raises(InputError, match="broken"):
        list(extract_parquet(raw(path)))


PAGE = f"<html><head><title>決算</title></head><body><article><p>{SENTENCE * 20}</p></article></body></html>"


def warc(*records, packed=True):
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=packed)
    writer.write_record(writer.create_warcinfo_record("x.warc", {"software": "test"}))
    for number, (body, status, kind) in enumerate(records):
        headers = StatusAndHeaders(status, [("Content-Type", kind)], protocol="HTTP/1.1")
        record = writer.create_warc_record(
            f"http://example.jp/{number}",
            "response",
            payload=io.BytesIO(body),
            http_headers=headers,
            warc_headers_dict={"WARC-Record-ID": f"<urn:uuid:{number}>", "WARC-Date": "2024-05-06T00:00:00Z"},
        )
        writer.write_record(record)
    return out.getvalue()


RECORDS = [
    (PAGE.encode("cp932"), "200 OK", "text/html; charset=EUC-JP"),
    (b"\x89PNG\r\n\x1a\n0000", "200 OK", "text/html"),
    (b"gone", "404 Not Found", "text/html"),
    (PAGE.encode("euc_jp"), "200 OK", "text/html"),
]


@pytest.mark.parametrize("pack", [True, False])
def test_warc_pages_are_read_and_all_else_is_a_failure(tmp_path, pack):
    path = tmp_path / "crawl"
    path.write_bytes(warc(*RECORDS, packed=pack))
    found = list(extract_warc(raw(path)))
    assert [(one.part, getattr(one, "reason", "")) for one in found] == [
        ("0", ""),
        ("1", "unsupported"),
        ("2", "unsupported"),
        ("3", ""),
    ]
    assert [one.text for one in found if isinstance(one, Part)] == [SENTENCE * 20] * 2
    assert found[0].title == "決算"
    assert found[0].metadata["url"] == "http://example.jp/0"
    assert found[0].metadata["crawled"] == "2024-05-06T00:00:00Z"


@pytest.mark.parametrize("pack", [True, False])
def test_a_warc_cut_off_says_so(tmp_path, pack):
    path = tmp_path / "crawl.warc"
    path.write_bytes(warc(*RECORDS, packed=pack)[:-60])
    found = list(extract_warc(raw(path)))
    assert found[0].text == SENTENCE * 20
    assert found[-1].reason == "broken"


def document(text):
    return Document(text=text, id="x", metadata={})


def test_a_filter_judges_japanese_by_words_of_mecab():
    block = load_block(
        f"{FILTERS}.GopherQualityFilter", {"language": "ja", "min_avg_word_length": 1, "min_stop_words": 0}
    )
    assert isinstance(block.step.language, MecabWords)
    assert block.apply(document(SENTENCE * 20)) is None
    verdict = block.apply(document("短い。"))
    assert verdict == Verdict("refine", "datatrove.GopherQualityFilter:gopher_short_doc", 0.0, 1.0)


def test_a_formatter_changes_the_text():
    block = load_block("datatrove.pipeline.formatters.PIIFormatter", {"remove_ips": False})
    changed = document("連絡先 taro@kabu.co.jp です")
    assert block.apply(changed) is None
    assert "taro@kabu" not in changed.text


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        (f"{FILTERS}.GopherQualtyFilter", {}, "did you mean GopherQualityFilter"),
        (f"{FILTERS}.GopherQualityFilter", {"max_avg_word_lenght": 3}, "did you mean max_avg_word_length"),
        (f"{FILTERS}.GopherQualityFilter", {"exclusion_writer": 1}, "no option 'exclusion_writer'"),
        (f"{FILTERS}.base_filter.BaseFilter", {}, "no filter or formatter 'BaseFilter'"),
        (f"{FILTERS}.LambdaFilter", {}, "needs the option 'filter_function'"),
        (f"{FILTERS}.C4BadWordsFilter", {}, "would download"),
        (f"{FILTERS}.FastTextClassifierFilter", {"model_url": "https://x/y.bin"}, "would download"),
        (f"{FILTERS}.FastTextClassifierFilter", {"model_url": "y.bin", "keep_labels": ["a"]}, "cannot be used"),
        (f"{FILTERS}.FineWebQualityFilter", {"language": "zz"}, "cannot be used"),
        (f"{FILTERS}.nowhere.Filter", {}, "No module named"),
        ("os.path.join", {}, "is no block"),
        ("datatrove.pipeline.filters.c4_filters.os.system", {}, "No module named|is no block|no filter"),
        ("datatrove.executor.LocalPipelineExecutor", {}, "is no block"),
    ],
)
def test_a_block_that_cannot_be_used_is_told_at_load_time(path, options, message):
    with pytest.raises(UsageError, match=message):
        load_block(path, options)


def test_a_filter_that_raises_fails_the_document_and_not_the_build():
    block = load_block(f"{FILTERS}.RegexFilter", {"regex_exp": "x"})
    with pytest.raises(InputError, match="filter_failed"):
        block.apply(Document(text=None, id="x"))  # type: ignore[arg-type]


def test_mecab_words_can_be_sent_to_workers_and_stand_in_for_theirs():
    words = pickle.loads(pickle.dumps(MecabWords()))
    assert load_word_tokenizer(words) is words
    assert hash(words) is not None
    assert words.word_tokenize("売上高は　増加した。\n") == ["売上", "高", "は", "増加", "し", "た", "。"]
    text = "増えた。「減った。」\n以上"
    assert words.sent_tokenize(text) == ["増えた。", "「減った。」", "以上"]
    assert [text[a:b] for a, b in words.span_tokenize(text)] == words.sent_tokenize(text)
