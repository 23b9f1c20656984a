"""Text -> its words: one MeCab pass, whose arrays rules, near-duplicates, vocabulary and statistics share.

In: any text. Out: `Words`, five arrays of n words: first and last character, class, whether the dictionary knew it,
cost. MeCab itself writes lengths, context ids and costs as digits, and machine code reads those of many documents at
once, so no Python object is made per word: 92 % of the time is MeCab's, where fugashi's node objects alone cost a
fourth more than all of it, and their features five times as much.

MeCab stops at a NUL, refuses surrogates, and takes 270 bytes of memory for every byte of a line. So blind characters
are blanked first, one for one, and lines are cut: at line ends, and long ones after 。 or at 4,096 characters.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from registry.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LONGEST_PIECE = 4096  # characters that MeCab sees at once
LONGEST_CACHED = 256  # characters; longer lines hardly ever come back
CACHE_CHARACTERS = 1 << 20  # about 60 MB of a worker's memory when full

_BLIND = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\xa0\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000]")
_LONG = re.compile(rf"[^\n]{{0,{LONGEST_PIECE - 1}}}。|[^\n]{{1,{LONGEST_PIECE}}}")
AHEAD, BEHIND = b" " * 7, b" " * 16  # so that from any digit on, and up to any, eight bytes can be read
_FORMAT = (
    r"-O '' -E '\n' -F '%phl\s%pS%pl\s%pn\s' "  # %pS: the blanks before the word, as they are
    r"-U '-%phl\s%pS%pl\s%pn\s'"  # "-" marks what the dictionary does not know
)


class Pos(IntEnum):
    """The class ids in `Words.pos`: UniDic's first part-of-speech column, with numerals and proper names told apart."""

    OTHER = 0
    NOUN = 1  # 名詞
    NAME = 2  # 名詞-固有名詞
    NUMBER = 3  # 名詞-数詞
    PRONOUN = 4  # 代名詞
    VERB = 5  # 動詞
    ADJECTIVE = 6  # 形容詞, 形状詞
    ADVERB = 7  # 副詞
    ADNOMINAL = 8  # 連体詞
    CONJUNCTION = 9  # 接続詞
    INTERJECTION = 10  # 感動詞
    AUXILIARY = 11  # 助動詞
    PARTICLE = 12  # 助詞
    AFFIX = 13  # 接頭辞, 接尾辞
    SYMBOL = 14  # 記号: letters, marks
    PUNCTUATION = 15  # 補助記号: kutoten, brackets


_CLASS = {
    "名詞": Pos.NOUN,
    "名詞,固有名詞": Pos.NAME,
    "名詞,数詞": Pos.NUMBER,
    "代名詞": Pos.PRONOUN,
    "動詞": Pos.VERB,
    "形容詞": Pos.ADJECTIVE,
    "形状詞": Pos.ADJECTIVE,
    "副詞": Pos.ADVERB,
    "連体詞": Pos.ADNOMINAL,
    "接続詞": Pos.CONJUNCTION,
    "感動詞": Pos.INTERJECTION,
    "助動詞": Pos.AUXILIARY,
    "助詞": Pos.PARTICLE,
    "接頭辞": Pos.AFFIX,
    "接尾辞": Pos.AFFIX,
    "記号": Pos.SYMBOL,
    "補助記号": Pos.PUNCTUATION,
}


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The n words of `text`, in order: word i is ``text[start[i]:end[i]]``. White space belongs to none."""

    text: str
    codes: NDArray[np.uint32]  # (characters,) its code points
    start: NDArray[np.int32]  # (n,) first character
    end: NDArray[np.int32]  # (n,) one past the last
    pos: NDArray[np.uint8]  # (n,) a `Pos`
    unknown: NDArray[np.bool_]  # (n,) not in the dictionary; true of Latin words and most numbers too
    cost: NDArray[np.int32]  # (n,) of the word and of its joint with the one before: MeCab's -700 ln of a likelihood

    def __len__(self) -> int:
        return len(self.start)

    def surfaces(self) -> list[str]:
        """The words as strings."""
        text = self.text
        return [text[first:last] for first, last in zip(self.start.tolist(), self.end.tolist(), strict=True)]


class Analyzer:
    """MeCab with unidic-lite. One per process: it remembers short lines it has seen, within a bound."""

    def __init__(self, user_dictionary: Path | None = None) -> None:
        """Load the dictionary, and a compiled MeCab user dictionary on top of it.

        Raises:
            UsageError: the user dictionary is not there, or is not one.
        """
        import fugashi

        from pipelines.offsets import read_offsets, see  # machine code that takes a while to load

        arguments = _FORMAT
        if user_dictionary is not None:
            if not user_dictionary.is_file():
                raise UsageError(f"there is no user dictionary {user_dictionary}")
            arguments += f" -u {shlex.quote(str(user_dictionary))}"
        try:
            self._tagger = fugashi.Tagger(arguments)
        except RuntimeError as error:
            raise UsageError(f"{user_dictionary} is not a MeCab user dictionary for unidic-lite") from error
        self._classes = _classes()
        self._see, self._read = see, read_offsets
        self._seen: dict[str, bytes] = {}
        self._room = CACHE_CHARACTERS

    def analyze(self, text: str) -> Words:
        """The words of `text`; offsets count characters of `text` itself. No text makes it raise."""
        return self.analyze_all([text])[0]

    def analyze_all(self, texts: Sequence[str]) -> list[Words]:
        """The words of each of `texts`, whose arrays are parts of common ones: a short text costs 2 us beside MeCab."""
        joined = "\n".join(texts)
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        visible, firsts, longest, blanked = self._see(codes, _blind())
        pieces = (visible.tobytes().decode("utf-32-le") if blanked else joined).split("\n")
        if longest > LONGEST_PIECE:
            pieces, firsts = _cut(pieces, firsts)
        seen = self._seen
        known = {piece: seen[piece] if piece in seen else self._parse(piece) for piece in dict.fromkeys(pieces)}
        found = [known[piece] for piece in pieces]
        digits = b" ".join([AHEAD, *found, BEHIND])
        eights = np.frombuffer(digits, np.uint64, len(digits) // 8)
        ends = len(AHEAD) + 1 + np.cumsum(np.fromiter(map(len, found), np.int64, len(found)) + 1)
        begins = [0, *accumulate(len(text) + 1 for text in texts)]
        *arrays, counts = self._read(eights, ends, visible, firsts, np.array(begins, np.int64), self._classes)
        return [
            Words(text, codes[begin : begin + len(text)], *(array[first:last] for array in arrays))
            for text, begin, (first, last) in zip(texts, begins, pairwise(counts.tolist()), strict=False)
        ]

    def _parse(self, piece: str) -> bytes:
        """What MeCab writes of each word of `piece` (see `read_offsets`); remembered if the piece is short."""
        found: bytes = self._tagger.parse(piece).encode("ascii")
        if len(piece) <= LONGEST_CACHED:
            self._room -= len(piece)
            if self._room < 0:
                self._seen.clear()
                self._room = CACHE_CHARACTERS - len(piece)
            self._seen[piece] = found
        return found


def _cut(lines: list[str], firsts: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """Lines, the long ones cut into pieces that MeCab may see, and the character at which each piece begins."""
    pieces: list[str] = []
    begins = []
    done = 0
    for long in [place for place, line in enumerate(lines) if len(line) > LONGEST_PIECE]:
        cuts = _LONG.findall(lines[long])
        pieces += [*lines[done:long], *cuts]
        begins += [firsts[done:long], firsts[long] + np.cumsum([0, *map(len, cuts[:-1])])]
        done = long + 1
    return [*pieces, *lines[done:]], np.concatenate([*begins, firsts[done:]])


@cache
def _blind() -> NDArray[np.bool_]:
    """Of the code points up to U+3000, whether MeCab must not see it."""
    return np.array([_BLIND.match(chr(code)) is not None for code in range(0x3001)])


@cache
def _classes() -> NDArray[np.uint8]:
    """The class of each of unidic-lite's left context ids (its posid is 1 for every word, so it tells nothing)."""
    import unidic_lite

    lines = Path(unidic_lite.DICDIR, "left-id.def").read_text(encoding="utf-8").splitlines()
    classes = np.zeros(len(lines), np.uint8)
    for line in lines:
        number, _, feature = line.partition(" ")
        first, second, *_ = feature.split(",")
        classes[int(number)] = _CLASS.get(f"{first},{second}", _CLASS.get(first, Pos.OTHER))
    return classes
