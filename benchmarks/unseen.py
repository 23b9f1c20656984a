"""Cross-validation over sources: what the profiles make of texts from a source that the tables of pairs never saw.

    python benchmarks/unseen.py [--data DIR] [--json]

Each source in turn (a folder of filings or textbooks, half of the authors, all statutes, half of the companies) is left
out of the tables of quality/pairs.py, and judged by the limits that are shipped. Prints how many wanted documents are
rejected and by which rules, and how many that were misread by a scanner pass. Under three minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from make_pairs import encyclopedia, make_tables
from wanted import DATA, FILES, extracted, recognition_errors, sentences

from pipelines.normalize import normalize
from pipelines.quality import Text, load_profile, pairs
from pipelines.words import Analyzer

if TYPE_CHECKING:
    from pipelines.quality import Profile
    from registry.ledger import Verdict

Source = tuple[str, str]  # kind, name
MOST, MISREAD = 1000, 200  # documents of a source


def sources(data: Path) -> dict[Source, list[str]]:
    """The texts of each source."""
    found: dict[Source, list[str]] = {}
    for kind, patterns in FILES.items():
        files = [file for pattern in patterns for file in sorted(data.glob(pattern))]
        authors = sorted({file.name.partition("_")[0] for file in files})
        for file in files:
            first, second, *_ = file.relative_to(data).parts
            names = {
                "law": "law",
                "literature": f"authors {authors.index(file.name.partition('_')[0]) % 2}",
                "textbook": second,
            }
            found.setdefault((kind, names.get(kind, first)), []).extend(extracted(file, kind))
    found |= {("record", f"companies {half}"): sentences(data, half) for half in (0, 1)}
    return found


def verdicts(texts: list[str], profile: Profile, analyzer: Analyzer) -> list[Verdict | None]:
    """What the profile says of each."""
    return [profile.judge(profile.measure(Text.of(analyzer.analyze(text)))) for text in map(normalize, texts)]


def main() -> None:
    """Leave each source out, judge it, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true", help="one JSON object last")
    given = parser.parse_args()
    texts, common = sources(given.data), encyclopedia(given.data)
    draw, analyzer = random.Random(11), Analyzer()
    totals: dict[str, Counter[str]] = {}
    for (kind, name), own in texts.items():
        others = [text for other, some in texts.items() if other != (kind, name) for text in some]
        made = pairs.tables_of(*make_tables(others + common))
        pairs.tables = lambda made=made: made  # type: ignore[assignment,misc]
        profile, some = load_profile(kind), [text[:6000] for text in draw.sample(own, min(MOST, len(own)))]
        rejected = [verdict.rule for verdict in verdicts(some, profile, analyzer) if verdict]
        long = [text for text in some if len(text) >= (30 if kind == "record" else 300)][:MISREAD]
        passed = verdicts([recognition_errors(text, draw) for text in long], profile, analyzer).count(None)
        print(f"{kind:<11}{name:<20} {len(rejected):>3} of {len(some):>4} rejected,", end=" ")
        print(f"{passed:>3} of {len(long):>3} misread pass", *sorted(set(rejected)), flush=True)
        counts = {"wanted": len(some), "rejected": len(rejected), "misread": len(long), "passed": passed}
        totals.setdefault(kind, Counter()).update(counts)
    if given.json:
        false = {f"{kind}_false": round(found["rejected"] / found["wanted"], 4) for kind, found in totals.items()}
        caught = {f"{kind}_caught": round(1 - found["passed"] / found["misread"], 4) for kind, found in totals.items()}
        print(json.dumps(false | caught))


if __name__ == "__main__":
    main()
