"""tokenizer.json, by `tokenizers`: the reference for every other library that reads this file.

`encode_batch_fast` skips the offsets that nothing here reads. Control tokens are renamed to what no text contains: a
Unigram model has them among its pieces, and would find a typed ``<EOD|LLM-jp>`` like any other word, whatever
`encode_special_tokens` says. Every other id stays what it was.
"""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.errors import UsageError

if TYPE_CHECKING:
    from pipelines.tokenize import Flat

_UNSPOKEN = "\ufdd0"  # a noncharacter: Unicode keeps it from ever being text


class HuggingFace:
    """A tokenizer.json.

    Args:
        file: where it lies, for messages.
        content: its bytes.
        settings: names of control tokens by role, such as ``eos_token``, from the files beside it.

    Raises:
        UsageError: it is not one.
    """

    def __init__(self, file: Path, content: bytes, settings: dict[str, str]) -> None:
        from tokenizers import Tokenizer

        try:
            tree = json.loads(content)
            names = _control_names(tree, settings)
            self.source = json.dumps(_renamed(tree, names), ensure_ascii=False)  # what other libraries should read
            self._tokenizer = Tokenizer.from_str(self.source)
        except Exception as error:  # noqa: BLE001 - the Rust library raises Exception itself
            raise UsageError(f"{file} is not a tokenizer that can be read: {error!s:.300}") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        self.size = 1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        found = {name: self._tokenizer.token_to_id(new) for name, new in names.items()}
        self.controls: dict[str, int] = {name: number for name, number in found.items() if number is not None}
        self.unknown = _unknown(tree, self.controls)

    def encode(self, texts: list[str]) -> Flat:
        """The ids of texts."""
        ids = array("I")  # takes a list in 20 ns per id, half of what a numpy array of each would need
        ends = [0]
        for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            ids.fromlist(encoding.ids)
            ends.append(len(ids))
        return np.frombuffer(ids, np.uint32), np.array(ends, dtype=np.int64)

    def decode(self, ids: list[int]) -> str:
        """The text of ids."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))


def _control_names(tree: dict[str, Any], settings: dict[str, str]) -> dict[str, str]:
    """What each control token is renamed to. A setting that names a space or a letter means that very text."""
    special = [token["content"] for token in tree.get("added_tokens") or () if token["special"]]
    named = [token for token in settings.values() if len(token.strip()) > 1]
    return {name: f"{_UNSPOKEN}{number}" for number, name in enumerate(dict.fromkeys((*special, *named)))}


def _renamed(tree: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The tokenizer with other names for control tokens, and without the template that would look for the old ones."""
    model = dict(tree["model"])
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(token, token): number for token, number in vocabulary.items()}
    elif isinstance(vocabulary, list):
        model["vocab"] = [[names.get(token, token), score] for token, score in vocabulary]
    if model.get("merges"):
        model["merges"] = [merge for merge in model["merges"] if not _names(merge) & names.keys()]
    if model.get("unk_token"):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    added = [{**token, "content": names.get(token["content"], token["content"])} for token in tree["added_tokens"]]
    return {**tree, "model": model, "added_tokens": added, "post_processor": None}


def _names(merge: str | list[str]) -> set[str]:
    """The tokens of a merge: its two parts and what they make."""
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return {left, right, left + right}


def _unknown(tree: dict[str, Any], controls: dict[str, int]) -> int | None:
    model = tree["model"]
    number = model.get("unk_id")
    return number if isinstance(number, int) else controls.get(model.get("unk_token") or "")
