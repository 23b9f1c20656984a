"""Ruby: the small kana over a word that tell how to read it.

In: segments as the content stream has them. Out: the same without ruby, or with it in 《》 after its word.

Every extractor measured prints ruby as lines of its own, which costs a page of a textbook 28 % of its character
similarity. It is told by geometry: nothing but kana, at most 0.62 of the size of the text right under it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.extract.pdf.segments import Segment

SMALL = 0.62  # of the size of the text it explains
FAR = 0.7  # of that size: the widest gap between ruby and its word


def without_ruby(segments: list[Segment], *, keep: bool) -> list[Segment]:
    """`segments` less their ruby; with `keep`, each stands in 《》 after the word that it explains."""
    small = [s for s in segments if s.kana]
    if not small:
        return segments
    bases = sorted((s for s in segments if not s.kana or s.size > 7), key=lambda s: s.y0)
    tops = [s.y0 for s in bases]
    pairs = [(s, base) for s in small if (base := _base(s, bases, tops))]
    if keep:
        places = [(_place(ruby, base), ruby, base) for ruby, base in pairs]
        for at, ruby, base in sorted(places, key=lambda place: -place[0]):  # from the end, so that places stay true
            base.text = f"{base.text[:at]}《{ruby.text}》{base.text[at:]}"
    dropped = {id(ruby) for ruby, _ in pairs}
    return [s for s in segments if id(s) not in dropped]


def _base(ruby: Segment, bases: list[Segment], tops: list[float]) -> Segment | None:
    """The larger text right under `ruby`, if there is any."""
    low, high = bisect_left(tops, ruby.y0), bisect_right(tops, ruby.y1 + FAR * ruby.height / SMALL)
    best = None
    for base in bases[low:high]:
        overlap = min(ruby.x1, base.x1 + 0.5 * base.size) - max(ruby.x0, base.x0 - 0.5 * base.size)
        under = base.middle > ruby.y1 - 0.2 * ruby.height and base.y0 - ruby.y1 < FAR * base.size
        if (
            ruby.size < SMALL * base.size
            and under
            and overlap > 0.5 * (ruby.x1 - ruby.x0)
            and (best is None or base.y0 < best.y0)
        ):
            best = base
    return best


def _place(ruby: Segment, base: Segment) -> int:
    """After how many characters of `base`, taken as equally wide, the word that `ruby` explains ends."""
    width = (base.x1 - base.x0) / max(len(base.text), 1)
    at = min(max(ceil((ruby.x1 - base.x0) / width - 0.25), 1), len(base.text))
    while at > 1 and "ぁ" <= base.text[at - 1] <= "ん":  # long ruby overhangs the kana that follow its word
        at -= 1
    return at
