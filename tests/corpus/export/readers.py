"""Reads an export with the library it was made for, in whatever environment has it: ``readers.py FORMAT FOLDER DTYPE``.

Prints the documents (or, where a format keeps none apart, one list of tokens) as JSON.
"""

from __future__ import annotations

import json
import sys


def megatron(folder, _dtype):
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    data = IndexedDataset(f"{folder}/train", mmap=True)
    assert len(data.document_indices) == len(data) + 1
    return [data[i].tolist() for i in range(len(data))]


def nanotron(folder, dtype):
    from datatrove.utils.dataset import DatatroveFolderDataset

    data = DatatroveFolderDataset(
        f"{folder}/train", seq_len=99, token_size=2 if dtype == "uint16" else 4, recursive=False, shuffle=False,
        return_positions=True,
    )  # fmt: skip
    items = [data[i] for i in range(len(data))]
    tokens = [token for item in items for token in item["input_ids"].tolist()]
    return [tokens, [position for item in items for position in item["positions"].tolist()]]


def mds(folder, _dtype):
    from streaming import LocalDataset

    return [sample["tokens"].tolist() for sample in LocalDataset(f"{folder}/train")]


def litdata(folder, _dtype):
    from litdata import StreamingDataset, TokensLoader

    data = StreamingDataset(f"{folder}/train", item_loader=TokensLoader(block_size=64), shuffle=False)
    return [[token for i in range(len(data)) for token in data[i].tolist()]]


if __name__ == "__main__":
    read = {"megatron": megatron, "nanotron": nanotron, "mds": mds, "litdata": litdata}[sys.argv[1]]
    print("\n" + json.dumps(read(*sys.argv[2:4])))
