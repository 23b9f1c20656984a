"""The refine stage: what it rejects, what it lets pass, how fast it is, what it masks, what it decontaminates.

    python benchmarks/refine.py [--data DIR] [--quick] [--json]

- `false_rejections`: the highest share, over five kinds of wanted documents, that the profile of the kind rejects.
- `damage_caught`: the share of damaged documents, over seven kinds of damage to each kind of text, that is rejected;
  `..._least`: of the worst pair of text and damage.
- `speed_vs_datatrove`: throughput of the whole stage over that of datatrove's Gopher quality, repetition and PII blocks
  with FineWeb-2's Japanese thresholds and datatrove's own Japanese tokenizer; `..._fugashi` with MeCab's words in its
  place (pipelines/blocks). On the same documents in turns, the least CPU time of each.
- `mecab_share`: the CPU time that MeCab alone takes for the lines that the stage asks it about, read one after the
  other, over that of the stage. `mecab_share_in_run`: what a clock around each of MeCab's parses counts while the stage
  runs, over that of the stage; MeCab's dictionary is then pushed out of the cache by our arrays between documents.
- `privacy_recall`, `privacy_precision`: the lowest over the types of a labelled set that benchmarks/personal.py makes;
  beside it, what masking does to 20 real documents.
- `decontamination_recall` (`..._altered`: in another order, width, or with other numbers): the share of planted
  benchmark items that is found; `decontamination_false`: items found where none was planted (benchmarks/overlap.py).

datatrove's own tokenizer needs spaCy's Japanese, which belongs into an environment of its own: CORPUS_DATATROVE names
the interpreter of one with `datatrove spacy sudachipy sudachidict_core`; without it that key is null.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from overlap import measure_decontamination
from personal import measure_privacy, show_real
from refine_datatrove import blocks
from wanted import DAMAGE, DATA, KINDS, wanted

from pipelines.dedup.minhash import Signer
from pipelines.quality import load_profile
from pipelines.refine import Refiner, together
from registry.document import Metadata, make_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry.document import Document

ROUNDS = 6
DATATROVE = "CORPUS_DATATROVE"


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


class _Clocked:
    """A MeCab tagger that counts the CPU seconds of its parses."""

    def __init__(self, tagger: Any) -> None:
        self.tagger = tagger
        self.seconds = 0.0

    def parse(self, text: str) -> str:
        begin = time.thread_time()
        found: str = self.tagger.parse(text)
        self.seconds += time.thread_time() - begin
        return found


@contextmanager
def _datatrove(documents: list[Document]) -> Iterator[Callable[[], float] | None]:
    """What passes once over the texts in the interpreter that DATATROVE names, and tells the CPU seconds it took."""
    python = os.environ.get(DATATROVE)
    if not python:
        print(f"datatrove's own Japanese tokenizer is not measured: {DATATROVE} names no interpreter that has it")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.json")
        path.write_text(json.dumps([one.text for one in documents]), encoding="utf-8")
        command = [python, str(Path(__file__).with_name("refine_datatrove.py")), str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            if peer.stdin is None or peer.stdout is None:
                raise RuntimeError
            lines_in, lines_out = peer.stdin, peer.stdout

            def once() -> float:
                lines_in.write("\n")
                lines_in.flush()
                return float(lines_out.readline())

            yield once
            peer.stdin.close()


def speeds(texts: dict[str, list[str]], megabytes: float) -> tuple[dict[str, float], dict[str, float]]:
    """MB/s of everyone; and MeCab's shares of our time. Documents of all kinds, as many bytes of each as there are."""
    from pipelines.blocks.filters import MecabWords

    documents = _sample(texts, megabytes)
    size = sum(len(one.text.encode()) for one in documents) / 1e6
    stage = refiner()
    tagger = stage._analyzer._tagger  # noqa: SLF001
    noted = _Noted(tagger)

    def ours(by: Any) -> None:
        stage._analyzer._tagger = by  # noqa: SLF001
        stage._analyzer._seen.clear()  # noqa: SLF001 - no round may profit from the one before
        for some in together(documents, lambda one: len(one.text)):  # as a task of the stage does
            stage.refine_all(some)

    ours(noted)
    fugashi = blocks(MecabWords())
    fugashi(documents[:4])
    runs = {
        "ours": lambda: ours(tagger),
        "mecab": lambda: [tagger.parse(piece) for piece in noted.pieces],
        "datatrove_fugashi": lambda: fugashi(documents),
    }
    found: dict[str, list[float]] = {}
    within = []
    with _datatrove(documents) as peer:
        for _ in range(ROUNDS):
            for name, run in runs.items():
                begin = time.process_time()
                run()
                found.setdefault(name, []).append(time.process_time() - begin)
            if peer:
                found.setdefault("datatrove", []).append(peer())
            clocked, begin = _Clocked(tagger), time.process_time()
            ours(clocked)
            within.append(clocked.seconds / (time.process_time() - begin))
    least = {name: min(seconds) for name, seconds in found.items()}
    shares = {"mecab_share": least.pop("mecab") / least["ours"], "mecab_share_in_run": sorted(within)[len(within) // 2]}
    return {name: size / seconds for name, seconds in least.items()}, shares


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
    speed, shares_of_mecab = speeds(texts, 0.5 if given.quick else 1.5)
    print("\nMB/s", *(f"{name} {value:.2f}" for name, value in speed.items()), f"; MeCab's share {shares_of_mecab}")
    privacy = measure_privacy(500 if given.quick else 2000)
    show_real(texts)
    decontamination = measure_decontamination(given.data, quick=given.quick)
    result = {
        "false_rejections": round(max(false.values()), 4),
        "damage_caught": round(sum(shares.values()) / len(shares), 4),
        "damage_caught_least": round(min(shares.values()), 4),
        "speed_vs_datatrove": _ratio(speed, "datatrove"),
        "speed_vs_datatrove_fugashi": _ratio(speed, "datatrove_fugashi"),
        **{name: round(value, 3) for name, value in shares_of_mecab.items()},
        **privacy,
        **decontamination,
    }
    if given.json:
        print(json.dumps(result))


def _ratio(speed: dict[str, float], peer: str) -> float | None:
    return round(speed["ours"] / speed[peer], 2) if peer in speed else None


if __name__ == "__main__":
    main()
