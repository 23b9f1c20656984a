"""Random sequences of a split as int64 tensors: by our shards, by a raw memory-mapped file, and by each peer's loader.

In: a split of random documents. Out: by name, a function from the number of a sequence to its tensor. Peers that are
not installed are told and left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from corpus.export import plan
from corpus.export.split import Split
from registry.shards import Shards, ShardWriter, index_shards

LENGTH = 2048
Reader = Callable[[int], Any]


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


def readers(split: Split, folder: Path) -> Iterator[tuple[str, Reader]]:
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
