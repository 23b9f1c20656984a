"""Shards: what is written is read, by us and by others; damage is refused; same rows, same bytes."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry import shard as module
from registry.errors import RecordError, UsageError
from registry.shards import Shards, ShardWriter, index_shards

HOUSE = Path(__file__).resolve().parents[2]
ROWS = [("a1", "filings", [1, 2, 3]), ("b2", "教科書", []), ("c3", "news", [65535, 0]), ("d4", "news", [7])]

rows = st.lists(
    st.tuples(
        st.text(max_size=8).filter(lambda s: s.isprintable()),
        st.text("ab金", max_size=3),
        st.lists(st.integers(0, 65535), max_size=20),
    ),
    max_size=30,
)


def write(path, documents=ROWS, dtype="uint16", metadata=None):
    with ShardWriter(path, dtype=dtype, metadata=metadata) as writer:
        for name, source, ids in documents:
            writer.write(name, source, np.array(ids, dtype=np.uint32))
    return path


def plain(shards):
    return [(row.id, row.source, row.input_ids.tolist()) for row in shards]


@settings(max_examples=60, deadline=None)
@given(rows, st.sampled_from(["uint16", "uint32"]), st.integers(1, 5))
def test_what_is_written_is_read(documents, dtype, cut):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_ROWS", cut)
        for number, some in enumerate((documents[:7], documents[7:])):
            write(Path(folder) / f"{number}.arrow", some, dtype)
        shards = Shards(Path(folder))
        assert plain(shards) == documents
        assert len(shards) == len(documents)
        assert shards.lengths.tolist() == [len(ids) for _, _, ids in documents]
        assert shards.tokens == sum(len(ids) for _, _, ids in documents)
        assert all(row.input_ids.dtype == dtype for row in shards)


def test_rows_slices_and_the_last_come_by_number(tmp_path):
    write(tmp_path / "shards" / "train" / "000.arrow")
    shards = Shards(tmp_path)
    assert shards[0][:2] == ("a1", "filings")
    assert shards[-1].input_ids.tolist() == [7]
    assert plain(shards[1:3]) == ROWS[1:3]
    assert plain(shards[::-2]) == ROWS[::-2]
    assert shards.input_ids(2).tolist() == [65535, 0]
    for outside in (4, -5):
        with pytest.raises(IndexError):
            shards[outside]


def test_open_shards_hold_no_file_handles(tmp_path):
    for number in range(20):
        write(tmp_path / f"{number:03}.arrow")
    before = len(list(Path("/proc/self/fd").iterdir()))
    shards = Shards(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) - before < 20
    assert plain(shards) == ROWS * 20


def test_tokens_are_views_of_the_file(tmp_path):
    shards = Shards(write(tmp_path / "000.arrow").parent)
    tokens = shards[0].input_ids
    assert not tokens.flags.owndata
    assert not tokens.flags.writeable
    assert np.shares_memory(tokens, shards.input_ids(0))


def test_pyarrow_reads_a_shard(tmp_path):
    path = write(tmp_path / "000.arrow", metadata={"tokenizer": "0f", "build": "ja"})
    with pa.memory_map(str(path)) as source:
        stream = pa.ipc.open_stream(source)
        table = stream.read_all()
    assert table.schema.metadata == {b"build": b"ja", b"tokenizer": b"0f"}
    assert table.column_names == ["id", "source", "input_ids", "length"]
    assert table["input_ids"].to_pylist() == [ids for _, _, ids in ROWS]
    assert table["length"].to_pylist() == [3, 0, 2, 1]
    assert table.schema.field("input_ids").type == pa.list_(pa.uint16())


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_datasets_reads_a_shard(tmp_path, monkeypatch, dtype):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(module, "BATCH_ROWS", 2)
    found = datasets.Dataset.from_file(str(write(tmp_path / "000.arrow", dtype=dtype)))
    assert [(row["id"], row["source"], row["input_ids"]) for row in found] == ROWS
    assert found.features["input_ids"] == datasets.List(datasets.Value(dtype))


def test_the_same_rows_make_the_same_bytes(tmp_path):
    a = write(tmp_path / "a.arrow", metadata={"x": "1", "y": "2"})
    b = write(tmp_path / "b.arrow", metadata={"y": "2", "x": "1"})
    assert a.read_bytes() == b.read_bytes()


def test_batches_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_TOKENS", 100)
    path = write(tmp_path / "000.arrow", [(f"{i}", "s", [i] * 30) for i in range(20)])
    with pa.memory_map(str(path)) as source:
        sizes = [batch.num_rows for batch in pa.ipc.open_stream(source)]
    assert sizes == [4, 4, 4, 4, 4]


def test_an_exception_leaves_nothing(tmp_path):
    with contextlib.suppress(RuntimeError), ShardWriter(tmp_path / "000.arrow", dtype="uint16") as writer:
        writer.write("a", "s", np.arange(9))
        assert [path.name for path in tmp_path.iterdir()] == [".000.arrow.part"]
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_not_read_and_is_overwritten(tmp_path):
    write(tmp_path / "000.arrow")
    (tmp_path / ".001.arrow.part").write_bytes(b"half")
    assert len(Shards(tmp_path)) == 4
    write(tmp_path / "001.arrow")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000.arrow", "001.arrow"]


@pytest.mark.parametrize("ids", [[65536], [-1]])
def test_tokens_that_do_not_fit_are_refused(tmp_path, ids):
    with pytest.raises(RecordError, match=r"d9.*uint16"), ShardWriter(tmp_path / "0.arrow", dtype="uint16") as writer:
        writer.write("d8", "s", np.array([1]))
        writer.write("d9", "s", np.array(ids))
        writer.write("d10", "s", np.array([], dtype=np.int64))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_cut_off_anywhere_is_refused_by_name(tmp_path):
    path = write(tmp_path / "000.arrow")
    whole = path.read_bytes()
    for end in range(0, len(whole), 16):
        path.write_bytes(whole[:end])
        with pytest.raises(RecordError, match=r"000\.arrow"):
            Shards(tmp_path)


def test_damage_is_refused_or_at_least_harmless(tmp_path):
    path = write(tmp_path / "000.arrow", [(f"{i:032x}", "s", [i] * 9) for i in range(50)])
    whole = path.read_bytes()
    generator = np.random.default_rng(1)
    refused = 0
    for place in generator.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(0, 8))
        path.write_bytes(damaged)
        try:
            read = plain(Shards(tmp_path))
        except RecordError as error:
            refused += "000.arrow" in str(error)
            continue
        assert len(read) <= 50
    assert refused > 30


def test_an_arrow_file_of_something_else_is_refused(tmp_path):
    table = pa.table({"id": ["a"], "text": ["b"]})
    with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    with pytest.raises(RecordError, match="other columns"):
        Shards(tmp_path)


def test_lengths_that_contradict_the_tokens_are_refused(tmp_path):
    path = tmp_path / "x.arrow"
    columns = [pa.array(["a"]), pa.array(["s"]), pa.array([[1, 2]], pa.list_(pa.uint16())), pa.array([3], pa.int32())]
    batch = pa.record_batch(columns, schema=module.schema("uint16"))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        stream.write_batch(batch)
    with pytest.raises(RecordError, match="lengths"):
        Shards(tmp_path)


def test_a_folder_without_shards_is_told_from_an_empty_split(tmp_path):
    with pytest.raises(UsageError, match="no shards"):
        Shards(tmp_path)
    (tmp_path / "shards" / "validation").mkdir(parents=True)
    assert len(Shards(tmp_path, split="validation")) == 0
    write(tmp_path / "shards" / "train" / "0.arrow")
    assert len(Shards(tmp_path / "shards")) == 4


def test_reading_needs_pyarrow_and_numpy_alone():
    script = "import sys; import registry.shards; print(sorted({m.split('.')[0] for m in sys.modules} & {%s}))"
    heavy = "'torch', 'pandas', 'numba', 'scipy', 'datasets', 'tokenizers', 'datatrove', 'pydantic', 'click'"
    out = subprocess.run([sys.executable, "-c", script % heavy], cwd=HOUSE, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def many(folder, files=5, documents=7, seed=0):
    generator = np.random.default_rng(seed)
    for number in range(files):
        ids = [generator.integers(0, 65536, generator.integers(0, 30)).tolist() for _ in range(documents)]
        write(folder / f"{number:03}.arrow", [(f"{number}-{i}", "s", row) for i, row in enumerate(ids)])
    return folder


def test_with_an_index_the_same_is_read_and_shards_are_opened_when_asked_for(tmp_path):
    plainly = plain(Shards(many(tmp_path)))
    index_shards(tmp_path)
    shards = Shards(tmp_path)
    assert shards._opened == {}
    assert shards[10].id == "1-3"
    assert list(shards._opened) == [1]
    assert plain(shards) == plainly
    assert shards.lengths.tolist() == [len(ids) for _, _, ids in plainly]
    assert [name for number in range(5) for name in shards.ids(number)] == [name for name, _, _ in plainly]
    shards.verify()


def test_the_index_is_the_same_for_the_same_shards_and_is_no_shard(tmp_path):
    first = index_shards(many(tmp_path / "a")).read_bytes()
    assert index_shards(many(tmp_path / "b")).read_bytes() == first
    assert len(Shards(tmp_path / "a").paths) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "002.arrow").unlink(), "002.arrow is missing"),
        (lambda folder: write(folder / "009.arrow"), "009.arrow is not in it"),
        (lambda folder: write(folder / "001.arrow"), "001.arrow has another size"),
        (lambda folder: (folder / "shards.index").write_bytes(b"x" * 200), "damaged"),
        (lambda folder: (folder / "shards.index").write_bytes(b""), "damaged"),
    ],
)
def test_an_index_that_is_wrong_is_refused(tmp_path, change, message):
    index_shards(many(tmp_path))
    change(tmp_path)
    with pytest.raises(RecordError, match=message):
        Shards(tmp_path)
    (tmp_path / "shards.index").unlink()
    assert len(Shards(tmp_path)) > 0


def test_an_index_that_is_damaged_anywhere_is_refused_or_harmless(tmp_path):
    path = index_shards(many(tmp_path))
    whole, documents = path.read_bytes(), plain(Shards(tmp_path))
    generator = np.random.default_rng(2)
    for place in generator.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(0, 8))
        path.write_bytes(damaged)
        with contextlib.suppress(RecordError):
            assert plain(Shards(tmp_path)) == documents


def test_one_changed_bit_is_found_by_its_digest(tmp_path):
    index_shards(many(tmp_path))
    path = tmp_path / "003.arrow"
    content = bytearray(path.read_bytes())
    place = content.index(Shards(tmp_path).input_ids(3 * 7 + 5).tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"003\.arrow.*digest"):
        Shards(tmp_path).verify()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_window_is_what_stands_there(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "windows"
    if not folder.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "BATCH_ROWS", 3)
            index_shards(many(folder))
    shards = Shards(folder)
    flat = np.concatenate([row.input_ids for row in shards])
    start = data.draw(st.integers(0, flat.size))
    stop = data.draw(st.integers(start, flat.size))
    assert shards.window(start, stop).tolist() == flat[start:stop].tolist()
    with pytest.raises(IndexError):
        shards.window(start, flat.size + 1)


def test_a_window_inside_a_batch_is_a_view(tmp_path):
    shards = Shards(many(tmp_path))
    assert np.shares_memory(shards.window(0, 8), shards.window(4, 12))


@pytest.mark.parametrize("workers", [1, 2, 3, 50])
def test_workers_share_all_documents_evenly(tmp_path, workers):
    shards = Shards(many(tmp_path))
    shares = [shards.share(rank, workers) for rank in range(workers)]
    assert [i for share in shares for i in share] == list(range(len(shards)))
    sizes = [sum(shards.lengths[share.start : share.stop]) for share in shares]
    assert max(sizes) <= shards.tokens / workers + shards.lengths.max()
    with pytest.raises(IndexError):
        shards.share(workers, workers)


def test_shards_go_to_other_processes_by_name(tmp_path):
    shards = Shards(many(tmp_path))
    sent = pickle.dumps(shards)
    assert len(sent) < 500
    assert plain(pickle.loads(sent)) == plain(shards)


def test_a_document_of_ten_million_tokens(tmp_path):
    long = np.arange(10_000_000) % 65536
    with ShardWriter(tmp_path / "0.arrow", dtype="uint16") as writer:
        writer.write("a", "s", np.array([1]))
        writer.write("b", "s", long)
        writer.write("c", "s", np.array([2]))
    index_shards(tmp_path)
    shards = Shards(tmp_path)
    assert np.array_equal(shards.input_ids(1), long)
    assert shards.window(10_000_000, 10_000_002).tolist() == [long[-1], 2]
