"""Personal data: found by format, checksum and context, masked with typed placeholders, and counted by type.

In: normalised text. Out: the text with 〈電話番号〉 and the like in the place of values, the spans that were cut from
it, and how many of each type there were. The value itself goes nowhere else. With a salt, each span has a digest of its
value, so that an auditor who holds the salt can tell where one number stands, and nobody else can: without a secret, a
hash of ten digits is undone by trying them all, so there is none then. A salt drawn for each build would make builds of
the same inputs differ, so a recipe names it or goes without.

Digits alone prove nothing: 1 in 11 numbers of 12 digits has the check digit of an individual number, 1 in 10 that of a
card. So a number counts where a label says what it is, or where it stands free in prose: between kana, spaces and
punctuation, with no amount and no other name of a number before it. In tables only a label counts, in the row or the
head of the column: without this, 419 amounts in 12 EDINET CSV files would have been masked as individual numbers.
Patterns are data, in privacy.yaml; what a checksum or an address range decides is code, here.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from registry.data import read_data
from registry.ledger import Cut

if TYPE_CHECKING:
    from collections.abc import Callable

# Full-width signs, letters and digits, dashes and the ideographic space -> ASCII.
FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {ord(dash): 45 for dash in "‐‑‒–—―−－"} | {0x3000: 32}
SALT_BYTES = 16  # fewer can be guessed
_BEFORE, _AFTER = 40, 20  # characters within which a label counts
_NEAR = 12  # characters before a number within which an amount or another name of a number is its own
_LINE = 4096  # characters of a line that are looked at, so that a file without line ends takes no quadratic time
_FREE_BEFORE = re.compile(r"(?:^|[ぁ-ん\s、。「『（(\[:：;・…〉※/=!?])\Z")
_FREE_AFTER = re.compile(r"$|[ぁ-ん\s、。」』）)\]・〈,;/!?]")
_CROWDED = 0.3  # share of digits around a number from which it stands in a flattened table


@dataclass(frozen=True, slots=True)
class Masked:
    """What became of a text: `cuts` are spans of the text that was given, `counts` holds every type, zeros too."""

    text: str
    cuts: list[Cut] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """One entry of privacy.yaml."""

    type: str
    placeholder: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    label: tuple[str, ...]
    label_needed: Literal["", "always", "tables", "unless_free"]
    keep: bool
    officers: bool
    beside: tuple[str, ...]
    lines: int  # the `Suspicion`s of lines that it is looked for in; 0: in all
    value: str | int  # the group of the pattern that is masked


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    kind: Kind


def mask(
    text: str,
    *,
    mode: Literal["mask", "count", "off"] = "mask",
    officers: Literal["keep", "mask"] = "keep",
    salt: bytes = b"",
) -> Masked:
    """`text` without personal data. Masking twice is masking once.

    Args:
        text: normalised text.
        mode: ``count`` counts and changes nothing; ``off`` does not look.
        officers: names of officers next to their titles are public in filings and kept; ``mask`` masks them too.
        salt: a secret of `SALT_BYTES` or more, for digests of the values; without it the cuts have none.
    """
    if mode == "off":
        return Masked(text)
    found = _find(text, officers == "mask")
    counts = dict.fromkeys(_types(), 0)
    for item in found:
        counts[item.kind.type] += 1
    if mode == "count" or not found:
        return Masked(text, [], counts)
    return _masked(text, [item for item in found if not item.kind.keep], counts, salt)


def value_digest(value: str, type_: str, salt: bytes) -> str:
    """32 hex digits of a value of personal data; its width, case and separators do not matter. Nothing without salt."""
    if not salt:
        return ""
    plain = "".join(character for character in value.translate(FOLD).casefold() if character.isalnum())
    key = hashlib.blake2b(salt).digest()  # a key has 64 bytes at most
    return hashlib.blake2b(f"{type_}:{plain}".encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()


def _masked(text: str, found: list[_Found], counts: dict[str, int], salt: bytes) -> Masked:
    pieces, cuts, at = [], [], 0
    for item in found:
        pieces += [text[at : item.start], item.kind.placeholder]
        digest = value_digest(text[item.start : item.end], item.kind.type, salt)
        cuts.append(Cut("privacy", item.kind.type, item.start, item.end, digest))
        at = item.end
    return Masked("".join([*pieces, text[at:]]), cuts, counts)


def _find(text: str, officers: bool) -> list[_Found]:
    """Every piece of personal data in `text`, in order, without overlaps."""
    from pipelines.suspects import suspects

    found: list[_Found] = []
    for start, line, suspicion, head in suspects(text, everything=officers):
        found += _find_in(_Line(text, start, line, head), _kinds_on(suspicion, officers))
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """One line, its signs, letters and digits half-width, and where it stands."""

    text: str
    start: int
    folded: str
    head: int  # where the row that heads its table begins

    def around(self, start: int, end: int, before: int, after: int) -> str:
        """What stands around a span of the line, so many characters before and after at most."""
        return self.folded[max(start - before, 0) : end + after]

    def column_heads(self) -> str:
        """In a Markdown table, the row that heads it; else nothing."""
        if self.head == self.start:
            return ""
        return self.text[self.head : self.text.index("\n", self.head)][:_LINE]

    def column_head(self, place: int) -> str:
        """In a Markdown table, the head of the column that `place` stands in; else nothing."""
        cells = self.column_heads().split("|")
        column = self.folded.count("|", 0, place)
        return cells[column] if column < len(cells) else ""


def _find_in(line: _Line, kinds: tuple[Kind, ...]) -> list[_Found]:
    taken = bytearray(len(line.folded))
    found: list[_Found] = []
    told = line.folded + line.column_heads() if line.folded.startswith("|") else ""  # where only a label counts
    for kind in kinds:
        if told and kind.label_needed and not any(label in told for label in kind.label):
            continue
        for match in kind.pattern.finditer(line.folded):
            start, end = match.span(kind.value)
            if not any(taken[start:end]) and _is_meant(kind, line, start, end):
                taken[start:end] = b"\1" * (end - start)
                found.append(_Found(line.start + start, line.start + end, kind))
    return sorted(found, key=lambda item: item.start)


def _is_meant(kind: Kind, line: _Line, start: int, end: int) -> bool:
    """Whether the checksum holds and the surroundings allow the span to be what it looks like."""
    if not kind.check(line.folded[start:end]):
        return False
    if kind.beside and not _is_beside(kind, line.around(start, end, _LINE, _LINE)):
        return False
    table = line.folded.startswith("|") or "\t" in line.around(start, end, _LINE, _LINE)
    match kind.label_needed:
        case "always":
            needed = True
        case "tables":
            needed = table
        case "unless_free":
            needed = table or not _stands_free(line, start, end)
        case _:
            needed = False
    return not needed or _has_label(kind, line, start, end)


def _has_label(kind: Kind, line: _Line, start: int, end: int) -> bool:
    near = line.around(start, end, _BEFORE, _AFTER)
    if any(label in near for label in kind.label):
        return True
    head = line.column_head(start) if line.folded.startswith("|") else ""
    return any(label in head for label in kind.label)


def _stands_free(line: _Line, start: int, end: int) -> bool:
    """Whether a number is a word of its own in prose, and neither an amount nor said to be another number."""
    before, after = line.folded[max(start - _BEFORE, 0) : start], line.folded[end : end + _BEFORE]
    if not _FREE_BEFORE.search(before) or not _FREE_AFTER.match(after):
        return False
    near = before[-_NEAR:]
    if _amounts().search(near) or _other_labels().search(near) or line.folded.endswith("000", start, end):
        return False
    around = before + after
    return sum(map(str.isdigit, around)) <= _CROWDED * max(len(around), _BEFORE)


def _is_beside(kind: Kind, line: str) -> bool:
    """Whether `line` holds one of the types that `kind` asks for, plain or masked before."""
    others = [other for other in _kinds() if other.type in kind.beside]
    return any(other.placeholder in line or other.pattern.search(line) for other in others)


@cache
def _amounts() -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, _data()["amounts"])))


@cache
def _other_labels() -> re.Pattern[str]:
    return re.compile(rf"(?:{_data()['other_labels']})[^0-9]{{0,4}}$")


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = read_data(Path(__file__).with_suffix(".yaml"))
    return data


@cache
def _kinds() -> tuple[Kind, ...]:
    data = _data()
    prefectures = "|".join(data["prefectures"].split())
    return tuple(_kind(name, entry, prefectures) for name, entry in data["types"].items())


@cache
def _types() -> tuple[str, ...]:
    return tuple(kind.type for kind in _kinds())


@cache
def _kinds_on(suspicion: int, officers: bool) -> tuple[Kind, ...]:
    """What is looked for on lines of one `Suspicion`."""
    return tuple(
        kind for kind in _kinds() if (officers or not kind.officers) and (not kind.lines or kind.lines & suspicion)
    )


def _kind(name: str, entry: dict[str, Any], prefectures: str) -> Kind:
    from pipelines.suspects import Suspicion

    pattern = re.compile(entry["pattern"].replace("PREFECTURE", prefectures), re.VERBOSE | re.MULTILINE)
    return Kind(
        type=entry.get("type", name),
        placeholder=entry["placeholder"],
        pattern=pattern,
        check=_CHECKS[entry["check"]] if "check" in entry else bool,
        label=tuple(entry.get("label", ())),
        label_needed=entry.get("label_needed", ""),
        keep=entry.get("keep", False),
        officers=entry.get("officers", False),
        beside=tuple(entry.get("beside", ())),
        lines=0 if "any" in entry["lines"] else sum(Suspicion[line.upper()] for line in entry["lines"]),
        value="value" if "value" in pattern.groupindex else 0,
    )


def _digits(value: str) -> list[int]:
    return [int(character) for character in value if "0" <= character <= "9"]


def _is_my_number(value: str) -> bool:
    """The check digit of an individual number: 総務省, ministerial ordinance 85 of 2014, article 5."""
    *digits, check = _digits(value)
    rest = (
        sum(digit * weight for digit, weight in zip(reversed(digits), [2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6], strict=True))
        % 11
    )
    return check == (0 if rest <= 1 else 11 - rest) and len(set(digits)) > 1


def _is_corporate_number(value: str) -> bool:
    """The first digit of a corporate number, its check: 財務省, ministerial ordinance 70 of 2014, article 2."""
    check, *digits = _digits(value)
    return check == 9 - sum(digit * (1 + place % 2) for place, digit in enumerate(reversed(digits))) % 9


def _is_credit_card(value: str) -> bool:
    """Luhn's check digit, ISO/IEC 7812-1 annex B."""
    doubled = [
        digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(_digits(value)))
    ]
    return sum(doubled) % 10 == 0 and len(set(doubled)) > 1


def _is_phone(value: str) -> bool:
    """The number of digits of a Japanese number: 10, and 11 for mobile, IP and 0800 numbers; +81 stands for the 0.

    The ten digits in order are no number; textbooks print them.
    """
    digits = "".join(map(str, _digits(value)))
    if value.startswith("+81"):
        digits = "0" + digits[2:].lstrip("0")
    return len(digits) == (11 if re.match(r"0[5-9]0|0800", digits) else 10) and digits != "0123456789"


def _is_ip_address(value: str) -> bool:
    """An address that could lead to somebody: not private or loopback, and no section number such as 1.2.3.4."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    if address.version == 6:
        return not (address.is_loopback or address.is_link_local)
    return not any(address in net for net in _private_nets()) and max(address.packed) >= 32


@cache
def _private_nets() -> tuple[ipaddress.IPv4Network, ...]:
    return tuple(ipaddress.IPv4Network(net) for net in _data()["private_nets"])


_CHECKS: dict[str, Callable[[str], bool]] = {
    "my_number": _is_my_number,
    "corporate_number": _is_corporate_number,
    "credit_card": _is_credit_card,
    "phone": _is_phone,
    "ip_address": _is_ip_address,
}
