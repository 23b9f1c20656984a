"""Exports: the tokens or texts of a build in the layout that another training stack reads.

In: a build and the name of a format, each one file of this package. Out: a folder with a file or folder per split, and
`export.json`, which names every file with its digest and is written last, so a folder without it is not whole.
A format is a function of splits that gives `Output`s: names, and what writes them; its keyword-only parameters are its
options. Every output is a pure function of the build, so a run that was interrupted goes on with the next file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from corpus.export.split import Output, Split
from registry.names import Registry

exporter: Registry[Callable[..., Iterator[Output]]] = Registry("export format")

FORMATS = {
    "hf": "Hugging Face datasets: load_from_disk, Dataset.from_file",
    "jsonl": "JSON Lines, zstd: axolotl, LLaMA-Factory",
    "litdata": "LitData TokensLoader: litgpt, Lightning",
    "llmc": "llm.c, modded-nanogpt",
    "mds": "MosaicML Streaming: llm-foundry, Composer",
    "megatron": ".bin and .idx: Megatron-LM, NeMo, GPT-NeoX, OLMo",
    "nanotron": ".ds of datatrove: nanotron",
    "parquet": "Parquet: anything",
    "tokens": "tokens.bin and document_offsets.npy: nanoGPT, torchtitan, JAX",
    "webdataset": "tar files of WebDataset",
}
for _name in FORMATS:
    exporter.lazy(_name, f"corpus.export.{_name}:{_name}")

__all__ = ["FORMATS", "Output", "Split", "exporter"]


def plan(to: str, splits: Sequence[Split], options: dict[str, Any]) -> list[Output]:
    """The outputs of the format `to`.

    Raises:
        UnknownNameError: there is no such format.
        UsageError: it has no such option, or the option takes another value.
    """
    checked = exporter.check(to, options)
    return list(exporter.get(to)(splits, **checked))
