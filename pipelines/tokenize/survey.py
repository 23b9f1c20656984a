"""A sample of the corpus, before it is tokenized: may fastokens do it, and what does the tokenizer lose?

In: up to 256 documents from all over the corpus. Out: whether `fastokens` gave the very ids of `tokenizers` for each of
them, and the characters that do not come back from ids, most frequent first. A tokenizer that folds ㈱ into (株), or
drops line ends, is not wrong, but whoever trains with it should know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.tokenize.fast import load_fast

if TYPE_CHECKING:
    from pipelines.tokenize import Encoder, LanguageTokenizer

EXAMPLES = 20
_FRAME = "あ"  # stands on both sides of a character, so that a space at an end is not what is tested


@dataclass(frozen=True, slots=True)
class Loss:
    """A character that comes back from ids as something else."""

    character: str
    becomes: str
    count: int  # in the sample


@dataclass(frozen=True, slots=True)
class Survey:
    """What a sample tells of a tokenizer. `losses` are the most frequent; `lost` counts all, of `characters`."""

    documents: int
    characters: int
    fast: bool
    lost: int
    losses: tuple[Loss, ...]

    def lines(self) -> list[str]:
        """What a person should know; nothing where there is nothing to tell."""
        if not self.lost:
            return []
        shown = ", ".join(f"{loss.character!r} -> {loss.becomes!r} ({loss.count:,})" for loss in self.losses[:5])
        share = 100 * self.lost / self.characters
        return [f"the tokenizer does not keep {self.lost:,} characters of a sample ({share:.2g} %): {shown}"]

    def record(self) -> dict[str, Any]:
        """For the manifest: the same whether or not fastokens is installed."""
        examples = [[loss.character, loss.becomes, loss.count] for loss in self.losses]
        return {"documents": self.documents, "characters": self.characters, "lost": self.lost, "examples": examples}


def survey(tokenizer: LanguageTokenizer, texts: Sequence[str]) -> Survey:
    """What `texts` tell of `tokenizer`."""
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    losses = _losses(tokenizer.encoder, Counter("".join(clean)))
    fast = load_fast(tokenizer.encoder)
    agrees = bool(clean) and fast is not None and _agree(tokenizer.encoder, fast, clean)
    lost = sum(loss.count for loss in losses)
    return Survey(len(clean), sum(map(len, clean)), agrees, lost, tuple(losses[:EXAMPLES]))


def _agree(one: Encoder, other: Encoder, texts: list[str]) -> bool:
    try:
        ids, offsets = other.encode(texts)
    except Exception:  # noqa: BLE001 - a library that cannot encode the sample does not agree
        return False
    wanted, places = one.encode(texts)
    return np.array_equal(ids, wanted) and np.array_equal(offsets, places)


def _losses(encoder: Encoder, counts: Counter[str]) -> list[Loss]:
    """Characters by how often they stand in the sample; each is tried between two others that come back."""
    characters = sorted(counts)
    ids, offsets = encoder.encode([f"{_FRAME}{character}{_FRAME}" for character in characters])
    losses = []
    for character, begin, end in zip(characters, offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        back = encoder.decode(ids[begin:end].tolist()).strip(" ")
        if back != f"{_FRAME}{character}{_FRAME}":
            losses.append(Loss(character, back.removeprefix(_FRAME).removesuffix(_FRAME), counts[character]))
    return sorted(losses, key=lambda loss: (-loss.count, loss.character))
