"""Rules on phrases: navigation, advertising, and words that no corpus wants, from the lists in words/."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pipelines.quality.phrases import listed
from pipelines.quality.texts import Column, Texts, of_many, share
from registry.names import rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ITEMS = re.compile(r"[|｜/／>＞»›・･\s\[\]【】()（）*#●■▶-]+")
_LONGEST_MENU = 200  # characters; a longer line is none


@rule
@of_many
def navigation(docs: Texts) -> Column:
    """Share of the lines that consist of menu items: ホーム, サイトマップ, 前のページへ | 次のページへ."""
    from pipelines.quality.openings import find_menus

    menus, (lines, of) = np.zeros(len(docs)), docs.lines
    could = find_menus(docs.codes, docs.kinds, lines, docs.texts, of, _openings(), _LONGEST_MENU)
    for start, end, place in could.tolist():
        menus[place] += _is_menu(docs.words[place].text[start:end])
    return share(menus, docs.lines.each)


@rule
@of_many
def advertising(docs: Texts) -> Column:
    """Advertising phrases per 1,000 characters."""
    return _phrases(docs, "advertising")


@rule
@of_many
def unwanted(docs: Texts) -> Column:
    """Words of the list of unwanted ones per 1,000 characters."""
    return _phrases(docs, "unwanted")


def _phrases(docs: Texts, name: str) -> Column:
    return share(1000 * np.array([found[name].total() for found in docs.phrases]), docs.characters)


def _is_menu(line: str) -> bool:
    menu = listed("navigation")
    items = [item for item in _ITEMS.split(line) if item]
    return 2 * sum(1 for item in items if item in menu) > len(items)


@cache
def _openings() -> NDArray[np.bool_]:
    from pipelines.quality.openings import opening_table

    return opening_table(listed("navigation"))
