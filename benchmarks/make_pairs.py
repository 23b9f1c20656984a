"""Makes pipelines/quality/pairs.bin and kana.bin from three of every four wanted documents and JSQuAD.

    python benchmarks/make_pairs.py [--data DIR]

The fourth is what the quick benchmarks and the floors of tests/quality measure on. make_misread.py makes tables from
the first and third of four, and learns from the second what they are worth on text that they were not made from.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numba import types
from wanted import DATA, wanted

from pipelines.dedup.kernel import kernel, vector
from pipelines.normalize import normalize
from pipelines.quality import alphabet
from pipelines.quality.pairs import KANA, PAIR_BITS, folded, kana_class, pair_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

TARGET = Path(__file__).resolve().parents[1] / "pipelines/quality"
RARE = 0.02  # of what chance gives


def make_tables(texts: Iterable[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The bitmaps of usual pairs and of usual pairs of kana."""
    pairs = np.zeros(1 << PAIR_BITS, bool)
    kana = np.zeros((KANA, KANA))
    for text in map(normalize, texts):
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        _count(codes, alphabet.scripts()[np.minimum(codes, alphabet.SIZE - 1)], pairs, kana)
    kana[180, 180] = 0
    chance = kana.sum(1, keepdims=True) * kana.sum(0, keepdims=True) / kana.sum()
    usual = (kana > 0) & (kana >= RARE * chance)
    return np.packbits(pairs, bitorder="little"), np.packbits(usual.ravel(), bitorder="little")


def encyclopedia(data: Path) -> list[str]:
    """The paragraphs of JSQuAD."""
    articles = json.loads((data / "wiki/jsquad-valid-v1.3.json").read_bytes())["data"]
    return [p["context"].partition("[SEP]")[2] for article in articles for p in article["paragraphs"]]


def quarters(data: Path, parts: Sequence[int]) -> list[str]:
    """What stands in these of every four files."""
    return [text for part in parts for some in wanted(data, one_in=4, first=part).values() for text in some]


@kernel(
    types.void, vector(types.uint32), vector(types.uint8), vector(types.boolean, writable=True),
    vector(types.float64, dimensions=2, writable=True),
)  # fmt: skip
def _count(codes: Any, script: Any, pairs: Any, kana: Any) -> None:
    """Add the pairs of one text to both tables."""
    for i in range(codes.size - 1):
        first, second = codes[i], codes[i + 1]
        pairs[pair_place(folded(first, script[i]), folded(second, script[i + 1]))] = True
        row, column = kana_class(first, script[i]), kana_class(second, script[i + 1])
        if row >= 0 and column >= 0:
            kana[row, column] += 1


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    pairs, kana = make_tables(quarters(data, (0, 1, 2)) + encyclopedia(data))
    pairs.tofile(TARGET / "pairs.bin")
    kana.tofile(TARGET / "kana.bin")
    print(f"{np.unpackbits(pairs).sum()} bits of pairs, {np.unpackbits(kana).sum()} pairs of kana")


if __name__ == "__main__":
    main()
