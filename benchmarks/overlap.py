"""Benchmark items planted in documents, verbatim and altered, and what decontamination makes of them."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from wanted import wanted

from pipelines.decontaminate import Decontaminator
from pipelines.items import Item, read_items

FILES = {
    "japanese-lm-fin-harness/cma_basics_data.json": (),
    "japanese-lm-fin-harness/fp2_data.json": (),
    "japanese-lm-fin-harness/security_sales_1_data.json": (),
    "lawqa_jp/selection.json": ("コンテキスト",),  # statutes, which nobody has to do without
    "jglue/jcommonsenseqa-v1.3_valid.json": (),
    "jglue/jnli-v1.3_valid.json": (),
}
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
HALF = {code + 0xFEE0: code for code in range(0x21, 0x7F)}


def verbatim(item: Item, _: random.Random) -> str:
    return "\n".join(item.own + item.quoted)


def reordered(item: Item, draw: random.Random) -> str:
    """The lines, choices among them, in another order."""
    lines = [*item.own, *item.quoted]
    return "\n".join(draw.sample(lines, len(lines)))


def other_width(item: Item, draw: random.Random) -> str:
    return verbatim(item, draw).translate(draw.choice([WIDE, HALF]))


def other_numbers(item: Item, draw: random.Random) -> str:
    def another(match: re.Match[str]) -> str:
        return str(draw.randint(1, 10 ** len(match[0])))

    return re.sub(r"[0-9０-９]+", another, verbatim(item, draw))


def measure_decontamination(data: Path, *, quick: bool) -> dict[str, float]:
    """Prints the share of planted items that is found by alteration, and every document that holds one unplanted."""
    items = [item for name, exempt in FILES.items() for item in read_items(data / "bench" / name, exempt)]
    finder = Decontaminator(items)
    short = set(finder.too_short)
    long = [item for item in items if item.id not in short]
    texts = wanted(data, one_in=4 if quick else 1)
    hosts = [text[:3000] for text in texts["filing"] + texts["textbook"] if len(text) > 500]
    draw = random.Random(7)
    planted = draw.sample(long, min(300 if quick else 2000, len(long)))
    print(f"\n{len(items)} benchmark items, {len(short)} too short to tell from chance")
    shares = {}
    for alter in (verbatim, reordered, other_width, other_numbers):
        hit = 0
        for item in planted:
            host = draw.choice(hosts)
            place = draw.randint(0, len(host))
            text = host[:place] + "\n" + alter(item, draw) + "\n" + host[place:]
            hit += item.id in {overlap.item for overlap in finder.find(text)}
        shares[alter.__name__] = hit / len(planted)
        print(f"  planted {alter.__name__:<14} {100 * shares[alter.__name__]:>6.1f} % found")
    false = 0
    for kind, some in texts.items():
        for text in some:
            for overlap in finder.find(text):
                false += 1
                print(
                    f"  unplanted, {kind}: {overlap.item} {overlap.share:.2f}",
                    text[overlap.start : overlap.end][:90].replace("\n", " "),
                )
    return {
        "decontamination_recall": round(shares["verbatim"], 4),
        "decontamination_recall_altered": round(min(shares.values()), 4),
        "decontamination_false": false,
    }
