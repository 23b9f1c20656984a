"""How long an audit and an answer take, and whether they are right.

    python benchmarks/audit.py [--quick] [--json] [--rows N]

The report is made of a synthetic ledger (a million rows; with --quick 100,000) in a process of its own, and its
funnel is compared with DuckDB's counts over the same files. 200 documents of a real build (of all shared data where it
is there; with --quick of a small sample) are explained one by one, and each answer is compared with what extracting and
refining the raw file anew gives. duckdb and mlcroissant are used
where they are installed; without them their figures are null. Prints one JSON object last.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:] = [place for place in sys.path if Path(place).resolve() != HERE]  # html.py here is not Python's own html

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "tests" / "golden" / "small" / "recipe.yaml"
LARGE = HERE / "all_of_shared.yaml"
ASKED = 200
_REPORT = """
import resource, sys, time
import corpus
from corpus.audit import write
started = time.monotonic()
write(corpus.open_build(sys.argv[1]), fresh=True)
print(time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def report(build: Path) -> dict[str, Any]:
    """Seconds, bytes and peak memory of the report of `build`."""
    done = subprocess.run([sys.executable, "-c", _REPORT, build], capture_output=True, text=True, check=True, cwd=ROOT)
    seconds, memory = map(float, done.stdout.split())
    size = (build / "report.html").stat().st_size
    return {"report_seconds": round(seconds, 2), "report_bytes": size, "peak_memory_mb": round(memory)}


def funnel_equals_duckdb(build: Path) -> bool | None:
    """Whether documents, characters and tokens by source and fate are what DuckDB counts."""
    if find_spec("duckdb") is None:
        print("duckdb is not installed: the funnel is not compared")
        return None
    import duckdb

    query = """SELECT source, count(*), count(*) FILTER (fate = 'kept'), count(*) FILTER (fate = 'rejected'),
        count(*) FILTER (fate = 'duplicate'), count(*) FILTER (fate = 'failed'), sum(chars) FILTER (fate = 'kept'),
        sum(tokens) FILTER (fate = 'kept') FROM read_parquet(?) GROUP BY source"""
    counted = {
        row[0]: [int(n or 0) for n in row[1:]]
        for row in duckdb.execute(query, [f"{build}/ledger/*.parquet"]).fetchall()
    }
    figures = json.loads((build / "audit.json").read_bytes())
    keys = ("documents", "kept", "rejected", "duplicate", "failed", "characters", "tokens")
    told = {name: [source[key] for key in keys] for name, source in figures["sources"].items() if source["documents"]}
    whole = [figures["funnel"][key] for key in keys]
    return told == counted and whole == [sum(column) for column in zip(*counted.values(), strict=True)]


def croissant_valid(build: Path) -> bool | None:
    """Whether mlcroissant accepts the card."""
    if find_spec("mlcroissant") is None:
        print("mlcroissant is not installed: the card is not validated")
        return None
    import mlcroissant

    try:
        mlcroissant.Dataset(jsonld=str(build / "card" / "croissant.json"))
    except mlcroissant.ValidationError as error:
        print(error)
        return False
    return True


def explain(build: Path, recipe: Path, asked: int) -> dict[str, Any]:
    """The slowest answer, and how many agree with a computation from the raw files."""
    import corpus
    from corpus.explain import find, journey, story

    opened = corpus.open_build(build)
    rows = drawn(list(opened.ledger()), asked)
    truth = Truth(recipe, build.parent / "unpacked")
    seconds, agree = [], 0
    for row in rows:
        started = time.monotonic()
        told = journey(opened, find(opened, name=row["id"])[0])
        lines = list(story(told))
        seconds.append(time.monotonic() - started)
        agree += bool(lines) and truth.agrees(told)
    return {"explain_seconds_max": round(max(seconds), 3), "explain_agrees": agree, "explain_asked": len(rows)}


def drawn(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Documents of every source, fate and rule, the lowest ids of each in turn."""
    strata: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        strata.setdefault((row["source"], row["fate"], row["rule"]), []).append(row)
    ranked = [(place, key, row["id"], row) for key, own in strata.items() for place, row in enumerate(own)]
    return [row for *_, row in sorted(ranked, key=lambda item: item[:3])[:count]]


class Truth:
    """What the raw files give, without anything that a build left behind."""

    def __init__(self, recipe: Path, unpacked: Path) -> None:
        from pipelines.preflight import plan

        unpacked.mkdir(exist_ok=True)
        self.unpacked = unpacked  # members of archives lie there one at a time

        self.plan = plan(recipe)
        self.refiner = self.plan.refiner()
        self.read: dict[tuple[str, str], dict[str, Any]] = {}

    def parts(self, row: dict[str, Any]) -> dict[str, Any]:
        """Part -> what the extractor gave for it."""
        from pipelines.extract import Part, Raw
        from pipelines.extract.archive import Unpacker
        from pipelines.extract.sniff import sniff
        from pipelines.inventory import matches
        from registry.errors import InputError
        from registry.names import extractor

        key = row["source"], row["uri"]
        if key not in self.read:
            source = next(s for s in self.plan.recipe.sources if s.name == row["source"])
            uri, _, member = row["uri"].partition("!/")
            path = next(place.where for place in matches(self.plan.folder, source) if place.uri == uri)
            found: dict[str, Any] = {}
            try:
                path = Unpacker(self.unpacked).fetch(path, member) if member else path
                sniffed = sniff(path)
                raw = Raw(path, row["uri"], source.kind, sniffed.media_type)
                for part in extractor.get(sniffed.format)(raw, **self.plan.options(sniffed.format, source)):
                    found[part.part] = part if isinstance(part, Part) else part.reason
            except InputError as error:
                found[""] = error.reason
            self.read[key] = found
        return self.read[key]

    def refined(self, row: dict[str, Any]) -> Any:
        """The document of a row, refined anew."""
        from registry.document import Metadata, make_document

        part = self.parts(row)[row["part"]]
        metadata = Metadata(**{name: row[name] for name in Metadata.__annotations__})
        return self.refiner.refine(make_document(part.text.encode("utf-8", "replace").decode("utf-8"), metadata))

    def agrees(self, told: Any) -> bool:
        """Whether fate, deciding value, cleaned text, cuts and similarity of a journey are those of the raw file."""
        row = told.row
        if row["fate"] == "failed":
            return row["error"].partition(":")[0] == self.parts(row).get(row["part"])
        refined = self.refined(row)
        verdict = refined.verdict
        decided = (verdict.rule, verdict.value, verdict.threshold) if verdict else ("", None, None)
        same = told.agrees and told.steps[-1].after == refined.text and len(refined.cuts) == len(row["cuts"])
        if row["fate"] == "rejected":
            broken = next(limit for limit in told.limits if limit.broken)
            return same and decided == (row["rule"], row["value"], row["threshold"]) and broken.rule == row["rule"]
        if row["fate"] == "duplicate":
            return (
                same and verdict is None and told.twin.similarity == row["similarity"] == self.similarity(refined, told)
            )
        return same and verdict is None and told.shard is not None

    def similarity(self, refined: Any, told: Any) -> float:
        """The exact Jaccard similarity with the survivor, whose raw file is read too."""
        import numpy as np

        other = self.refined(told.twin.row)
        if refined.content == other.content:
            return 1.0
        one, two = refined.sketch.shingles, other.sketch.shingles
        common = np.intersect1d(one, two).size
        return float(common / (one.size + two.size - common))


def measured(rows: int, recipe: Path) -> Iterator[dict[str, Any]]:
    """All figures, part by part."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("synthetic", HERE / "synthetic.py")
    synthetic = module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    with tempfile.TemporaryDirectory() as folder:
        drawn_build, real = Path(folder) / "drawn", Path(folder) / "real"
        synthetic.synthesize(drawn_build, rows)
        yield {"rows": rows, **report(drawn_build)}
        yield {"funnel_equals_duckdb": funnel_equals_duckdb(drawn_build)}
        command = [sys.executable, "-m", "corpus", "build", recipe, "--out", real]
        done = subprocess.run(
            command, env={**os.environ, "CORPUS_HOME": folder}, capture_output=True, cwd=ROOT, check=False
        )
        if done.returncode not in {0, 3}:
            sys.exit(done.stderr.decode())
        yield explain(real, recipe, ASKED)
        yield {"croissant_valid": croissant_valid(real)}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--quick", action="store_true")
    options.add_argument("--json", action="store_true")
    options.add_argument("--rows", type=int)
    given = options.parse_args()
    result: dict[str, Any] = {}
    recipe = LARGE if not given.quick and (ROOT.parent / "shared" / "data").is_dir() else SMALL
    for part in measured(given.rows or (100_000 if given.quick else 1_000_000), recipe):
        result |= part
        for name, value in part.items():
            print(f"{name:<24}{value!s:>12}")
    if given.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
