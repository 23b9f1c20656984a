"""datatrove's Gopher quality, repetition and PII blocks with FineWeb-2's Japanese thresholds: what refine.py races.

    PYTHON benchmarks/refine_datatrove.py TEXTS.json

Run by benchmarks/refine.py with a PYTHON that has datatrove and spaCy's Japanese (`spacy sudachipy sudachidict_core`),
in an environment of its own. For each line on stdin it passes over all texts with datatrove's own tokenizer and answers
the CPU seconds that this took. Nothing of ours is imported.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datatrove.data import Document
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.formatters import PIIFormatter

if TYPE_CHECKING:
    from collections.abc import Callable

FINEWEB_2 = {  # https://github.com/huggingface/fineweb-2, configs/jpn_Jpan.yml
    "quality": {"min_avg_word_length": 1, "max_avg_word_length": 6, "max_non_alpha_words_ratio": 0.759,
                "stop_words": list("のにをはたてがとで年し・月れさ"), "min_stop_words": 2},
    "repetition": {"dup_line_frac": 0.328,
                   "dup_n_grams": ((5, 0.243), (6, 0.225), (7, 0.207), (8, 0.19), (9, 0.175), (10, 0.159)),
                   "top_n_grams": ((2, 0.239), (3, 0.196), (4, 0.172))},
}  # fmt: skip


def blocks(language: Any) -> Callable[[list[Document]], None]:
    """What passes over documents; `language` is "ja", or a tokenizer to be used in its place."""
    quality = GopherQualityFilter(language=language, **FINEWEB_2["quality"])
    repetition = GopherRepetitionFilter(language=language, **FINEWEB_2["repetition"])
    pii = PIIFormatter()

    def process(documents: list[Document]) -> None:
        for one in documents:
            quality.filter(one)
            repetition.filter(one)
            pii.format(one.text)

    return process


def main() -> None:
    """Answer every line with the CPU seconds of one pass."""
    texts = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    run = blocks("ja")
    run(documents[:4])
    for _ in sys.stdin:
        begin = time.process_time()
        run(documents)
        print(time.process_time() - begin, flush=True)


if __name__ == "__main__":
    main()
