"""A SentencePiece model, by `sentencepiece` itself.

Converting a model to tokenizer.json keeps neither ties nor spaces exactly; the library is 2 MB, needs nothing else,
and hands out numpy arrays (60 MB/s for the BPE of llm-jp 3.1). Its control pieces never match a text.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from registry.errors import UsageError

if TYPE_CHECKING:
    from pipelines.tokenize import Flat


class Piece:
    """A SentencePiece model.

    Args:
        file: where it lies, for messages.
        content: its bytes.
        settings: names of control tokens by role, from the files beside it; else the model's own BOS and EOS.

    Raises:
        UsageError: it is not one.
    """

    def __init__(self, file: Path, content: bytes, settings: dict[str, str]) -> None:
        from sentencepiece import SentencePieceProcessor

        try:
            self._model = SentencePieceProcessor(model_proto=content)
        except (RuntimeError, OSError, TypeError, ValueError):
            raise UsageError(f"{file} is not a SentencePiece model (nor named *.json, a tokenizer.json)") from None
        self.size = int(self._model.get_piece_size())
        self.unknown: int | None = self._model.unk_id()
        pieces = [self._model.id_to_piece(number) for number in range(self.size)]
        named = set(settings.values())
        self.controls = {
            piece: number
            for number, piece in enumerate(pieces)
            if self._model.is_control(number) or (piece in named and len(piece.strip()) > 1)
        }
        own = {"bos_token": self._model.bos_id(), "eos_token": self._model.eos_id()}
        self.controls |= {role: number for role, number in own.items() if role not in settings and number >= 0}

    def encode(self, texts: list[str]) -> Flat:
        """The ids of texts."""
        rows = self._model.encode(texts, out_type="numpy", num_threads=1)
        ends = np.cumsum([0, *(row.size for row in rows)], dtype=np.int64)
        return np.concatenate([np.empty(0, np.uint32), *rows], dtype=np.uint32, casting="unsafe"), ends

    def decode(self, ids: list[int]) -> str:
        """The text of ids."""
        return str(self._model.decode(ids))
