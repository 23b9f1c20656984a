"""Makes pipelines/quality/pairs.bin and kana.bin from every second wanted document and JSQuAD.

    python benchmarks/make_pairs.py [--data DIR]

The other half is what the quick benchmarks measure on; a fourth of all is what make_misread.py learns from.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from wanted import DATA, wanted

from pipelines.normalize import normalize
from pipelines.quality import alphabet
from pipelines.quality.pairs import KANA, PAIR_BITS, folded, kana_class, pair_place

TARGET = Path(__file__).resolve().parents[1] / "pipelines/quality"
RARE = 0.02  # of what chance gives


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    texts = [text for some in wanted(data, one_in=2, first=0).values() for text in some]
    squad = json.loads((data / "wiki/jsquad-valid-v1.3.json").read_bytes())["data"]
    texts += [p["context"].partition("[SEP]")[2] for article in squad for p in article["paragraphs"]]
    pairs = np.zeros(1 << PAIR_BITS, bool)
    kana = np.zeros((KANA, KANA))
    for text in map(normalize, texts):
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        script = alphabet.scripts()[np.minimum(codes, alphabet.SIZE - 1)]
        characters = [folded(code, kind) for code, kind in zip(codes, script, strict=True)]
        classes = [kana_class(code, kind) for code, kind in zip(codes, script, strict=True)]
        for first, second, row, column in zip(characters, characters[1:], classes, classes[1:], strict=False):
            pairs[pair_place(first, second)] = True
            if row >= 0 and column >= 0:
                kana[row, column] += 1
    kana[180, 180] = 0
    chance = kana.sum(1, keepdims=True) * kana.sum(0, keepdims=True) / kana.sum()
    usual = (kana > 0) & (kana >= RARE * chance)
    np.packbits(pairs, bitorder="little").tofile(TARGET / "pairs.bin")
    np.packbits(usual.ravel(), bitorder="little").tofile(TARGET / "kana.bin")
    print(f"{len(texts)} texts, {pairs.sum()} bits of pairs, {usual.sum()} pairs of kana")


if __name__ == "__main__":
    main()
