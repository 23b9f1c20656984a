"""Makes pipelines/general.tsv: counts of terms in public-domain novels and encyclopedia paragraphs (JSQuAD).

python benchmarks/make_general.py [--data DIR]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from wanted import DATA, wanted

from pipelines.normalize import normalize
from pipelines.vocabulary import count_terms
from pipelines.words import Analyzer

LEAST = 2


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    squad = json.loads((data / "wiki/jsquad-valid-v1.3.json").read_bytes())["data"]
    texts = [p["context"].partition("[SEP]")[2] for article in squad for p in article["paragraphs"]]
    counted = count_terms(map(normalize, texts + wanted(data)["literature"]), Analyzer())
    common = sorted((-count, term) for term, count in counted.counts.items() if count >= LEAST)
    head = "# Terms of general Japanese and how often they occur; * is how many terms there are in all."
    lines = [head, f"*\t{counted.counts.total()}", *(f"{term}\t{-count}" for count, term in common)]
    target = Path(__file__).resolve().parents[1] / "pipelines/general.tsv"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(common):,} terms in {target}")


if __name__ == "__main__":
    main()
