"""A tokenizer as files beside each other, as Hugging Face lays them out: which they are, and what they name.

In: a folder, or a tokenizer's file in one. Out: a copy of all that it is made of (and nothing else, where the folder is
a model's), and its control tokens by role.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from registry.errors import UsageError
from registry.publish import replacing

if TYPE_CHECKING:
    from pathlib import Path

_NAMING = ("special_tokens_map.json", "tokenizer_config.json")  # the second one wins
_PARTS = (
    *_NAMING, "tokenizer.json", "*.model*", "added_tokens.json", "chat_template.jinja", "vocab.json", "merges.txt",
)  # fmt: skip


def control_tokens(folder: Path) -> dict[str, str]:
    """Control tokens by role, such as "eos_token", as the files beside a tokenizer name them.

    Raises:
        UsageError: one of these files is not JSON.
    """
    tokens = {}
    for file in (folder / name for name in _NAMING):
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


def copy_tokenizer(source: Path, out: Path) -> None:
    """Copy all that a tokenizer is made of: of its folder, or its file and those beside it that name its tokens."""
    if source.is_dir():
        files = {file for pattern in _PARTS for file in source.glob(pattern)}
    else:
        files = {source, *(file for file in map(source.with_name, _NAMING) if file.is_file())}
    for file in sorted(files):
        with replacing(out / file.name) as temporary:  # a copy: a link would let an edit there reach this one
            shutil.copyfile(file, temporary)
