"""Rules on phrases: navigation, advertising, and words that no corpus wants, from the lists in words/.

A phrase counts only where MeCab sees word boundaries at both of its ends: デリ is found in neither デリバティブ nor
スーパーデリバリー. Substring lists reject 8 of 20 annual reports that way.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np

from pipelines.quality.text import Text
from registry.names import rule

_ITEMS = re.compile(r"[|｜/／>＞»›・･\s\[\]【】()（）*#●■▶-]+")
_LONGEST_MENU = 200  # characters


@rule
def navigation(doc: Text) -> float:
    """Share of the lines that consist of menu items: ホーム, サイトマップ, 前のページへ | 次のページへ."""
    menu = _phrases("navigation")
    return sum(1 for line in doc.lines if len(line) < _LONGEST_MENU and _is_menu(line, menu)) / max(len(doc.lines), 1)


@rule
def advertising(doc: Text) -> float:
    """Advertising phrases per 1,000 characters."""
    return 1000 * _found(doc, "advertising") / max(doc.characters, 1)


@rule
def unwanted(doc: Text) -> float:
    """Words of the list of unwanted ones per 1,000 characters."""
    return 1000 * _found(doc, "unwanted") / max(doc.characters, 1)


def _is_menu(line: str, menu: frozenset[str]) -> bool:
    items = [item for item in _ITEMS.split(line) if item]
    return bool(items) and 2 * sum(1 for item in items if item in menu) > len(items)


def _found(doc: Text, name: str) -> int:
    spans = np.array([match.span() for match in _pattern(name).finditer(doc.text)], np.int32).reshape(-1, 2)
    if not len(spans):
        return 0
    starts, ends = np.isin(spans[:, 0], doc.tokens.start), np.isin(spans[:, 1], doc.tokens.end)
    return int(np.count_nonzero(starts & ends))


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """Any of the phrases, the longest one first."""
    return re.compile("|".join(map(re.escape, sorted(_phrases(name), key=lambda phrase: (-len(phrase), phrase)))))


@cache
def _phrases(name: str) -> frozenset[str]:
    """The lines of words/`name`.txt; a line that begins with # is a comment."""
    lines = Path(__file__).with_name("words").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
