"""Byte layouts, each read back by a reader written here from the format's own documentation: identical documents."""

from __future__ import annotations

import io
import json
import struct
import tarfile
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import zstandard

from corpus.export import mds as mds_module
from corpus.export import split as split_module
from corpus.export.run import export


def tokens_of(rows):
    return [tokens for _, _, tokens, _ in rows]


def flat(rows):
    return [token for _, _, tokens, _ in rows for token in tokens]


def cut(values, ends):
    return [row.tolist() for row in np.split(values, ends[:-1])]


def test_tokens(made, tmp_path):
    export(made.build, "tokens", tmp_path / "out", {})
    dtype = made.build.manifest.tokenizer["dtype"]
    for split, rows in made.documents.items():
        raw = np.fromfile(tmp_path / "out" / split / "tokens.bin", dtype=dtype)
        offsets = np.load(tmp_path / "out" / split / "document_offsets.npy")
        assert offsets.dtype == np.int64
        assert cut(raw, offsets[1:]) == tokens_of(rows)


def test_tokens_as_torchtitan_wants_them(one, tmp_path):
    export(one.build, "tokens", tmp_path / "out", {"dtype": "uint32"})
    assert np.fromfile(tmp_path / "out/train/tokens.bin", dtype="<u4").tolist() == flat(one.documents["train"])


def test_megatron(made, tmp_path):
    export(made.build, "megatron", tmp_path / "out", {})
    for split, rows in made.documents.items():
        head = (tmp_path / "out" / f"{split}.idx").read_bytes()
        assert head[:9] == b"MMIDIDX\x00\x00"
        version, code, count, documents = struct.unpack_from("<QBQQ", head, 9)
        assert (version, count, documents) == (1, len(rows), len(rows) + 1)
        dtype = np.dtype({8: "<u2", 4: "<i4"}[code])
        lengths = np.frombuffer(head, "<i4", count, 34)
        pointers = np.frombuffer(head, "<i8", count, 34 + 4 * count)
        assert np.frombuffer(head, "<i8", offset=34 + 12 * count).tolist() == list(range(count + 1))
        body = (tmp_path / "out" / f"{split}.bin").read_bytes()
        found = [np.frombuffer(body, dtype, n, p).tolist() for n, p in zip(lengths, pointers, strict=True)]
        assert found == tokens_of(rows)


def test_nanotron(made, tmp_path, monkeypatch):
    monkeypatch.setattr("corpus.export.nanotron.FILE_TOKENS", 3000)
    export(made.build, "nanotron", tmp_path / "out", {})
    dtype = made.build.manifest.tokenizer["dtype"]
    for split, rows in made.documents.items():
        found = []
        for path in sorted((tmp_path / "out" / split).glob("*.ds")):
            found += cut(np.fromfile(path, dtype=dtype), np.fromfile(f"{path}.index", dtype="<u8").astype(np.int64))
        assert found == [tokens for tokens in tokens_of(rows) if tokens]
    assert len(list((tmp_path / "out/train").glob("*.ds"))) > 2


def test_llmc(made, tmp_path, monkeypatch):
    monkeypatch.setattr("corpus.export.llmc.FILE_TOKENS", 3000)
    export(made.build, "llmc", tmp_path / "out", {})
    dtype = made.build.manifest.tokenizer["dtype"]
    magic = {"uint16": [20240520, 1], "uint32": [20240801, 7]}[dtype]
    for split, name in (("train", "train"), ("validation", "val")):
        found = []
        for path in sorted((tmp_path / "out").glob(f"corpus_{name}_*.bin")):
            header = np.fromfile(path, "<i4", 256)
            tokens = np.fromfile(path, dtype, offset=1024)
            assert header[:3].tolist() == [*magic, tokens.size]
            found += tokens.tolist()
        assert found == flat(made.documents[split])


def test_litdata(made, tmp_path, monkeypatch):
    monkeypatch.setattr("corpus.export.litdata.CHUNK_TOKENS", 3000)
    export(made.build, "litdata", tmp_path / "out", {"length": 128})
    for split, rows in made.documents.items():
        index = json.loads((tmp_path / "out" / split / "index.json").read_bytes())
        dtype = {"no_header_tensor:20": "<u2", "no_header_tensor:16": "<i4"}[index["config"]["data_format"][0]]
        found = []
        for chunk in index["chunks"]:
            body = (tmp_path / "out" / split / chunk["filename"]).read_bytes()
            items, begin, end = struct.unpack_from("<III", body)
            assert (items, begin, end) == (1, 12, len(body))
            tokens = np.frombuffer(body, dtype, offset=12)
            assert tokens.size == chunk["dim"]
            found += tokens.tolist()
        assert found == flat(rows)
        assert all(chunk["dim"] % 128 == 0 for chunk in index["chunks"][:-1])


def read_mds(folder):
    """Samples as dictionaries of bytes by column, all of varying size."""
    for shard in json.loads((folder / "index.json").read_bytes())["shards"]:
        body = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert len(body) == shard["raw_data"]["bytes"]
        count = struct.unpack_from("<I", body)[0]
        assert count == shard["samples"]
        offsets = np.frombuffer(body, "<u4", count + 1, 4)
        assert json.loads(body[4 + 4 * (count + 1) : offsets[0]])["column_names"] == shard["column_names"]
        names = shard["column_names"]
        for begin, end in pairwise(offsets):
            sizes = np.frombuffer(body, "<u4", len(names), begin)
            ends = begin + 4 * len(names) + np.cumsum(sizes)
            yield {name: body[e - n : e] for name, n, e in zip(names, sizes, ends, strict=True)}
            assert ends[-1] == end


def read_array(content, dtype):
    assert content[0] >> 2 == 1
    kind = np.dtype(["<u1", "<u2", "<u4"][content[0] & 3])
    size = int(np.frombuffer(content, kind, 1, 1)[0])
    tokens = np.frombuffer(content, dtype, offset=1 + kind.itemsize)
    assert tokens.size == size
    return tokens.tolist()


def test_mds_by_document(made, tmp_path, monkeypatch):
    monkeypatch.setattr(mds_module, "SHARD_BYTES", 8000)
    export(made.build, "mds", tmp_path / "out", {})
    dtype = made.build.manifest.tokenizer["dtype"]
    for split, rows in made.documents.items():
        samples = list(read_mds(tmp_path / "out" / split))
        found = [(sample["id"].decode(), read_array(sample["tokens"], dtype)) for sample in samples]
        assert found == [(name, tokens) for name, _, tokens, _ in rows if tokens]


@pytest.mark.parametrize("method", ["best_fit", "concatenate"])
def test_mds_packed_holds_every_token_once(made, tmp_path, method):
    export(made.build, "mds", tmp_path / "out", {"length": 256, "method": method, "seed": 3})
    dtype = made.build.manifest.tokenizer["dtype"]
    for split, rows in made.documents.items():
        found = [read_array(sample["tokens"], dtype) for sample in read_mds(tmp_path / "out" / split)]
        assert max(map(len, found)) <= 256
        assert sorted(token for row in found for token in row) == sorted(flat(rows))


def read_arrow(folder):
    names = [file["filename"] for file in json.loads((folder / "state.json").read_bytes())["_data_files"]]
    return pa.concat_tables(pa.ipc.open_stream((folder / name).read_bytes()).read_all() for name in names).to_pylist()


def test_hf_by_document(made, tmp_path, monkeypatch):
    monkeypatch.setattr("corpus.export.hf.FILE_TOKENS", 3000)
    monkeypatch.setattr("corpus.export.hf.BATCH_TOKENS", 700)
    export(made.build, "hf", tmp_path / "out", {})
    for split, rows in made.documents.items():
        found = [
            (row["id"], row["source"], row["input_ids"], row["length"]) for row in read_arrow(tmp_path / "out" / split)
        ]
        assert found == [(name, source, tokens, len(tokens)) for name, source, tokens, _ in rows]


def test_hf_packed_keeps_documents_apart(made, tmp_path):
    export(made.build, "hf", tmp_path / "out", {"length": 512})
    for split, rows in made.documents.items():
        found = []
        for row in read_arrow(tmp_path / "out" / split):
            assert len(row["input_ids"]) == sum(row["seq_lengths"]) <= 512
            assert row["position_ids"] == [i for n in row["seq_lengths"] for i in range(n)]
            found += cut(np.array(row["input_ids"]), np.cumsum(row["seq_lengths"]))
        whole = sorted(tokens for tokens in tokens_of(rows) if 0 < len(tokens) <= 512)
        assert [document for document in whole if document in found] == whole
        assert sorted(token for row in found for token in row) == sorted(flat(rows))


def test_row_formats_hold_texts_or_tokens(one, tmp_path):
    import pyarrow.parquet as pq

    def read(to, content, suffix):
        out = tmp_path / f"{to}-{content}"
        export(one.build, to, out, {"content": content})
        return [path for path in sorted((out / "train").iterdir()) if path.name.endswith(suffix)]

    rows = one.documents["train"]
    texts = {"id": [row[0] for row in rows], "text": [row[3] for row in rows]}
    for content, key, wanted in (("text", "text", texts["text"]), ("tokens", "input_ids", tokens_of(rows))):
        lines = b"".join(
            zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read()
            for path in read("jsonl", content, ".jsonl.zst")
        )
        found = [json.loads(line) for line in lines.splitlines()]
        assert [row[key] for row in found] == wanted
        assert [row["id"] for row in found] == texts["id"]
        table = pa.concat_tables(pq.read_table(path) for path in read("parquet", content, ".parquet"))
        assert table[key].to_pylist() == wanted
        members = {}
        for path in read("webdataset", content, ".tar"):
            with tarfile.open(path) as tar:
                members |= {member.name: tar.extractfile(member).read() for member in tar}
        if content == "text":
            assert [members[f"{name}.txt"].decode() for name in texts["id"]] == wanted
        else:
            assert [np.load(io.BytesIO(members[f"{name}.npy"])).tolist() for name in texts["id"]] == wanted
        assert json.loads(members[f"{rows[0][0]}.json"])["source"] == rows[0][1]


def test_runs_hold_every_document_once(one):
    from corpus.export.run import _splits

    split = _splits(one.build)[0]
    assert isinstance(split, split_module.Split)
    for limit in (1, 100, 3000, 10**9):
        runs = split.runs(limit)
        assert [i for run in runs for i in run] == list(range(len(split.shards)))
        assert all(len(run) == 1 or split.count(run) <= limit for run in runs)
