"""The tokenizer of a run: the model's own, which must be the one that the shards were made with."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import UsageError
from registry.layout import Layout
from registry.manifest import read_manifest

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILES = (
    "tokenizer*.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "vocab.json", "merges.txt",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
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
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
        except Exception as error:  # noqa: BLE001 - the Rust library raises Exception itself
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"{folder} has no tokenizer.json that can be read: {why}") from None
        named = _control_tokens(folder)
        end = tokenizer.token_to_id(named.get("eos_token", ""))
        begin = tokenizer.token_to_id(named.get("bos_token", ""))
        return cls(folder, tokenizer, end if begin is None else begin, end)

    def ids(self, text: str) -> list[int]:
        """The tokens of a text alone."""
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def prompt(self, text: str) -> list[int]:
        """The tokens of a text, after the one that begins texts."""
        return [*([] if self.begin is None else [self.begin]), *self.ids(text)]

    def copy(self, out: Path) -> None:
        """Copy all that it is made of."""
        copy_tokenizer(self.folder, out)


def copy_tokenizer(folder: Path, out: Path) -> None:
    """Copy all that a tokenizer is made of."""
    for pattern in FILES:
        for path in folder.glob(pattern):
            shutil.copyfile(path, out / path.name)


def _control_tokens(folder: Path) -> dict[str, str]:
    found = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            for key, value in json.loads((folder / name).read_text(encoding="utf-8")).items():
                token = value.get("content") if isinstance(value, dict) else value
                if key.endswith("_token") and isinstance(token, str):
                    found[key] = token
    return found


def tokenizer_of(model: Path, builds: list[Path]) -> Tokens:
    """The model's tokenizer, or that of the builds for a model without one.

    Raises:
        UsageError: there is no model, a build was made with another tokenizer, or nobody has one.
    """
    if not (model / "config.json").is_file():
        raise UsageError(f"{model} has no config.json: it is no Hugging Face model")
    own = model / "tokenizer.json"
    folder = model if own.is_file() else next((b / "tokenizer" for b in builds if (b / "tokenizer").is_dir()), model)
    tokens = Tokens.load(folder)
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    for build in builds:
        manifest = read_manifest(Layout(build).manifest)
        if manifest is not None and manifest.tokenizer["sha256"] != digest:
            raise UsageError(
                f"{build} was tokenized with another tokenizer ({manifest.tokenizer['sha256'][:12]}) than that of"
                f" {folder} ({digest[:12]}); set `tokenize.tokenizer` of its recipe to {folder} and build again"
            )
    return tokens
