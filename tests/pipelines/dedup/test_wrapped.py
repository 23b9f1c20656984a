"""Hard-wrapped prose is sketched as if it were not wrapped."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.dedup.minhash import Signer
from pipelines.dedup.wrapped import unwrapped
from pipelines.words import Analyzer

PROSE = (
    "当社グループは、引き続き財務体質の強化を図るとともに、株主に対する安定的な配当の継続を経営の重要課題と位置付けております。"
    "また、原材料価格の上昇に対しては、調達先の見直しと生産性の向上により対応し、収益の確保に努めております。"
)


def test_breaks_inside_words_do_not_change_the_sketch():
    analyzer, signer = Analyzer(), Signer()

    def shingles(text):
        words = analyzer.analyze(text)
        return signer.sketch(text, words.start, words.end).shingles

    whole = shingles(unwrapped(PROSE))
    changed = 0
    for width in (29, 33, 37, 41, 45):
        lines = "\n".join(PROSE[i : i + width] for i in range(0, len(PROSE), width))
        assert np.array_equal(shingles(unwrapped(lines)), whole)
        changed += not np.array_equal(shingles(lines), whole)
    assert changed >= 3


@pytest.mark.parametrize(
    "text",
    [
        "第一章 総則\nこの法律は、次のとおりとする。",
        "| 売上高 | 営業利益 | 経常利益 | 当期純利益 |\n合計は次のとおり",
        f"{PROSE}\nまた、次のとおり。",
    ],
)
def test_headings_tables_and_whole_sentences_keep_their_lines(text):
    assert unwrapped(text) == text
