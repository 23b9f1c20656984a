"""Whom the rules reject: each rule of our profiles, and the published thresholds of three web corpora beside them.

    python benchmarks/quality.py [--data DIR] [--quick]

Prints, per kind of wanted document, the share that each profile rejects and the share of damaged documents that it
catches; then, for our profiles, how many documents each rule rejects when it judges alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from refine import damaged
from wanted import DATA, KINDS, wanted

from pipelines.normalize import normalize
from pipelines.quality import Profile, Text, load_profile
from pipelines.words import Analyzer

PEERS = ("swallow_v1", "llm_jp_v1", "fineweb_2")
FOLDER = Path(__file__).with_name("profiles")


def measured(texts: list[str], profile: Profile, analyzer: Analyzer) -> list[dict[str, float]]:
    """Every rule's measurement of each text."""
    return [profile.measure(Text.of(analyzer.analyze(text))) for text in map(normalize, texts)]


def share(profile: Profile, measurements: list[dict[str, float]]) -> float:
    """The share that a profile rejects, in %."""
    return 100 * sum(profile.judge(one) is not None for one in measurements) / max(len(measurements), 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--quick", action="store_true", help="a part of the documents; under a minute")
    given = parser.parse_args()
    texts = wanted(given.data, one_in=8 if given.quick else 4)
    analyzer = Analyzer()
    own = {kind: load_profile(kind) for kind in KINDS}
    peers = {name: load_profile(name, [FOLDER]) for name in PEERS}
    good = {kind: measured(some, own[kind], analyzer) for kind, some in texts.items()}
    bad: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for (kind, _), some in damaged(texts, of_each=6 if given.quick else 30).items():
        bad[kind] += measured(some, own[kind], analyzer)
    print(f"{'% rejected':<12}{'ours':>18}", *(f"{name:>18}" for name in PEERS), "  (wanted / damaged)")
    for kind in KINDS:
        judged = [own[kind], *peers.values()]
        cells = (f"{share(profile, good[kind]):.1f} / {share(profile, bad[kind]):.0f}" for profile in judged)
        print(f"{kind:<12}", *(f"{cell:>17}" for cell in cells))
    for kind in KINDS:
        print(f"\n{kind}: {len(good[kind])} wanted, {len(bad[kind])} damaged; rejected by each rule alone")
        for name, (wrongly, rightly) in _alone(own[kind], good[kind], bad[kind]).items():
            print(f"  {name:<20} {wrongly:>5} {rightly:>6}")


def _alone(profile: Profile, good: list[dict[str, float]], bad: list[dict[str, float]]) -> dict[str, tuple[int, int]]:
    """By rule, how many wanted and how many damaged documents it rejects by itself."""
    counts = [Counter[str](), Counter[str]()]
    for found, some in zip(counts, (good, bad), strict=True):
        for one in some:
            found.update(limit.rule for limit in profile.limits if limit.broken_by(one[limit.rule]) is not None)
    return {limit.rule: (counts[0][limit.rule], counts[1][limit.rule]) for limit in profile.limits}


if __name__ == "__main__":
    main()
