"""The refine stage: what it rejects, what it lets pass, how fast it is, what it masks, what it decontaminates.

    python benchmarks/refine.py [--data DIR] [--quick] [--json]

- `false_rejections`: the highest share, over five kinds of wanted documents, that the profile of the kind rejects.
- `damage_caught`: the share of damaged documents, over seven kinds of damage to each kind of text, that is rejected;
  `..._least`: of the worst pair of text and damage.
- `speed_vs_datatrove`: throughput of the whole stage over that of datatrove's Gopher quality, repetition and PII blocks
  with FineWeb-2's Japanese thresholds and datatrove's own Japanese tokenizer; `..._fugashi` with MeCab's words in its
  place (pipelines/blocks.py). All in one process on the same documents, interleaved, the least CPU time of each.
- `mecab_share`: the time that MeCab alone takes for the lines that the stage asks it about, over that of the stage.
- `privacy_recall`, `privacy_precision`: the lowest over the types of a labelled set that benchmarks/personal.py makes.
- `decontamination_recall` (`..._altered`: in another order, width, or with other numbers): the share of planted
  benchmark items that is found; `decontamination_false`: items found where none was planted (benchmarks/overlap.py).

datatrove's own tokenizer needs spacy[ja] installed beside datatrove; where it is not, its key is null.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from overlap import measure_decontamination
from personal import measure_privacy
from wanted import DAMAGE, DATA, KINDS, wanted

from pipelines.dedup.minhash import Signer
from pipelines.quality import load_profile
from pipelines.refine import Refiner
from registry.document import Metadata, make_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.document import Document

FINEWEB_2 = {  # https://github.com/huggingface/fineweb-2, configs/jpn_Jpan.yml
    "quality": {"min_avg_word_length": 1, "max_avg_word_length": 6, "max_non_alpha_words_ratio": 0.759,
                "stop_words": list("のにをはたてがとで年し・月れさ"), "min_stop_words": 2},
    "repetition": {"dup_line_frac": 0.328,
                   "dup_n_grams": ((5, 0.243), (6, 0.225), (7, 0.207), (8, 0.19), (9, 0.175), (10, 0.159)),
                   "top_n_grams": ((2, 0.239), (3, 0.196), (4, 0.172))},
}  # fmt: skip
ROUNDS = 3


def refiner() -> Refiner:
    """The stage as the recipe of ja_finance sets it up."""
    return Refiner(
        profiles={kind: load_profile(kind) for kind in KINDS},
        normalize={},
        privacy="mask",
        signer=Signer(),
        user_dictionary=None,
        blocks=[],
    )


def document(text: str, kind: str) -> Document:
    facts = dict.fromkeys(Metadata.__annotations__, "") | {"kind": kind, "uri": str(hash(text))}
    return make_document(text, Metadata(**facts))  # type: ignore[typeddict-item]


def rejections(stage: Refiner, texts: dict[str, list[str]]) -> dict[str, list[str]]:
    """By kind, the rule that rejects each text, or nothing."""
    found: dict[str, list[str]] = {}
    for kind, wanted_texts in texts.items():
        verdicts = [stage.refine(document(text, kind)).verdict for text in wanted_texts]
        found[kind] = [verdict.rule if verdict else "" for verdict in verdicts]
    return found


def damaged(texts: dict[str, list[str]], *, of_each: int, seed: int = 5) -> dict[tuple[str, str], list[str]]:
    """By kind of text and of damage, `of_each` damaged texts."""
    draw = random.Random(seed)
    result = {}
    for kind, originals in texts.items():
        long = [text[:6000] for text in originals if len(text) >= (30 if kind == "record" else 300)]
        for name, damage in DAMAGE.items():
            chosen = draw.sample(long, min(of_each, len(long)))
            result[kind, name] = [damage(text, draw) for text in chosen]
    return result


def caught(stage: Refiner, texts: dict[tuple[str, str], list[str]]) -> dict[tuple[str, str], float]:
    """The share of each kind of damaged texts that is rejected."""
    shares = {}
    for (kind, name), some in texts.items():
        verdicts = [stage.refine(document(text, kind)).verdict for text in some if text.strip()]
        shares[kind, name] = sum(verdict is not None for verdict in verdicts) / max(len(verdicts), 1)
    return shares


class _Noted:
    """A MeCab tagger that keeps what it was asked."""

    def __init__(self, tagger: Any) -> None:
        self.tagger = tagger
        self.pieces: list[str] = []

    def parse(self, text: str) -> str:
        self.pieces.append(text)
        found: str = self.tagger.parse(text)
        return found


def peers() -> dict[str, Callable[[list[Document]], None]]:
    """The blocks of datatrove with its own Japanese tokenizer, where that can be loaded, and with MeCab's words."""
    from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
    from datatrove.pipeline.formatters import PIIFormatter
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    from pipelines.blocks.filters import MecabWords

    tokenizers: dict[str, Any] = {"datatrove_fugashi": MecabWords()}
    try:
        load_word_tokenizer("ja").word_tokenize("試し")
        tokenizers["datatrove"] = "ja"
    except ImportError as error:
        print(f"datatrove's own Japanese tokenizer is not measured: {str(error).splitlines()[0]}")

    def run(language: Any) -> Callable[[list[Document]], None]:
        quality = GopherQualityFilter(language=language, **FINEWEB_2["quality"])
        repetition = GopherRepetitionFilter(language=language, **FINEWEB_2["repetition"])
        pii = PIIFormatter()

        def process(documents: list[Document]) -> None:
            for one in documents:
                quality.filter(one)
                repetition.filter(one)
                pii.format(one.text)

        return process

    return {name: run(language) for name, language in tokenizers.items()}


def speeds(texts: dict[str, list[str]], megabytes: float) -> tuple[dict[str, float], float]:
    """MB/s of everyone, and MeCab's share of our time; documents of all kinds, as many bytes of each as there are."""
    documents = _sample(texts, megabytes)
    size = sum(len(one.text.encode()) for one in documents) / 1e6
    stage = refiner()
    tagger = stage._analyzer._tagger  # noqa: SLF001
    noted = _Noted(tagger)

    def ours(some: list[Document]) -> None:
        stage._analyzer._seen.clear()  # noqa: SLF001 - no round may profit from the one before
        for one in some:
            stage.refine(one)

    def mecab(_: list[Document]) -> None:
        for piece in noted.pieces:
            tagger.parse(piece)

    stage._analyzer._tagger = noted  # noqa: SLF001
    ours(documents)
    stage._analyzer._tagger = tagger  # noqa: SLF001 - a clock around each of 20,000 lines would take a part of the time
    runs = {"ours": ours, "mecab": mecab, **peers()}
    least = dict.fromkeys(runs, float("inf"))
    for run in runs.values():
        run(documents[:4])
    for _ in range(ROUNDS):
        for name, run in runs.items():
            begin = time.process_time()
            run(documents)
            least[name] = min(least[name], time.process_time() - begin)
    share = least.pop("mecab") / least["ours"]
    return {name: size / seconds for name, seconds in least.items()}, share


def _sample(texts: dict[str, list[str]], megabytes: float) -> list[Document]:
    """Every k-th document of each kind, so that kinds keep their shares of bytes."""
    total = sum(len(text) * 2.8 for some in texts.values() for text in some) / 1e6
    step = max(1, round(total / megabytes))
    return [document(text, kind) for kind, some in texts.items() for text in some[step // 2 :: step]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="a part of the documents; under a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object last")
    given = parser.parse_args()
    texts = wanted(given.data, one_in=4 if given.quick else 1)
    stage = refiner()
    rejected = rejections(stage, texts)
    false = {kind: sum(map(bool, rules)) / max(len(rules), 1) for kind, rules in rejected.items()}
    for kind, rules in rejected.items():
        print(f"wanted {kind:<11} {len(rules):>5} documents, {100 * false[kind]:.2f} % rejected", *set(rules) - {""})
    shares = caught(stage, damaged(texts, of_each=20 if given.quick else 60))
    print(f"\ncaught, %   {'':<10}", *(f"{kind:>11}" for kind in texts))
    for name in DAMAGE:
        print(f"  {name:<20}", *(f"{100 * shares[kind, name]:>11.0f}" for kind in texts))
    speed, mecab = speeds(texts, 0.5 if given.quick else 1.5)
    print("\nMB/s", *(f"{name} {value:.2f}" for name, value in speed.items()), f"; MeCab's share {mecab:.2f}")
    privacy = measure_privacy(500 if given.quick else 2000)
    decontamination = measure_decontamination(given.data, quick=given.quick)
    result = {
        "false_rejections": round(max(false.values()), 4),
        "damage_caught": round(sum(shares.values()) / len(shares), 4),
        "damage_caught_least": round(min(shares.values()), 4),
        "speed_vs_datatrove": _ratio(speed, "datatrove"),
        "speed_vs_datatrove_fugashi": _ratio(speed, "datatrove_fugashi"),
        "mecab_share": round(mecab, 3),
        **privacy,
        **decontamination,
    }
    if given.json:
        print(json.dumps(result))


def _ratio(speed: dict[str, float], peer: str) -> float | None:
    return round(speed["ours"] / speed[peer], 2) if peer in speed else None


if __name__ == "__main__":
    main()
