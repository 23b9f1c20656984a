"""Benchmark files -> items: the question and its choices, and what it quotes.

In: JSON or JSON Lines of any layout that has one object per item: japanese-lm-fin-harness (``data``), lawqa_jp
(``samples``), JGLUE, JSQuAD (nested paragraphs), or your own. Out: `Item`s with an id that a ledger can show.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.errors import UsageError

LISTS = ("data", "samples", "items", "questions", "paragraphs", "qas")
QUOTED = frozenset({"context", "コンテキスト", "passage", "article"})  # long texts that a question is about
IDS = ("id", "q_id", "sentence_pair_id", "question_id", "ファイル名")
TOLD = frozenset({"指示", "instruction", "output", "answer", "label", "comment", "yjcaptions_id", "references", *IDS})


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `own` are its lines and those of its choices, `quoted` those of the text that it is about."""

    id: str
    own: tuple[str, ...]
    quoted: tuple[str, ...]


def read_items(path: Path, exempt: Sequence[str] = ()) -> list[Item]:
    """The items of a file. What stands under the keys in `exempt`, such as statutes that an item quotes, is left out.

    Raises:
        UsageError: the file is not there, or holds no items.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = _values(text)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as benchmark items: {error}") from None
    items = [
        Item(f"{path.stem}:{_name(value, number)}", *_strings(value, frozenset(exempt)))
        for number, value in enumerate(values)
    ]
    found = [item for item in items if item.own or item.quoted]
    if not found:
        raise UsageError(f"{path} holds no benchmark items: one JSON object with texts per item")
    return found


def _values(text: str) -> list[dict[str, Any]]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        whole = [json.loads(line) for line in text.splitlines() if line.strip()]
    return list(_objects(whole))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """The innermost objects of the lists that hold items; what their parents quote goes to each of them."""
    if isinstance(value, list):
        for one in value:
            yield from _objects(one)
    elif isinstance(value, dict):
        nested = [key for key in LISTS if isinstance(value.get(key), list)]
        if not nested:
            yield value
        quoted = {key: value[key] for key in QUOTED if isinstance(value.get(key), str)}
        for key in nested:
            yield from ({**quoted, **one} for one in _objects(value[key]))


def _name(value: dict[str, Any], number: int) -> str:
    return next((str(value[key]) for key in IDS if str(value.get(key) or "")), str(number))


def _strings(value: dict[str, Any], exempt: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    own: list[str] = []
    quoted: list[str] = []
    for key, one in value.items():
        if key not in exempt and key not in TOLD:
            (quoted if key in QUOTED else own).extend(_lines(one))
    return tuple(own), tuple(quoted)


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, list):
        for one in value:
            yield from _lines(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in TOLD:
                yield from _lines(one)
