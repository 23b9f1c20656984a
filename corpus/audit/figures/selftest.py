"""Planted near-duplicates: does the search find what it should, on text of this very corpus?

In: texts of the corpus, the recipe's options, and what the build's own self-test found (pipelines/dedup/planted.py:
there the whole search is tried, at the size of the corpus). Out: that, and of pairs made here how many have which exact
Jaccard similarity, how many of them share a band and so become candidates, beside the theory, 1 - (1 - s^rows)^bands.
Each text is edited at evenly spread sentences, by ever more of them, with sentences of another text. 480 pairs take
0.8 s; nothing is drawn at random, so the same corpus gives the same figures.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from corpus.audit.figures.counts import ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.dedup.minhash import Signer, Sketch

_SENTENCE = re.compile(r"[^。\n]+[。\n]*")
_SHARES = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.17, 0.22, 0.3)
_LONGEST = 3000  # characters of a text that are used
_FEWEST = 20  # sentences, or an edit of one of them is no small one
_STEP = 0.05


def self_test(texts: Sequence[str], near: dict[str, Any] | str, built: dict[str, Any] | None = None) -> dict[str, Any]:
    """Recall by similarity, and the build's own as `build`; nothing where near-duplicates are off.

    Without a text that is long enough there are no pairs, and without planted documents no `build`.
    """
    if near == "off" or not isinstance(near, dict):
        return {}
    from pipelines.dedup.minhash import Signer
    from pipelines.words import Analyzer

    options = {key: near[key] for key in ("shingle", "n", "numbers")}
    signer = Signer(**options, permutations=near["bands"] * near["rows"])
    analyzer = Analyzer(None)
    cut = [sentences for text in texts if len(sentences := _SENTENCE.findall(text[:_LONGEST])) >= _FEWEST]
    pairs = []
    for number, sentences in enumerate(cut if len(cut) > 1 else []):
        other = cut[(number + 1) % len(cut)]
        original = _sketch(signer, analyzer, "".join(sentences))
        for share in _SHARES:
            edited = _sketch(signer, analyzer, _edited(sentences, other, share))
            pairs.append((_jaccard(original, edited), _share_a_band(original, edited, near["bands"], near["rows"])))
    own = {"build": {**built, "recall": ratio(built["found"], built["planted"])}} if built and built["planted"] else {}
    return {**(_told(pairs, near) if pairs else {}), **own}


def theory(similarity: float, bands: int, rows: int) -> float:
    """The chance that two documents of this similarity share a band (Leskovec et al., Mining of Massive Datasets)."""
    return float(1 - (1 - similarity**rows) ** bands)


def _edited(sentences: list[str], other: list[str], share: float) -> str:
    changed = max(1, round(share * len(sentences)))
    places = {int((i + 0.5) * len(sentences) / changed) for i in range(changed)}
    return "".join(other[i % len(other)] if i in places else sentence for i, sentence in enumerate(sentences))


def _sketch(signer: Signer, analyzer: Any, text: str) -> Sketch:
    words = analyzer.analyze(text)
    return signer.sketch(text, words.start, words.end)


def _jaccard(one: Sketch, other: Sketch) -> float:
    common = np.intersect1d(one.shingles, other.shingles, assume_unique=True).size
    return float(common / max(one.shingles.size + other.shingles.size - common, 1))


def _share_a_band(one: Sketch, other: Sketch, bands: int, rows: int) -> bool:
    same = (one.signature == other.signature)[: bands * rows].reshape(bands, rows)
    return bool(same.all(axis=1).any())


def _told(pairs: list[tuple[float, bool]], near: dict[str, Any]) -> dict[str, Any]:
    bins: dict[int, list[bool]] = {}
    for similarity, found in pairs:
        bins.setdefault(min(int(similarity / _STEP + 1e-9), round(1 / _STEP) - 1), []).append(found)
    above = [found for similarity, found in pairs if similarity >= near["threshold"]]
    return {
        "pairs": len(pairs),
        "at_threshold": len(above),
        "recall_at_threshold": ratio(sum(above), len(above)),
        "curve": [
            {
                "from": round(number * _STEP, 2),
                "pairs": len(found),
                "found": ratio(sum(found), len(found)),
                "theory": round(theory((number + 0.5) * _STEP, near["bands"], near["rows"]), 6),
            }
            for number, found in sorted(bins.items())
        ],
    }
