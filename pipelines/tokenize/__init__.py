"""Texts -> token ids of the language model, in one flat array.

    __init__.py      LanguageTokenizer: which file it is, BOS and EOS, control tokens kept out of texts
    huggingface.py   tokenizer.json, by `tokenizers`
    piece.py         a SentencePiece model, by `sentencepiece`
    fast.py          tokenizer.json, by `fastokens` where it is installed
    survey.py        a sample of the corpus: does fastokens agree, what does the tokenizer lose
    domain.py        a tokenizer of one's own, trained on a build

Each document is encoded whole (pieces could give other ids at their ends), without the tokenizer's own
post-processing, padding or truncation; BOS and EOS are put where the recipe says. What looks like a control token
inside a text is text, so no document can fake the end of another. Flat arrays instead of lists: turning ids into Arrow
costs 2 % of the time `tokenizers` takes to make them (2.3 MB/s per core), and 9 % of fastokens'.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from registry.errors import UsageError
from registry.tokenizer import control_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Flat = tuple[NDArray[np.uint32], NDArray[np.int64]]  # ids laid end to end, and [texts + 1] where each begins

CHARACTERS_AT_ONCE = 1 << 20  # per call, so that memory does not grow with the number of texts


class Encoder(Protocol):
    """What a library does with a tokenizer's file."""

    @property
    def size(self) -> int:
        """One more than the largest id."""

    @property
    def controls(self) -> dict[str, int]:
        """Ids of control tokens by name."""

    @property
    def unknown(self) -> int | None:
        """The id that stands for what the vocabulary has not."""

    def encode(self, texts: list[str]) -> Flat:
        """The ids of texts, with nothing put before or after."""

    def decode(self, ids: list[int]) -> str:
        """The text of ids."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The tokens of some texts: text i has ``ids[offsets[i]:offsets[i + 1]]``."""

    ids: NDArray[np.uint32]  # flat
    offsets: NDArray[np.int64]  # [texts + 1]


@dataclass(frozen=True, slots=True, eq=False)
class LanguageTokenizer:
    """A language model's tokenizer.

    Attributes:
        path: its tokenizer.json or SentencePiece model.
        digest: SHA-256 of that file, in hex.
        vocabulary_size: one more than its largest id, so that all ids are below.
        bos: id of the token that begins a document, if it has one.
        eos: id of the token that ends one, if it has one.
        encoder: what encodes.
    """

    path: Path
    digest: str
    vocabulary_size: int
    bos: int | None
    eos: int | None
    encoder: Encoder = field(repr=False)
    _controls: NDArray[np.uint32] = field(repr=False)  # ids that no text may have, ascending

    @classmethod
    def load(cls, path: Path) -> LanguageTokenizer:
        """Read a tokenizer from its folder, its tokenizer.json or its SentencePiece model.

        BOS and EOS are those that tokenizer_config.json or special_tokens_map.json beside it name, else those that a
        SentencePiece model has itself.

        Raises:
            UsageError: there is none, or it cannot be read.
        """
        from pipelines.tokenize.huggingface import HuggingFace
        from pipelines.tokenize.piece import Piece

        file = _find(path)
        content = _read(file)
        settings = control_tokens(file.parent)
        encoder: Encoder = (HuggingFace if file.suffix == ".json" else Piece)(file, content, settings)
        if encoder.size == 0:
            raise UsageError(f"{file} has an empty vocabulary")
        bos, eos = (encoder.controls.get(settings.get(key, key)) for key in ("bos_token", "eos_token"))
        controls = sorted({number for number in encoder.controls.values() if number != encoder.unknown})
        digest = hashlib.sha256(content).hexdigest()
        return cls(file, digest, encoder.size, bos, eos, encoder, np.array(controls, dtype=np.uint32))

    @property
    def dtype(self) -> Literal["uint16", "uint32"]:
        """The smallest type that holds every id."""
        return "uint16" if self.vocabulary_size <= 1 << 16 else "uint32"

    @property
    def key(self) -> list[object]:
        """All that ids depend on, for fingerprints: the settings beside the file name BOS and EOS."""
        return [self.digest, self.bos, self.eos]

    def using(self, encoder: Encoder) -> LanguageTokenizer:
        """The same tokenizer, with another library at work."""
        return replace(self, encoder=encoder)

    def encode(self, texts: Sequence[str], *, bos: bool, eos: bool) -> Encoded:
        """The tokens of the texts, each begun by BOS and ended by EOS where asked for.

        Raises:
            UsageError: the tokenizer has no such token.
        """
        before = self._control(self.bos, "BOS", "bos_token") if bos else None
        after = self._control(self.eos, "EOS", "eos_token") if eos else None
        flats = [self._without_controls(*self.encoder.encode(some)) for some in _batches(texts)]
        return _framed(*_joined(flats), before, after)

    def _without_controls(self, ids: NDArray[np.uint32], offsets: NDArray[np.int64]) -> Flat:
        """Ids without those of control tokens, which a text can spell only by knowing what they were renamed to."""
        if not self._spans_controls(ids):
            return ids, offsets
        found = np.isin(ids, self._controls)
        return ids[~found], offsets - np.concatenate(([0], np.cumsum(found)))[offsets]

    def _spans_controls(self, ids: NDArray[np.uint32]) -> bool:
        """Whether ids lie where those of control tokens do: mostly first or last, so two comparisons clear a text."""
        if not (self._controls.size and ids.size):
            return False
        return bool(((ids >= self._controls[0]) & (ids <= self._controls[-1])).any())

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


def _joined(flats: list[Flat]) -> Flat:
    """Batches laid end to end; a single one, the usual case, is not copied."""
    if len(flats) == 1:
        return flats[0]
    sizes = [np.diff(offsets) for _, offsets in flats]
    ids = np.concatenate([np.empty(0, np.uint32), *(ids for ids, _ in flats)])
    return ids, np.concatenate([np.zeros(1, np.int64), *sizes]).cumsum()


def _framed(ids: NDArray[np.uint32], offsets: NDArray[np.int64], before: int | None, after: int | None) -> Encoded:
    """Ids with a token before and after each text."""
    frame = [(token, places) for token, places in ((before, offsets[:-1]), (after, offsets[1:])) if token is not None]
    if not frame:
        return Encoded(ids, offsets)
    tokens, places = zip(*frame, strict=True)
    framed = np.insert(ids, np.stack(places, axis=1).ravel(), np.tile(tokens, offsets.size - 1))
    return Encoded(framed, offsets + len(tokens) * np.arange(offsets.size))


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    room = CHARACTERS_AT_ONCE
    for text in texts:
        batch.append(_clean(text))
        room -= len(text)
        if room <= 0:
            yield batch
            batch, room = [], CHARACTERS_AT_ONCE
    if batch:
        yield batch


def _clean(text: str) -> str:
    """The text, with ? where it has a lone surrogate, which is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _find(path: Path) -> Path:
    """The tokenizer's file: of a folder, tokenizer.json if there is one, else its one SentencePiece model."""
    if not path.is_dir() or (path / "tokenizer.json").is_file():
        return path / "tokenizer.json" if path.is_dir() else path
    models = sorted(path.glob("*.model*"))
    if len(models) > 1:
        raise UsageError(f"{path} has several models: name one of {', '.join(model.name for model in models)}")
    return models[0] if models else path / "tokenizer.json"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"there is no tokenizer at {file}: {error.strerror}; give a folder with a tokenizer.json, or a"
            " SentencePiece .model; a path in a recipe is from its folder"
        ) from None


_loaded: dict[object, LanguageTokenizer] = {}


@cache
def load_once(path: Path) -> LanguageTokenizer:
    """The tokenizer at `path`, made once per process, wherever its files lie: 0.3 s for 50,000. Raises as `load`."""
    file = _find(path)
    content = hashlib.sha256(_read(file)).digest(), *control_tokens(file.parent).items()
    if content not in _loaded:
        _loaded[content] = LanguageTokenizer.load(path)
    return replace(_loaded[content], path=file)
