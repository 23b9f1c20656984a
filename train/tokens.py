"""The tokenizer of a run: the model's own, which must be the one that the shards were made with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from registry.errors import UsageError
from registry.layout import Layout
from registry.manifest import read_manifest
from registry.publish import digest
from registry.tokenizer import control_tokens, copy_tokenizer
from train.files import settings


class Tokens(NamedTuple):
    """A tokenizer, the folder it is from, and the ids of its control tokens."""

    folder: Path
    tokenizer: Tokenizer
    begin: int | None  # before a text: BOS, or the token that ends texts where there is none
    end: int | None

    @classmethod
    def load(cls, folder: Path) -> Tokens:
        """Read the tokenizer in a folder.

        Raises:
            UsageError: there is none.
        """
        try:
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
        except Exception as error:  # noqa: BLE001 - the Rust library raises Exception itself
            why = getattr(error, "strerror", None) or error
            raise UsageError(
                f"{folder} has no tokenizer.json that can be read: {why}; transformers writes one by"
                " AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
            ) from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        named = control_tokens(folder)
        begin, end = (tokenizer.token_to_id(named.get(role, "")) for role in ("bos_token", "eos_token"))
        return cls(folder, tokenizer, end if begin is None else begin, end)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text alone."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def prompt(self, text: str) -> list[int]:
        """The tokens of what a model goes on from: with those before it that the tokenizer puts there, never twice."""
        if not text and self.begin is not None:
            return [self.begin]
        begun = self.begin is not None and text.startswith(
            self.tokenizer.decode([self.begin], skip_special_tokens=False)
        )
        return list(self.tokenizer.encode(text, add_special_tokens=not begun).ids)

    def copy(self, out: Path) -> None:
        """Copy all that it is made of."""
        copy_tokenizer(self.folder, out)


def tokenizer_of(model: Path, builds: list[Path]) -> Tokens:
    """The model's tokenizer, or that of the builds for a model without one.

    Raises:
        UsageError: there is no model, a build was made with another tokenizer, or nobody has one.
    """
    settings(model)
    places = [model, *(build / "tokenizer" for build in builds)]
    folder = next((place for place in places if (place / "tokenizer.json").is_file()), model)
    tokens, mine = Tokens.load(folder), digest(folder / "tokenizer.json")
    for build in builds:
        manifest = read_manifest(Layout(build).manifest)
        if manifest is not None and (theirs := manifest.tokenizer["sha256"]) != mine:
            raise UsageError(
                f"{build} was tokenized with another tokenizer ({theirs[:12]}) than that of {folder} ({mine[:12]}); set"
                f" `tokenize.tokenizer` of its recipe to {folder.resolve()} and build again"
            )
    return tokens
