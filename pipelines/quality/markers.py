"""Rules on phrases: navigation, advertising, and words that no corpus wants, from the lists in words/."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from pipelines.quality.phrases import listed
from pipelines.quality.text import Text
from registry.names import rule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ITEMS = re.compile(r"[|｜/／>＞»›・･\s\[\]【】()（）*#●■▶-]+")
_LONGEST_MENU = 200  # characters; a longer line is none


@rule
def navigation(doc: Text) -> float:
    """Share of the lines that consist of menu items: ホーム, サイトマップ, 前のページへ | 次のページへ."""
    from pipelines.quality.openings import find_menus

    could = find_menus(doc.codes, doc.kinds, doc.line_table, _openings(), _LONGEST_MENU)
    return sum(map(_is_menu, doc.strings(could))) / len(doc.line_table) if len(could) else 0.0


@rule
def advertising(doc: Text) -> float:
    """Advertising phrases per 1,000 characters."""
    return 1000 * doc.phrases["advertising"].total() / max(doc.characters, 1)


@rule
def unwanted(doc: Text) -> float:
    """Words of the list of unwanted ones per 1,000 characters."""
    return 1000 * doc.phrases["unwanted"].total() / max(doc.characters, 1)


def _is_menu(line: str) -> bool:
    menu = listed("navigation")
    items = [item for item in _ITEMS.split(line) if item]
    return 2 * sum(1 for item in items if item in menu) > len(items)


@cache
def _openings() -> NDArray[np.bool_]:
    from pipelines.quality.openings import opening_table

    return opening_table(listed("navigation"))
