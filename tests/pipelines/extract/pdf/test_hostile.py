"""Real files and damaged copies of them, in the sandbox: each ends in text or a reason, and none takes another along."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from pipelines.extract import Part, Raw
from pipelines.extract.sandbox import Sandbox
from registry.errors import InputError
from registry.recipe import Limits

REASONS = {"encrypted", "broken", "no_text_layer", "garbled", "too_large", "timeout", "memory"}
STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
FEW = 20


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: int(len(data) * chance.uniform(0.05, 0.98))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.randrange(1, 200)):
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def swapped(data: bytes, chance: random.Random) -> bytes:
    """`data` with the contents of two of its streams in each other's place, so that lengths and filters are wrong."""
    streams = list(STREAM.finditer(data))
    if len(streams) < 2:
        return flipped(data, chance)
    first, second = sorted(chance.sample(streams, 2), key=lambda found: found.start())
    parts = data[: first.start(1)], second[1], data[first.end(1) : second.start(1)], first[1], data[second.end(1) :]
    return b"".join(parts)


def damaged(files: list[Path], count: int) -> list[tuple[Path, bytes]]:
    """So many damaged copies, the same every time."""
    chance = random.Random(20)
    ways = truncated, flipped, swapped
    return [(path := chance.choice(files), ways[n % 3](path.read_bytes(), chance)) for n in range(count)]


def ends(sandbox: Sandbox, path: Path) -> str:
    """How reading a file ends: as text or with a reason."""
    raw = Raw(path, path.name, "report", "application/pdf")
    try:
        (found,) = sandbox.extract(raw, "pdf", {})
    except InputError as error:
        return error.reason
    return "text" if isinstance(found, Part) else found.reason


@pytest.fixture
def sandbox(tmp_path):
    limits = Limits()
    with Sandbox(tmp_path / "log.txt", seconds=limits.seconds, memory=limits.bytes) as sandbox:
        yield sandbox


@pytest.mark.parametrize("count", [FEW, pytest.param(200, marks=pytest.mark.slow)])
def test_damaged_copies_end_in_text_or_a_reason(sandbox, shared_data, tmp_path, count):
    files = sorted((shared_data / "pdf").rglob("*.pdf"))
    if count == FEW:
        files = [path for path in files if path.stat().st_size < 500_000]
    copy, found = tmp_path / "copy.pdf", Counter()
    for _, data in damaged(files, count):
        copy.write_bytes(data)
        found[ends(sandbox, copy)] += 1
    assert set(found) <= REASONS | {"text"}
    assert found["text"] > count / 4  # what is damaged a little is still read


@pytest.mark.slow
def test_every_file_ends_in_text_or_a_reason(sandbox, shared_data):
    found = Counter(ends(sandbox, path) for path in sorted((shared_data / "pdf").rglob("*.pdf")))
    assert set(found) <= REASONS | {"text"}
    assert found["text"] > 0.8 * found.total()
