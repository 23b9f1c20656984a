"""What a character is: its script, and the traits that rules ask for, as tables of code points.

In: scripts.yaml. Out: arrays of 0x20001 entries, the last one for all characters from U+20000 on, which are kanji.
"""

from __future__ import annotations

import unicodedata
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from registry.data import read_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 0x20001


class Script(IntEnum):
    """The script of a character; letters are HIRAGANA to LATIN."""

    SYMBOL = 0
    BLANK = 1
    HIRAGANA = 2
    KATAKANA = 3
    KANJI = 4
    LATIN = 5
    NUMBER = 6
    FOREIGN = 7


class Trait(IntFlag):
    """What else a character may be; the keys of `traits` in scripts.yaml, and three that follow from the code point.

    Scripts take the three bits below, so that one number tells both.
    """

    DASH = 1 << 3
    SEPARATOR = 1 << 4
    STOP = 1 << 5
    CLOSER = 1 << 6
    ENDER = 1 << 7
    AFTER = 1 << 8
    TRACE = 1 << 9
    POINT = 1 << 10
    BULLET = 1 << 11
    ORDINAL = 1 << 12
    DECIMAL = 1 << 13
    RARE = 1 << 14
    UNREADABLE = 1 << 15


@cache
def scripts() -> NDArray[np.uint8]:
    """The `Script` of every character."""
    table = np.fromiter((_general(chr(code)) for code in range(SIZE)), np.uint8, SIZE)
    table[-1] = Script.KANJI
    ranges: dict[str, list[list[int]]] = _data()["scripts"]
    for name, pairs in ranges.items():
        for first, last in pairs:
            table[first : last + 1] = Script[name.upper()]
    return table


@cache
def kinds() -> NDArray[np.uint16]:
    """The `Script` and the `Trait`s of every character."""
    table = scripts().astype(np.uint16)
    given: dict[str, str] = _data()["traits"]
    for name, characters in given.items():
        table[[ord(character) for character in characters if character != " "]] |= np.uint16(Trait[name.upper()])
    table[[code for code in range(SIZE - 1) if chr(code).isdecimal()]] |= np.uint16(Trait.DECIMAL)
    table[_rare()] |= np.uint16(Trait.RARE)
    table[[0xFFFD, *range(0xE000, 0xF900)]] |= np.uint16(Trait.UNREADABLE)
    return table


def _rare() -> NDArray[np.bool_]:
    """Kanji outside JIS X 0208 level 1 (rows 16 to 47), 々〆〇 not counted among them."""
    level_1 = bytes(byte for row in range(0xB0, 0xD0) for cell in range(0xA1, 0xFF) for byte in (row, cell))
    rare: NDArray[np.bool_] = scripts() == Script.KANJI
    rare[[ord(character) for character in level_1.decode("euc_jp", "ignore") + "々〆〇"]] = False
    return rare


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = read_data(Path(__file__).with_name("scripts.yaml"))
    return data


def _general(character: str) -> Script:
    if character.isspace():
        return Script.BLANK
    match unicodedata.category(character)[0]:
        case "L":
            return Script.FOREIGN
        case "N":
            return Script.NUMBER
        case "C":
            return Script.SYMBOL if character in "\ufffd\ue000" else Script.BLANK
        case _:
            return Script.SYMBOL
