"""A text's characters, lines, sentences and words, each counted in one pass of machine code for all rules together.

Arrays of numpy would need a pass and an array per question: 37 rules cost more than MeCab that way, and a seventh of it
this way. What a character is comes as tables, from quality/alphabet.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.quality import alphabet
from pipelines.quality.alphabet import Script, Trait

_u8, _u16, _u32, _i32, _bool = (
    vector(kind) for kind in (types.uint8, types.uint16, types.uint32, types.int32, types.boolean)
)
_out = {kind: vector(kind, writable=True) for kind in (types.uint8, types.int32, types.int64, types.uint64)}
_table = vector(types.int32, dimensions=2, writable=True)

LAST = np.uint32(alphabet.SIZE - 1)  # all characters from here on are kanji
# numba reads plain numbers, no enumerations
_SYMBOL, BLANK, HIRAGANA, KATAKANA, KANJI, LATIN, _NUMBER, _FOREIGN = map(int, Script)
DASH, SEPARATOR, STOP, CLOSER, ENDER, AFTER, TRACE, POINT, RARE, BAD = map(int, Trait)
PROSE, TABLE, CODE, RULED = range(4)  # the form of a line


@kernel(types.Tuple([_out[types.uint8], _out[types.int64]]), _u32, _u8, _u16)  # type: ignore[no-untyped-call]
def count_characters(codes: Any, scripts: Any, traits: Any) -> Any:
    """The script of each character, and counts: of the 8 scripts, then the four named below."""
    script = np.empty(codes.size, np.uint8)
    counts = np.zeros(12, np.int64)
    longest = run = rare = bad = suspects = 0
    last = np.uint32(0)
    for i in range(codes.size):
        code = codes[i]
        place = min(code, LAST)
        kind, trait = scripts[place], traits[place]
        script[i] = kind
        counts[kind] += 1
        run = (run + 1 if code == last else 1) if HIRAGANA <= kind <= LATIN else 0
        longest = max(longest, run)
        rare += trait & RARE != 0
        bad += trait & BAD != 0
        suspects += trait & TRACE != 0
        if trait & POINT and i >= 2 and script[i - 1] == KATAKANA:  # ・コ・ア is EUC-JP read as Shift_JIS
            suspects += traits[min(codes[i - 2], LAST)] & POINT != 0
        last = code
    counts[8], counts[9], counts[10], counts[11] = longest, rare, bad, suspects
    return script, counts


@kernel(types.Tuple([_table, _table, types.int64]), _u32, _u8, _u16)  # type: ignore[no-untyped-call]
def find_lines(codes: Any, script: Any, traits: Any) -> Any:
    """(lines, 3) first character, end and form of every line that is not blank, without the white space around it.

    Then those of prose alone, and how many characters these have.
    """
    lines = np.empty((codes.size // 2 + 1, 3), np.int32)
    count, first, fenced = 0, 0, False
    for i in range(codes.size + 1):
        if i < codes.size and codes[i] != 10:
            continue
        start, end = first, i
        while start < end and script[start] == BLANK:
            start += 1
        while end > start and script[end - 1] == BLANK:
            end -= 1
        if start < end:
            fence = end - start >= 3 and (codes[start] == 96 or codes[start] == 126)
            fence = fence and codes[start] == codes[start + 1] and codes[start] == codes[start + 2]
            fenced ^= fence
            form = CODE if fence or fenced else TABLE if codes[start] == 124 else RULED
            for k in range(start, end if form == RULED else start):
                if traits[min(codes[k], LAST)] & DASH == 0 and script[k] != BLANK:
                    form = PROSE
                    break
            lines[count, 0], lines[count, 1], lines[count, 2] = start, end, form
            count += 1
        first = i + 1
    prose = np.empty((count, 3), np.int32)
    found = size = 0
    for line in range(count):
        if lines[line, 2] == PROSE:
            prose[found] = lines[line]
            size += lines[line, 1] - lines[line, 0]
            found += 1
    return lines[:count].copy(), prose[:found].copy(), size


@kernel(types.Tuple([_table, _out[types.int64]]), _u32, _u8, _u16, vector(types.int32, dimensions=2))  # type: ignore[no-untyped-call]
def find_sentences(codes: Any, script: Any, traits: Any, prose: Any) -> Any:  # noqa: C901 - one pass, one state
    """(sentences, 3) first character and end of every sentence, and whether it ends as sentences do; and counts.

    Counts: see quality.text.SentenceCounts.
    """
    found = np.empty((codes.size // 2 + prose.shape[0] + 1, 3), np.int32)
    counts = np.zeros(5, np.int64)
    count = 0
    for line in range(prose.shape[0]):
        i, stop = prose[line, 0], prose[line, 1]
        while i < stop:
            while i < stop and traits[min(codes[i], LAST)] & STOP:
                i += 1
            start = i
            while i < stop and not traits[min(codes[i], LAST)] & STOP:
                i += 1
            if i == start:
                break
            while i < stop and traits[min(codes[i], LAST)] & STOP:
                i += 1
            while i < stop and traits[min(codes[i], LAST)] & CLOSER:
                i += 1
            end = i
            while start < end and script[start] == BLANK:
                start += 1
            while end > start and script[end - 1] == BLANK:
                end -= 1
            last = end - 1
            while last > start and (traits[min(codes[last], LAST)] & AFTER or script[last] == BLANK):
                last -= 1
            if end > start:
                found[count, 0], found[count, 1] = start, end
                found[count, 2] = traits[min(codes[last], LAST)] & ENDER != 0
                counts[1] += found[count, 2]
                counts[2] += end - start
                counts[3] += (end - start) * found[count, 2]
                counts[4] = max(counts[4], end - start)
                count += 1
    counts[0] = count
    return found[:count].copy(), counts


@kernel(types.uint64, _u32, types.int64, types.int64)
def hash_span(codes: Any, start: Any, end: Any) -> Any:
    """A 64-bit hash of ``text[start:end]``: equal for equal strings."""
    value = np.uint64(0x9E3779B97F4A7C15)
    for k in range(start, end):
        value = (value ^ np.uint64(codes[k])) * np.uint64(0xD6E8FEB86659FD93)
        value ^= value >> np.uint64(32)
    return value


@kernel(
    types.Tuple([_out[types.uint8], _out[types.int64]]),  # type: ignore[no-untyped-call]
    _u8, _i32, _i32, _u8, _bool, _i32, vector(types.int32, dimensions=2),
)  # fmt: skip
def count_words(script: Any, start: Any, end: Any, pos: Any, unknown: Any, cost: Any, prose: Any) -> Any:
    """Of each word 1 if it is Japanese, plus 2 if it stands in prose; and counts: see quality.text.WordCounts."""
    marks = np.zeros(start.size, np.uint8)
    counts = np.zeros(10, np.int64)
    line = 0
    for i in range(start.size):
        kind = script[start[i]]
        while line < prose.shape[0] and prose[line, 1] <= start[i]:
            line += 1
        if kind == KANJI and end[i] - start[i] == 1:
            counts[2] += 1
        japanese = HIRAGANA <= kind <= KANJI
        if japanese:
            counts[0] += 1
            counts[1] += unknown[i]
            counts[3] += end[i] - start[i]
            counts[9] += cost[i]
            marks[i] = 1
        if line < prose.shape[0] and start[i] >= prose[line, 0]:
            marks[i] += 2
            counts[4] += 1
            counts[8] += pos[i] >= 14  # symbols and punctuation
            if japanese:
                counts[5] += 1
                counts[6] += 11 <= pos[i] <= 12  # auxiliaries and particles
                counts[7] += 1 <= pos[i] <= 2  # nouns and names
    return marks, counts


@kernel(_out[types.uint64], _u32, _i32, _i32, _u8)
def hash_prose(codes: Any, start: Any, end: Any, marks: Any) -> Any:
    """A hash of each word that `marks`, of count_words, says to stand in prose."""
    hashes = np.empty(start.size, np.uint64)
    count = 0
    for i in range(start.size):
        if marks[i] >= 2:
            hashes[count] = hash_span(codes, start[i], end[i])
            count += 1
    return hashes[:count].copy()


@kernel(_table, _u32, _u8, _u16, vector(types.int32, dimensions=2), _bool)
def find_menus(codes: Any, script: Any, traits: Any, lines: Any, openings: Any) -> Any:
    """The lines that could be menus: more than half of their items begin as some item of a menu does."""
    could = np.empty((lines.shape[0], 3), np.int32)
    count = 0
    for line in range(lines.shape[0]):
        items = likely = 0
        inside = False
        for i in range(lines[line, 0], min(lines[line, 1], lines[line, 0] + 200)):
            apart = traits[min(codes[i], LAST)] & SEPARATOR != 0 or script[i] == BLANK
            if not apart and not inside:
                items += 1
                following = codes[i + 1] if i + 1 < lines[line, 1] else np.uint32(0)
                likely += openings[(codes[i] * np.uint32(31) + following) & np.uint32(0xFFFF)]
            inside = not apart
        if 2 * likely > items:
            could[count] = lines[line]
            count += 1
    return could[:count].copy()


@kernel(_out[types.int64], _u32, _i32, _bool)
def find_openings(codes: Any, start: Any, openings: Any) -> Any:
    """The first characters of the words at which, by their first two characters, a phrase could begin."""
    found = np.empty(start.size, np.int64)
    count = 0
    for i in range(start.size):
        following = codes[start[i] + 1] if start[i] + 1 < codes.size else np.uint32(0)
        if openings[(codes[start[i]] * np.uint32(31) + following) & np.uint32(0xFFFF)]:
            found[count] = start[i]
            count += 1
    return found[:count].copy()
