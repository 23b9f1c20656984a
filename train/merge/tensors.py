"""Checkpoints as named flat tensors on disk: read in pieces by position, written in the order of the file.

The format is safetensors: 8 bytes with the length of a JSON header, the header (name -> dtype, shape, place), the data.
Values come as float32, whatever the file holds, and are rounded once when they are written. numpy knows no bfloat16: it
is the upper half of a float32, so reading is a shift (0.14 ns a value) and writing a round-half-to-even in integers
(0.4 ns). Files are read, not mapped, which is faster (0.23 ns against 0.37), and holds no memory.

What is read is hashed on the way, while it is in the cache: BLAKE3 (`b3sum` checks it) takes 0.15 to 0.35 ns a byte,
SHA-256 0.5, which was as long as all the rest of a merge. A thread that read and hashed ahead made it slower; two that
merged a tensor each, and one that hashed behind them, took 0.75 of the time for TIES, and 1.4 of the CPU seconds.

https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import FileIO
from math import prod
from mmap import mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from blake3 import blake3

from registry.errors import RecordError, UsageError
from train.files import read_json

Float32 = np.typing.NDArray[np.float32]

CHUNK = 1 << 17  # values that are worked on at once
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
BESIDE = ("config.json", "adapter_config.json", "tokenizer.json")
BUFFERS = (".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq")  # in old files; they are made anew
_LARGEST_HEADER = 100 << 20
_PAGE = 4096
_BLOCK = 1 << 19  # bytes that are read and hashed at once, while they are in the cache
_FLUSHED = 1 << 24  # bytes that are written before they go to the disk


def keep_memory() -> None:
    """Have the memory of freed arrays used again, not given back and taken page by page: 7 % of TIES for 110 M.

    glibc keeps twice the largest block that was freed so far, mallopt(3); this one is never touched.
    """
    np.empty(16 << 20, dtype=np.uint8)


class File(FileIO):
    """A file that is read by position; what is read next to what was hashed is hashed, too.

    Raises:
        UsageError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from None
        self.path, self.size = path, os.fstat(self.fileno()).st_size
        self._hash, self._hashed = blake3(), 0  # bytes
        self._buffer = mmap(-1, _PAGE + _BLOCK)

    def fill(self, at: int, into: memoryview) -> None:
        """Fill `into` with the bytes from position `at` on.

        Raises:
            RecordError: the file became shorter.
        """
        for start in range(0, len(into), _BLOCK):
            piece = into[start : start + _BLOCK]
            if os.preadv(self.fileno(), [piece], at + start) != len(piece):
                raise RecordError(f"{self.path} was cut off while it was read")
            if at + start <= self._hashed < at + start + len(piece):
                self._hash.update(piece[self._hashed - at - start :])
                self._hashed = at + start + len(piece)

    def view(self, at: int, count: int) -> memoryview:
        """The `count` bytes from position `at` on, until the next call.

        They lie in a page where they lie in the file: a copy takes 0.08 ns a byte then, elsewhere 0.07 to 0.32, the
        most where it goes 8 bytes further on in a page.
        """
        begin, end = at % _PAGE, at % _PAGE + count
        room = self._buffer if end <= len(self._buffer) else mmap(-1, end)
        found = memoryview(room)[begin:end]
        self.fill(at, found)
        return found

    def digest(self) -> str:
        """BLAKE3 of the whole file, of which what was not hashed yet is read now."""
        while self._hashed < self.size:
            self.view(self._hashed, min(_BLOCK, self.size - self._hashed))
        return str(self._hash.hexdigest())


class Tensor(NamedTuple):
    """Where a tensor lies: its file, its first byte, and what it is."""

    file: File
    offset: int
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Its values."""
        return prod(self.shape)

    def stored(self) -> np.typing.NDArray[np.uint8]:
        """All of its bytes, as they are stored."""
        return np.frombuffer(self.file.view(self.offset, self.size * SIZES[self.dtype]), np.uint8)

    def read(self, start: int, out: Float32) -> None:
        """Fill `out` [n] with the values from number `start` on."""
        size = SIZES[self.dtype]
        at = self.offset + start * size
        if self.dtype == "F32":
            self.file.fill(at, out.data.cast("B"))
        else:
            _decode(np.frombuffer(self.file.view(at, out.size * size), FLOATS[self.dtype]), self.dtype, out)

    def sample(self, starts: Sequence[int], out: Float32) -> None:
        """Fill the rows of `out` [starts, n] with the values from each of the numbers on."""
        stored = np.empty(out.shape, dtype=FLOATS[self.dtype])
        for start, row in zip(starts, stored, strict=True):
            self.file.fill(self.offset + start * SIZES[self.dtype], row.data.cast("B"))
        _decode(stored, self.dtype, out)

    def array(self) -> Float32:
        """All of it."""
        out = np.empty(self.shape, dtype=np.float32)
        self.read(0, out.reshape(-1))
        return out


def _decode(stored: np.typing.NDArray[Any], dtype: str, out: Float32) -> None:
    if dtype == "BF16":
        bits = out.view(np.uint32)
        bits[:] = stored
        np.left_shift(bits, 16, out=bits)
    else:
        out[:] = stored


class Checkpoint(ExitStack):
    """A folder of safetensors files, or one file: `tensors` by name, `files` with the names each of them holds.

    Buffers, which no model needs, are left out.

    Raises:
        UsageError: there is none.
        RecordError: a file is damaged; the message names it.
    """

    def __init__(self, folder: Path, single: str = WEIGHTS) -> None:
        super().__init__()
        self.folder = folder
        self._open = [self.enter_context(File(folder / name)) for name in _file_names(folder, single)]
        self.files = {file.path.name: _read_header(file) for file in self._open}
        self.tensors = {name: tensor for held in self.files.values() for name, tensor in held.items()}

    def digests(self) -> dict[str, str]:
        """BLAKE3 by the name of the file: of the tensors, and of what else in the folder a merge depends on."""
        beside = [self.folder / name for name in BESIDE if (self.folder / name).is_file()]
        found = {file.path.name: file.digest() for file in self._open}
        return found | {path.name: blake3(path.read_bytes()).hexdigest() for path in beside}


def _file_names(folder: Path, single: str) -> list[str]:
    if (folder / single).is_file():
        return [single]
    index = read_json(folder / INDEX, f"{folder} holds no checkpoint: neither {single} nor {INDEX}")
    try:
        names = sorted(set(index["weight_map"].values()))
        if any("/" in name or name.startswith(".") for name in names):
            raise RecordError(f"{folder / INDEX} names files outside its folder")
    except (KeyError, TypeError, AttributeError):
        raise RecordError(f"{folder / INDEX} is damaged") from None
    return names


def _read_header(file: File) -> dict[str, Tensor]:
    """The tensors of a file in their order there."""
    try:
        length = int.from_bytes(file.view(0, min(8, file.size)), "little")
        if length > min(file.size, _LARGEST_HEADER):
            raise ValueError("its header is longer than the file")  # noqa: TRY301 - told as all others below
        header = json.loads(bytes(file.view(8, length)))
        entries = {n: _tensor(file, 8 + length, e) for n, e in header.items() if n != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordError(f"{file.path} is not a safetensors file that can be read: {error}") from None
    ordered = sorted(entries.items(), key=lambda item: item[1].offset)
    return {name: tensor for name, tensor in ordered if not name.endswith(BUFFERS)}


def _tensor(file: File, data: int, entry: Mapping[str, Any]) -> Tensor:
    dtype, shape = entry["dtype"], tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if dtype not in SIZES:
        raise ValueError(f"dtype {dtype} is not among {', '.join(SIZES)}")
    if begin < 0 or any(n < 0 for n in shape) or end - begin != prod(shape) * SIZES[dtype]:
        raise ValueError("shapes and offsets do not agree")
    if data + end > file.size:
        raise ValueError("it is cut off")
    return Tensor(file, data + begin, dtype, shape)


def encode(values: Float32, dtype: str) -> np.typing.NDArray[Any]:
    """Values as they are stored, rounded half to even; `values` is overwritten."""
    if dtype != "BF16":
        return values.astype(FLOATS[dtype], copy=False)
    bits = values.view(np.uint32)
    odd = bits >> 16
    np.bitwise_and(odd, 1, out=odd)
    np.add(odd, 0x7FFF, out=odd)
    if not math.isfinite(float(np.dot(values, values))):  # 0.03 ns a value, against 0.2 for np.isfinite
        odd[~np.isfinite(values)] = 0  # the carry would turn NaN into -0
    np.add(bits, odd, out=bits)
    np.right_shift(bits, 16, out=bits)
    return bits.astype(np.uint16)


def write(
    path: Path, entries: Mapping[str, tuple[str, tuple[int, ...]]], data: Iterator[np.typing.NDArray[Any]]
) -> None:
    """Write a file of tensors (name -> dtype and shape), whose `data` come in their order, in pieces of any size.

    Its room is taken first: a disk that is too small is told at once, and the writing takes half the time (0.12 ns a
    byte against 0.24). Tensors begin at a page, as copying to elsewhere takes half as long again, and twice where the
    low bits of both addresses are near each other. What was written goes to the disk while the next is made, so that
    syncing it at the end takes half as long: a merge of 0.9 GB 3.8 s instead of 4.7.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in entries.items():
        end = at + prod(shape) * SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _PAGE)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 8 + len(text) + at)
        file.write(len(text).to_bytes(8, "little") + text)
        written = flushed = 0
        for piece in data:
            written += file.write(piece.data.cast("B"))
            if written - flushed >= _FLUSHED:
                os.posix_fadvise(file.fileno(), flushed, written - flushed, os.POSIX_FADV_DONTNEED)  # begins it
                flushed = written
        if written != at:
            raise RecordError(f"{path}: {written} bytes of tensors came where {at} were to")
