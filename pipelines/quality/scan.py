"""A text's characters, lines, sentences and words, each counted in one pass of machine code for all rules together.

Each pass writes into arrays that it is given, which hold many texts one after another (quality/counting.py).

Arrays of numpy would need a pass and an array per question: 37 rules cost more than MeCab that way, and a seventh of it
this way. What a character is comes as a table, from quality/alphabet.py, and is looked up once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pipelines.dedup.folding import POWER, power
from pipelines.dedup.kernel import kernel, vector
from pipelines.quality import alphabet
from pipelines.quality.alphabet import Script, Trait

_u8, _u16, _u32, _u64, _i32, _bool = (
    vector(kind) for kind in (types.uint8, types.uint16, types.uint32, types.uint64, types.int32, types.boolean)
)
_scalars = (types.uint8, types.uint16, types.int32, types.int64, types.uint64)
_out = {kind: vector(kind, writable=True) for kind in _scalars}
_rows = vector(types.int32, dimensions=2)
_table = vector(types.int32, dimensions=2, writable=True)

LAST = np.uint32(alphabet.SIZE - 1)  # all characters from here on are kanji
# numba reads plain numbers, no enumerations
SCRIPT = 7  # the bits that tell it
_SYMBOL, BLANK, HIRAGANA, KATAKANA, KANJI, LATIN, _NUMBER, _FOREIGN = map(int, Script)
DASH, SEPARATOR, STOP, CLOSER, ENDER, AFTER, TRACE, POINT, BULLET, ORDINAL, DECIMAL, RARE, BAD = map(int, Trait)
PROSE, TABLE, CODE, RULED = range(4)  # the form of a line
_BYTE = 255  # what a byte counts to
_ONE, _EIGHT = np.uint64(1), np.uint64(8)
_ELLIPSIS, _DOTS = 0x2026, (46, 0x30FB, 0x3002)  # …, and what is one where it stands three times: . ・ 。
_READ_ON = np.array([[ord(sign) for sign in phrase] for phrase in ("続きを読む", "もっと見る")], np.uint32)


@kernel(types.none, _u32, _u16, _out[types.uint16], _out[types.int64])
def count_characters(codes: Any, table: Any, kinds: Any, counts: Any) -> None:
    """What each character is, and counts: of the 8 scripts, then the four named below.

    Scripts are counted in the bytes of one number, which a register holds.
    """
    longest = run = rare = bad = suspects = 0
    last = np.uint32(0)
    for begin in range(0, codes.size, _BYTE):
        packed = np.uint64(0)
        for i in range(begin, min(begin + _BYTE, codes.size)):
            code = codes[i]
            kind = table[min(code, LAST)]
            script = kind & SCRIPT
            kinds[i] = kind
            packed += _ONE << (np.uint64(script) * _EIGHT)
            run = (run + 1 if code == last else 1) if HIRAGANA <= script <= LATIN else 0
            longest = max(longest, run)
            rare += kind & RARE != 0
            bad += kind & BAD != 0
            suspects += kind & TRACE != 0
            if kind & POINT and i >= 2 and kinds[i - 1] & SCRIPT == KATAKANA:  # ・コ・ア is EUC-JP read as Shift_JIS
                suspects += kinds[i - 2] & POINT != 0
            last = code
        for script in range(8):
            counts[script] += np.int64((packed >> np.uint64(8 * script)) & np.uint64(_BYTE))
    counts[8], counts[9], counts[10], counts[11] = longest, rare, bad, suspects


@kernel(types.UniTuple(types.int64, 2), _u16, types.int64, types.int64)  # type: ignore[no-untyped-call]
def _stripped(kinds: Any, start: Any, end: Any) -> Any:
    """A span without the white space around it."""
    while start < end and kinds[start] & SCRIPT == BLANK:
        start += 1
    while end > start and kinds[end - 1] & SCRIPT == BLANK:
        end -= 1
    return start, end


@kernel(types.boolean, _u16, types.int64, types.int64)
def _is_listed(kinds: Any, start: Any, end: Any) -> Any:
    """Whether a line begins with a bullet or a number."""
    at = start
    while at < end and at - start < 3 and kinds[at] & DECIMAL:
        at += 1
    return kinds[start] & BULLET != 0 or (start < at < end and kinds[at] & ORDINAL != 0)


@kernel(types.boolean, _u32, types.int64, types.int64)
def _trails_off(codes: Any, start: Any, end: Any) -> Any:
    """Whether a line ends with an ellipsis or an invitation to read on."""
    last = codes[end - 1]
    if last in _DOTS:
        return end - start >= 3 and codes[end - 2] == last and codes[end - 3] == last
    for phrase in range(_READ_ON.shape[0]):
        same = end - start >= _READ_ON.shape[1]
        for k in range(_READ_ON.shape[1] if same else 0):
            same = same and codes[end - 1 - k] == _READ_ON[phrase, _READ_ON.shape[1] - 1 - k]
        if same:
            return True
    return last == _ELLIPSIS


@kernel(types.int64, _u32, _u16, _table)
def find_lines(codes: Any, kinds: Any, lines: Any) -> Any:
    """First character, end and form of every line that is not blank, without the white space around it; how many."""
    count, first, fenced = 0, 0, False
    for i in range(codes.size + 1):
        if i < codes.size and codes[i] != 10:
            continue
        start, end = _stripped(kinds, first, i)
        if start < end:
            fence = end - start >= 3 and (codes[start] == 96 or codes[start] == 126)
            fence = fence and codes[start] == codes[start + 1] and codes[start] == codes[start + 2]
            fenced ^= fence
            form = CODE if fence or fenced else TABLE if codes[start] == 124 else RULED
            for k in range(start, end if form == RULED else start):
                if kinds[k] & DASH == 0 and kinds[k] & SCRIPT != BLANK:
                    form = PROSE
                    break
            lines[count, 0], lines[count, 1], lines[count, 2] = start, end, form
            count += 1
        first = i + 1
    return count


@kernel(types.int64, _u32, _u16, _rows, _table, _out[types.int64])
def find_prose(codes: Any, kinds: Any, lines: Any, prose: Any, counts: Any) -> Any:
    """Which lines are prose, and how many; counts: see quality.texts.LineCounts."""
    found = 0
    for line in range(lines.shape[0]):
        if lines[line, 2] == PROSE:
            start, end = np.int64(lines[line, 0]), np.int64(lines[line, 1])
            for k in range(3):
                prose[found, k] = lines[line, k]
            found += 1
            counts[0] += end - start
            counts[1] += _is_listed(kinds, start, end)
            counts[2] += _trails_off(codes, start, end)
    return found


@kernel(types.int64, _u16, _rows, _table, _out[types.int64])
def find_sentences(kinds: Any, prose: Any, found: Any, counts: Any) -> Any:
    """First character and end of every sentence, and whether it ends as sentences do; how many.

    Counts: see quality.texts.SentenceCounts.
    """
    count = 0
    for line in range(prose.shape[0]):
        i, stop = prose[line, 0], prose[line, 1]
        while i < stop:
            while i < stop and kinds[i] & STOP:
                i += 1
            start = i
            while i < stop and not kinds[i] & STOP:
                i += 1
            if i == start:
                break
            while i < stop and kinds[i] & STOP:
                i += 1
            while i < stop and kinds[i] & CLOSER:
                i += 1
            start, end = _stripped(kinds, start, i)
            last = end - 1
            while last > start and (kinds[last] & AFTER or kinds[last] & SCRIPT == BLANK):
                last -= 1
            if end > start:
                found[count, 0], found[count, 1] = start, end
                found[count, 2] = kinds[last] & ENDER != 0
                counts[1] += found[count, 2]
                counts[2] += end - start
                counts[3] += (end - start) * found[count, 2]
                counts[4] = max(counts[4], end - start)
                count += 1
    counts[0] = count
    return count


@kernel(_out[types.uint64], _u32)
def sum_up(codes: Any) -> Any:
    """(characters + 1,) the hash of the text up to each place, a polynomial modulo 2^64; see `hash_span`."""
    sums, value = np.empty(codes.size + 1, np.uint64), np.uint64(0)
    sums[0] = value
    for i in range(codes.size):
        value = value * POWER + np.uint64(codes[i]) + _ONE
        sums[i + 1] = value
    return sums


@kernel(types.uint64, _u64, types.int64, types.int64)
def hash_span(sums: Any, start: Any, end: Any) -> Any:
    """A 64-bit hash of ``text[start:end]``, equal for equal strings, from what `sum_up` made of the text."""
    return sums[end] - sums[start] * power(np.uint64(end - start))


@kernel(types.none, _u16, _i32, _i32, _u8, _bool, _i32, _rows, _out[types.uint8], _out[types.int64])
def count_words(
    kinds: Any, start: Any, end: Any, pos: Any, unknown: Any, cost: Any, prose: Any, marks: Any, counts: Any
) -> None:
    """Of each word 1 if it is Japanese, plus 2 if it stands in prose; and counts: see quality.texts.WordCounts."""
    japanese = unseen = lone = characters = in_prose = both = function = nouns = symbols = costs = before = np.int64(0)
    line, last, stop = 0, prose.shape[0] - 1, prose[-1, 1] if prose.shape[0] else 0
    for i in range(start.size):  # sums of what is true: branches would go wrong at every other word
        kind, at, size = kinds[start[i]] & SCRIPT, start[i], end[i] - start[i]
        while line < last and prose[line, 1] <= at:
            line += 1
        mine = np.int64((kind >= HIRAGANA) & (kind <= KANJI))
        prosaic = np.int64((at >= prose[line, 0]) & (at < prose[line, 1])) if last >= 0 else 0
        marks[i] = mine + 2 * prosaic
        japanese += mine
        unseen += mine & unknown[i]
        lone += (kind == KANJI) & (size == 1)
        characters += mine * size
        costs += mine * cost[i]
        before += at < stop
        in_prose += prosaic
        symbols += prosaic & (pos[i] >= 14)  # symbols and punctuation
        both += prosaic & mine
        function += prosaic & mine & (pos[i] >= 11) & (pos[i] <= 12)  # auxiliaries and particles
        nouns += prosaic & mine & (pos[i] >= 1) & (pos[i] <= 2)  # nouns and names
    counts[0], counts[1], counts[2], counts[3] = japanese, unseen, lone, characters
    counts[4], counts[5], counts[6], counts[7] = in_prose, both, function, nouns
    counts[8], counts[9], counts[10] = symbols, costs, before


@kernel(types.int64, _u64, _i32, _i32, _u8, _out[types.uint64])
def hash_prose(sums: Any, start: Any, end: Any, marks: Any, hashes: Any) -> Any:
    """A hash of each word that `marks`, of count_words, says to stand in prose; how many. One place more is written."""
    count = 0
    for i in range(start.size):
        hashes[count] = hash_span(sums, start[i], end[i])
        count += marks[i] >= 2
    return count
