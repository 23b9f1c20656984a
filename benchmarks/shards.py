"""Shards beside the other ways to feed a trainer: loading, opening, tokenizing, packing, exports read back.

    python benchmarks/shards.py [--quick] [--json]

Ways take turns every few milliseconds in one process, several times over, and ratios are of their CPU seconds in the
fastest turn of each piece of work, so that whatever else the machine does falls on all of them alike. Loaders and
readers that are not installed are told and left out; run it with a Python that has megatron-core, mosaicml-streaming
and litdata to compare with them. CORPUS_READERS names such a Python for the exports that are read back. The last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")  # as in a build's worker

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library

import numpy as np
from tokenizers import Tokenizer

from corpus.export import plan
from corpus.export.split import Split
from pipelines.tokenize import Encoded, LanguageTokenizer
from registry.errors import UsageError
from registry.packing import Packed, pack
from registry.shards import Shards, ShardWriter, index_shards

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
DOMAIN = ROOT / "registry" / "domains" / "ja_finance"
LENGTH = 2048
Reader = Callable[[int], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="less data: under a minute")
    parser.add_argument("--json", action="store_true", help="nothing but the JSON on standard output")
    arguments = parser.parse_args()
    told = sys.stderr if arguments.json else sys.stdout
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="shards-") as folder:
        steps = (loading, opening, tokenizing, agreeing, packing, reading_back)
        for step in steps:
            started = time.perf_counter()
            found = step(Path(folder), quick=arguments.quick)
            result |= found
            print(f"{step.__name__} ({time.perf_counter() - started:.0f} s)", file=told)
            for key, value in found.items():
                print(f"  {key}: {value}", file=told)
    print(json.dumps(result))


def turns(ways: dict[str, Callable[[Any], Any]], pieces: list[Any], passes: int) -> dict[str, float]:
    """CPU seconds of each way for all pieces of work, each piece at its fastest of `passes` turns.

    Sums of all turns differ by 10 % between equal ways beside other load. The order is drawn anew for every turn: a way
    that always came after another with the same tables would find them in the cache.
    """
    names = list(ways)
    drawn = random.Random(0)
    fastest = {name: [float("inf")] * len(pieces) for name in names}
    for at in [*range(len(pieces))] * passes:
        drawn.shuffle(names)
        for name in names:
            started = time.process_time()
            ways[name](pieces[at])
            fastest[name][at] = min(fastest[name][at], time.process_time() - started)
    return {name: sum(seconds) for name, seconds in fastest.items()}


def made(folder: Path, tokens: int) -> Split:
    """A split of documents of log-normal lengths with random tokens."""
    rng = np.random.default_rng(0)
    target = folder / "shards" / "train"
    if not target.exists():
        number = 0
        for shard in range(4):
            with ShardWriter(target / f"{shard:05}.arrow", dtype="uint16") as writer:
                while writer.tokens < tokens // 4:
                    ids = rng.integers(0, 50_000, int(rng.lognormal(6.3, 1)) + 1, dtype=np.uint16)
                    writer.write(f"{number:032x}", "source", ids)
                    number += 1
        index_shards(target)
    return Split("train", Shards(target), "uint16", folder)


def write_export(to: str, split: Split, out: Path, **options: Any) -> Path:
    for output in plan(to, [split], options):
        path = out / output.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            output.write(file)
    return out


def loading(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Random sequences of 2,048 tokens as int64 tensors."""
    split = made(folder, 4_000_000 if quick else 8_000_000)
    count = split.shards.tokens // LENGTH - 1
    order = np.random.default_rng(1).permutation(count).tolist()
    readers = dict(_readers(split, folder))

    def reads(read: Reader) -> Callable[[list[int]], None]:
        def work(piece: list[int]) -> None:
            for i in piece:
                read(i)

        return work

    pieces = [order[at : at + 128] for at in range(0, count, 128)]
    seconds = turns({name: reads(read) for name, read in readers.items()}, pieces, passes=3 if quick else 5)
    tokens = sum(map(len, pieces)) * LENGTH / 1e6
    rates = {name: round(tokens / some, 1) for name, some in seconds.items()}
    others = [rate for name, rate in rates.items() if name not in {"memmap", "shards"}]
    return {
        "loader_ratio_memmap": round(seconds["memmap"] / seconds["shards"], 3),
        "loader_mtokens_per_cpu_second": rates,
        "loader_ahead_of_all_others": bool(others) and rates["shards"] > max(others),
    }


def _readers(split: Split, folder: Path) -> Iterator[tuple[str, Reader]]:
    try:
        import torch

        tensor: Callable[[Any], Any] = torch.from_numpy
    except ImportError:
        tensor = np.asarray
    raw = np.memmap(write_export("tokens", split, folder / "tokens") / "train" / "tokens.bin", np.uint16, "r")
    yield "memmap", lambda i: tensor(raw[i * LENGTH : (i + 1) * LENGTH].astype(np.int64))
    yield "shards", lambda i: tensor(split.shards.window(i * LENGTH, (i + 1) * LENGTH).astype(np.int64))
    for name, make in (("datasets", _datasets), ("megatron", _megatron), ("mds", _mds), ("litdata", _litdata),
                       ("nanotron", _datatrove)):  # fmt: skip
        try:
            reader = make(split, folder)
            reader(0)
            yield name, reader
        except Exception as error:  # noqa: BLE001 - whatever a library that is not there, or not whole, raises
            print(f"  {name} left out: {type(error).__name__}: {str(error)[:80]}", file=sys.stderr)


def _sequences(split: Split) -> list[Any]:
    count = split.shards.tokens // LENGTH
    return [split.shards.window(i * LENGTH, (i + 1) * LENGTH) for i in range(count)]


def _datasets(split: Split, folder: Path) -> Reader:
    import datasets
    import pyarrow as pa

    values = pa.array(np.concatenate(_sequences(split)))
    table = pa.table({"input_ids": pa.FixedSizeListArray.from_arrays(values, LENGTH)})
    path = folder / "datasets.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)
    data = datasets.Dataset.from_file(str(path)).with_format("torch")
    return lambda i: data[i]["input_ids"].long()


def _megatron(split: Split, folder: Path) -> Reader:
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    rows = folder / "rows" / "train"
    with ShardWriter(rows / "0.arrow", dtype="uint16") as writer:  # a sequence is a document, for random access to it
        for i, ids in enumerate(_sequences(split)):
            writer.write(f"{i:032x}", "s", ids)
    out = write_export("megatron", Split("train", Shards(rows), "uint16", folder), folder / "megatron")
    data = IndexedDataset(str(out / "train"), mmap=True)
    return lambda i: torch.from_numpy(data[i].astype(np.int64))


def _mds(split: Split, folder: Path) -> Reader:
    import torch
    from streaming import LocalDataset

    out = write_export("mds", split, folder / "mds", length=LENGTH, method="concatenate")
    data = LocalDataset(str(out / "train"))
    return lambda i: torch.from_numpy(data[i]["tokens"].astype(np.int64))


def _litdata(split: Split, folder: Path) -> Reader:
    from litdata import StreamingDataset, TokensLoader

    out = write_export("litdata", split, folder / "litdata", length=LENGTH)
    data = StreamingDataset(str(out / "train"), item_loader=TokensLoader(block_size=LENGTH), shuffle=False)
    return lambda i: data[i].long()


def _datatrove(split: Split, folder: Path) -> Reader:
    from datatrove.utils.dataset import DatatroveFolderDataset

    out = write_export("nanotron", split, folder / "nanotron")
    data = DatatroveFolderDataset(str(out / "train"), seq_len=LENGTH - 1, token_size=2, recursive=False, shuffle=False)
    return lambda i: data[i]["input_ids"]


def opening(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - small enough for both
    """A folder of 1,000 shards, wall milliseconds."""
    target = folder / "thousand"
    with ShardWriter(target / "00000.arrow", dtype="uint16") as writer:
        for i in range(100):
            writer.write(f"{i:032x}", "source", np.arange(500))
    for number in range(1, 1000):
        shutil.copyfile(target / "00000.arrow", target / f"{number:05}.arrow")
    bare = _milliseconds(lambda: Shards(target), 3)
    index_shards(target)
    return {"open_1000_shards_ms": _milliseconds(lambda: Shards(target), 7), "open_1000_without_index_ms": bare}


def _milliseconds(function: Callable[[], Any], times: int) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1e3, 1)


def _texts(size: int) -> list[str]:
    folders = [SHARED / "law" / "2013_text", DOMAIN / "sample" / "laws", DOMAIN / "sample" / "literature"]
    texts = [path.read_text(encoding="utf-8", errors="replace") for f in folders for path in sorted(f.rglob("*.txt"))]
    kept, left = [], size
    for text in texts:
        kept += [text[at : at + 4000] for at in range(0, min(left, 20_000, len(text)), 4000)]
        left -= min(20_000, len(text))
        if left <= 0:
            break
    return kept


def tokenizing(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Texts to a whole shard, beside the bare tokenizer: once with its ids handed out as lists, once only encoding."""
    from pipelines.tokenize.domain import save_tokenizer, train_tokenizer
    from pipelines.tokenize.fast import load_fast

    texts = _texts(400_000 if quick else 3_000_000)
    save_tokenizer(train_tokenizer(iter(texts[::2]), model="bpe", vocabulary=16_000), folder / "bpe")
    ways: dict[str, Callable[[Any], Any]] = {}
    stages: dict[str, LanguageTokenizer] = {}
    for kind, path in (("unigram", DOMAIN / "tokenizer"), ("bpe", folder / "bpe")):
        tokenizer = stages[f"{kind} stage"] = LanguageTokenizer.load(path)
        if fast := load_fast(tokenizer.encoder):
            stages[f"{kind} fastokens stage"] = tokenizer.using(fast)
        one, other = (Tokenizer.from_file(str(path / "tokenizer.json")) for _ in range(2))  # each with its own caches
        ways[f"{kind} encoded"] = partial(one.encode_batch_fast, add_special_tokens=False)
        ways[f"{kind} ids"] = partial(_ids, other)
    ways |= {name: partial(tokenizer.encode, bos=False, eos=True) for name, tokenizer in stages.items()}
    seconds = turns(ways, [texts[at : at + 16] for at in range(0, len(texts), 16)], passes=8)
    for name, tokenizer in stages.items():
        encoded = tokenizer.encode(texts, bos=False, eos=True)
        write = partial(_write_shard, folder / "encoded.arrow", tokenizer.dtype)
        seconds[name] += turns({"write": write}, [encoded], passes=8)["write"]
    size = sum(len(text.encode()) for text in texts) / 1e6
    quickest = seconds.get("bpe fastokens stage")
    return {
        "tokenize_ratio_bare": _least_ratio(seconds, "ids"),
        "tokenize_ratio_bare_encoded_only": _least_ratio(seconds, "encoded"),
        "fastokens_ratio": round(seconds["bpe ids"] / quickest, 2) if quickest else None,
        "tokenize_mb_per_cpu_second": {name: round(size / some, 2) for name, some in seconds.items()},
    }


def _least_ratio(seconds: dict[str, float], bare: str) -> float:
    return round(min(seconds[f"{kind} {bare}"] / seconds[f"{kind} stage"] for kind in ("unigram", "bpe")), 3)


def _ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def _write_shard(path: Path, dtype: Literal["uint16", "uint32"], encoded: Encoded) -> None:
    with ShardWriter(path, dtype=dtype) as writer:
        for begin, end in pairwise(encoded.offsets.tolist()):
            writer.write("0" * 32, "source", encoded.ids[begin:end])


def agreeing(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - nothing is written
    """Which real tokenizers give, in the stage, the ids of their own library for every text of the sample corpus."""
    texts = _sample()[:: 4 if quick else 1]
    files = [*(SHARED / "tokenizers").rglob("*.model*"), *(SHARED / "tokenizers").rglob("tokenizer.json")]
    good = []
    for path in sorted(files):
        tokenizer = LanguageTokenizer.load(path)
        encoded = tokenizer.encode(texts, bos=False, eos=False)
        bare = _bare_rows(path, texts)
        if encoded.ids.tolist() == [number for row in bare for number in row]:
            good += [path.relative_to(SHARED / "tokenizers").as_posix()]
    return {"identical_ids": good, "identical_ids_of": len(files), "identical_ids_characters": sum(map(len, texts))}


def _bare_rows(path: Path, texts: list[str]) -> list[list[int]]:
    if path.suffix == ".json":
        return _ids(Tokenizer.from_file(str(path)), texts)
    from sentencepiece import SentencePieceProcessor

    rows: list[list[int]] = SentencePieceProcessor(model_file=str(path)).encode(texts)
    return rows


def _sample() -> list[str]:
    """The sample corpus: the records of its JSON Lines and whatever else of it is UTF-8, markup and all."""
    texts = []
    for path in sorted((DOMAIN / "sample").rglob("*")):
        if path.is_file() and b"\x00" not in (content := path.read_bytes()):
            texts += content.decode("utf-8", "replace").split("\n\n")
    return texts


def packing(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - needs lengths only
    """Log-normal lengths into bins of 2,048 tokens."""
    count = 1_000_000 if quick else 10_000_000
    lengths = np.random.default_rng(0).lognormal(6.3, 1, count).astype(np.int64)
    started = time.perf_counter()
    best = pack(lengths, LENGTH, seed=0, epoch=0, method="best_fit")
    seconds = time.perf_counter() - started
    laid: Packed = pack(lengths, LENGTH, seed=0, epoch=0, method="concatenate")
    return {
        "pack_fill": round(best.fill, 5),
        "pack_cut_rate": best.cut_rate(lengths),
        "pack_seconds": round(seconds, 2),
        "pack_documents": count,
        "concat_fill": round(laid.fill, 5),
        "concat_cut_rate": round(laid.cut_rate(lengths), 4),
        "greedy_fill": round(_greedy_fill(lengths[:1_000_000].tolist()), 4),
        "greedy_cut_rate": 0.0,
    }


def _greedy_fill(lengths: list[int]) -> float:
    """Documents in their order, a new bin wherever the next does not fit; long ones are cut."""
    bins, room = 1, LENGTH
    for length in lengths:
        whole, rest = divmod(length, LENGTH)
        bins += whole
        if rest > room:
            bins, room = bins + 1, LENGTH
        room -= rest
    return sum(lengths) / (bins * LENGTH)


def reading_back(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - small enough for both
    """Which exports the library that they are for reads, with the very tokens."""
    python = os.environ.get("CORPUS_READERS", sys.executable)
    split = made(folder / "small", 60_000)
    documents = [split.shards.input_ids(i).tolist() for i in range(len(split.shards))]
    flat = [token for row in documents for token in row]
    wanted = {
        "hf": documents,
        "megatron": documents,
        "mds": documents,
        "litdata": [flat[: len(flat) // 64 * 64]],
        "nanotron": flat[: len(flat) // 100 * 100],
    }
    good = []
    for to, tokens in wanted.items():
        out = write_export(to, split, folder / "back" / to, **({"length": 64} if to == "litdata" else {}))
        try:
            found = _read(to, out, python)
        except (ImportError, UsageError) as error:
            print(f"  {to} not read: {error}", file=sys.stderr)
            continue
        good += [to] if (found[0] if to == "nanotron" else found) == tokens else []
    return {"exports_read_back": sorted(good)}


def _read(to: str, out: Path, python: str) -> Any:
    if to == "hf":
        import datasets

        return datasets.load_from_disk(str(out))["train"]["input_ids"][:]
    script = ROOT / "tests" / "corpus" / "export" / "readers.py"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, str(script), to, str(out), "uint16"], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise UsageError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
