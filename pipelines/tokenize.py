"""Texts -> token ids of the language model, in one flat array.

The tokenizer is a Hugging Face folder with ``tokenizer.json`` or such a file. Each document is encoded whole (pieces
could give other ids at their ends), without the tokenizer's own post-processing, padding or truncation; BOS and EOS are
put where the recipe says. What looks like a control token inside a text is text to tokenizers that can tell them apart.
Flat arrays instead of lists: turning ids into Arrow costs 2 % of the time `tokenizers` takes to make them (2.3 MB/s per
core), and `encode_batch_fast` skips the offsets that nothing here reads.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from registry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

CHARACTERS_AT_ONCE = 1 << 20  # per call, so that memory does not grow with the number of texts


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The tokens of some texts: text i has ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[np.uint32]  # flat
    offsets: NDArray[np.int64]  # [texts + 1]


@dataclass(frozen=True, slots=True, eq=False)
class LanguageTokenizer:
    """A language model's tokenizer.

    Attributes:
        path: its tokenizer.json.
        digest: SHA-256 of that file, in hex.
        vocabulary_size: one more than its largest id, so that all ids are below.
        bos: id of the token that begins a document, if it has one.
        eos: id of the token that ends one, if it has one.
    """

    path: Path
    digest: str
    vocabulary_size: int
    bos: int | None
    eos: int | None
    _tokenizer: Tokenizer = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> LanguageTokenizer:
        """Read a tokenizer from its folder, or from its tokenizer.json (with the settings beside it, if any).

        Raises:
            UsageError: there is none, or it cannot be read.
        """
        from tokenizers import Tokenizer

        file = path / "tokenizer.json" if path.is_dir() else path
        content = _read(file)
        try:
            tokenizer = Tokenizer.from_str(content.decode("utf-8"))
        except Exception as error:  # noqa: BLE001 - the Rust library raises Exception itself
            raise UsageError(f"{file} is not a tokenizer that can be read: {error}") from None
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True
        size = 1 + max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        if size == 0:
            raise UsageError(f"{file} has an empty vocabulary")
        settings = _settings(file.parent)
        bos, eos = (tokenizer.token_to_id(settings.get(key, "")) for key in ("bos_token", "eos_token"))
        return cls(file, hashlib.sha256(content).hexdigest(), size, bos, eos, tokenizer)

    @property
    def dtype(self) -> Literal["uint16", "uint32"]:
        """The smallest type that holds every id."""
        return "uint16" if self.vocabulary_size <= 1 << 16 else "uint32"

    def encode(self, texts: Sequence[str], *, bos: bool, eos: bool) -> Encoded:
        """The tokens of the texts, each begun by BOS and ended by EOS where asked for.

        Raises:
            UsageError: the tokenizer has no such token.
        """
        before = [self._control(self.bos, "BOS", "bos_token")] if bos else []
        after = [self._control(self.eos, "EOS", "eos_token")] if eos else []
        rows = [np.empty(0, dtype=np.uint32)]
        for some in _batches(texts):
            encodings = self._tokenizer.encode_batch_fast(some, add_special_tokens=False)
            rows += [np.array(before + encoding.ids + after, dtype=np.uint32) for encoding in encodings]
        sizes = [row.size for row in rows]  # the first one is 0
        return Encoded(np.concatenate(rows), np.cumsum(sizes, dtype=np.int64))

    def _control(self, token: int | None, name: str, key: str) -> int:
        if token is None:
            raise UsageError(
                f"{name} was asked for, but the tokenizer {self.path} has none: name one of its tokens as {key!r} in"
                f" the tokenizer_config.json beside it, or set {name.lower()}: false"
            )
        return token


def is_validation(document_id: str, fraction: float) -> bool:
    """Whether a document is held out, by its id alone, so the same in every build and order; `fraction` from 0 to 1."""
    digest = hashlib.blake2b(document_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"validation").digest()
    return int.from_bytes(digest, "little") < fraction * (1 << 64)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    room = CHARACTERS_AT_ONCE
    for text in texts:
        batch.append(text.encode("utf-8", "replace").decode("utf-8"))  # a lone surrogate is no character
        room -= len(text)
        if room <= 0:
            yield batch
            batch, room = [], CHARACTERS_AT_ONCE
    if batch:
        yield batch


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"there is no tokenizer at {file}: {error.strerror}; give a folder with a tokenizer.json"
        ) from None


def _settings(folder: Path) -> dict[str, str]:
    """The tokens named in tokenizer_config.json, or in special_tokens_map.json where it does not name them."""
    tokens = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        file = folder / name
        if not file.is_file():
            continue
        try:
            settings = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{file} is not JSON: {error}") from None
        for key, value in settings.items() if isinstance(settings, dict) else ():
            token = value.get("content") if isinstance(value, dict) else value  # an AddedToken may be written out
            if key.endswith("_token") and isinstance(token, str):
                tokens[key] = token
    return tokens
