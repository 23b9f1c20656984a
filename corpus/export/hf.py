"""Hugging Face datasets: Arrow stream files with the two JSON files that `load_from_disk` asks for.

Rows are documents (``id``, ``source``, ``input_ids``, ``length``), or with `length` packed sequences: ``input_ids``,
``position_ids``, which begin at 0 with every document, and ``seq_lengths``, the lengths of the documents in the row,
which TRL's collator reads. The files are mapped, not loaded; `Dataset.from_file` opens each of them alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from corpus.export.split import BATCH_TOKENS, FILE_TOKENS, Output, Split
from registry.packing import Method, Packed

if TYPE_CHECKING:
    import pyarrow as pa

_DOCUMENTS = {"id": "string", "source": "string", "input_ids": ["tokens"], "length": "int32"}
_SEQUENCES = {"input_ids": ["tokens"], "position_ids": ["int32"], "seq_lengths": ["int32"]}


def hf(
    splits: Sequence[Split], *, length: int | None = None, method: Method = "best_fit", seed: int = 0
) -> Iterator[Output]:
    """A folder for `datasets.load_from_disk`, with a folder of Arrow files per split.

    With `length`, rows are sequences of up to that many tokens, packed by `method` with `seed`; else documents.
    """
    names = json.dumps({"splits": [split.name for split in splits]}).encode()
    yield Output("dataset_dict.json", partial(_write, content=names))
    for split in splits:
        packed = split.packed(length, method, seed) if length is not None else None
        columns = _columns(_DOCUMENTS if packed is None else _SEQUENCES, split.dtype)
        runs = split.runs(FILE_TOKENS) if packed is None else _bin_runs(packed)
        files = [f"data-{number:05}-of-{len(runs):05}.arrow" for number in range(len(runs))]
        for name, run in zip(files, runs, strict=True):
            write = partial(_documents, split=split, run=run) if packed is None else partial(
                _sequences, split=split, packed=packed, run=run
            )  # fmt: skip
            tokens = split.count(run) if packed is None else int(_sizes(packed)[run.start : run.stop].sum())
            yield Output(f"{split.name}/{name}", partial(_stream, columns=columns, batches=write), len(run), tokens)
        yield Output(f"{split.name}/dataset_info.json", partial(_write, content=_info(columns)))
        yield Output(f"{split.name}/state.json", partial(_write, content=_state(files, columns, split)))


def _columns(kinds: dict[str, Any], tokens: str) -> dict[str, Any]:
    """Names and types of columns, with the type of tokens in its place."""
    return {
        name: [kind[0].replace("tokens", tokens)] if isinstance(kind, list) else kind for name, kind in kinds.items()
    }


def _info(columns: dict[str, Any]) -> bytes:
    return json.dumps({"features": _features(columns)}, sort_keys=True).encode()


def _features(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"_type": "List", "feature": {"_type": "Value", "dtype": kind[0]}}
        if isinstance(kind, list)
        else {"_type": "Value", "dtype": kind}
        for name, kind in columns.items()
    }


def _state(files: list[str], columns: dict[str, Any], split: Split) -> bytes:
    """What `load_from_disk` wants; the fingerprint names the content, for datasets' own cache."""
    lengths = hashlib.sha256(split.shards.lengths.tobytes())
    lengths.update(json.dumps([files, columns, [path.name for path in split.shards.paths]]).encode())
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in files],
        "_fingerprint": lengths.hexdigest()[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split.name,
    }
    return json.dumps(state, sort_keys=True).encode()


def _write(file: IO[bytes], content: bytes) -> None:
    file.write(content)


def _stream(file: IO[bytes], columns: dict[str, Any], batches: Callable[[], Iterator[list[pa.Array]]]) -> None:
    import pyarrow as pa

    kinds = [
        (name, pa.list_(pa.type_for_alias(kind[0])) if isinstance(kind, list) else pa.type_for_alias(kind))
        for name, kind in columns.items()
    ]
    about = json.dumps({"info": {"features": _features(columns)}}, sort_keys=True)
    schema = pa.schema(kinds, metadata={"huggingface": about})
    with pa.ipc.new_stream(file, schema) as stream:
        for arrays in batches():
            stream.write_batch(pa.record_batch(arrays, schema=schema))


def _documents(split: Split, run: range) -> Iterator[list[pa.Array]]:
    import pyarrow as pa

    for some in split.runs(BATCH_TOKENS, run):
        rows = split.shards[some.start : some.stop]
        lengths = split.shards.lengths[some.start : some.stop]
        tokens = _lists(split.window(some).astype(split.dtype, copy=False), lengths)
        yield [pa.array([row.id for row in rows]), pa.array([row.source for row in rows]), tokens,
               pa.array(lengths.astype(np.int32))]  # fmt: skip


def _sizes(packed: Packed) -> Any:
    return np.add.reduceat(packed.lengths, packed.offsets[:-1]) if len(packed) else packed.lengths


def _bin_runs(packed: Packed, tokens: int = FILE_TOKENS, within: range | None = None) -> list[range]:
    """Bins in runs of about `tokens` tokens."""
    within = within if within is not None else range(len(packed))
    step = max(1, tokens // packed.capacity)
    return [range(at, min(at + step, within.stop)) for at in range(within.start, within.stop, step)]


def _sequences(split: Split, packed: Packed, run: range) -> Iterator[list[pa.Array]]:
    for some in _bin_runs(packed, BATCH_TOKENS, run):
        bins = [split.bin(packed, number) for number in some]
        sizes = np.array([tokens.size for tokens, _ in bins])
        pieces = np.concatenate([lengths for _, lengths in bins])
        positions = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        yield [
            _lists(np.concatenate([tokens for tokens, _ in bins]), sizes),
            _lists(positions.astype(np.int32), sizes),
            _lists(pieces.astype(np.int32), np.array([lengths.size for _, lengths in bins])),
        ]


def _lists(values: Any, lengths: Any) -> pa.Array:
    import pyarrow as pa

    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
