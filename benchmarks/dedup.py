"""Near-duplicates beside the peers: is every one found and nothing else, how fast, in how much memory.

    python benchmarks/dedup.py [--quick] [--json] [--build BUILD]

Every implementation gets the same documents as MeCab words, runs in a process of its own after a warm-up, and is timed
by its CPU in turns with the others (the lesser of two rounds). Memory is the growth of the peak over the loaded
documents. Ratios of speed are ours by theirs (above 1: ours is faster), of memory ours by the leanest peer's (below 1:
ours is leaner). Peers that are not installed are null; `pip install rensa datatrove 'hojichar[dedup]'` brings them.
With --build, precision and recall among the documents of a build are measured too: pairs that nobody made.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.sort(key=lambda place: Path(place).resolve() == Path(__file__).resolve().parent)  # html.py is no library

import numpy as np
from dedup_labelled import labelled, truth
from dedup_peers import SIGN, WHOLE

from pipelines.dedup.index import Sketched, columns_of, read_index, write_index
from pipelines.dedup.minhash import Signer
from pipelines.dedup.near import Duplicates, find_links, resolve
from pipelines.dedup.shelf import Shelf
from registry.recipe import Near

ROUNDS = 5
BATCH = 500  # documents of an index: what is held while it is made
ROOM = 1 << 20  # bytes of shingles that are held while candidates are verified
Words = list[list[str]]
Analysed = list[tuple[str, np.ndarray, np.ndarray]]


def analysed(documents: Words) -> Analysed:
    """The documents as our MeCab pass gives them: a text and the places of its words."""
    found = []
    for words in documents:
        end = np.cumsum([len(word) for word in words], dtype=np.int32)
        found.append(("".join(words), np.concatenate(([0], end[:-1])).astype(np.int32), end))
    return found


def sketches(documents: Analysed, **options: Any) -> Sketched:
    """The documents as an index takes them; the first of them comes first in the order of preference."""
    texts, start, end = zip(*documents, strict=True)
    found = Signer(**options).sketch_all(texts, list(zip(start, end, strict=True)))
    facts = {"id_low": np.zeros(len(documents), np.uint64), "form": found.form, "figures": found.figures}
    return Sketched(facts, found.signatures, found.shingles, found.offsets)


def indexed(documents: Analysed, near: Near, path: Path, first: int) -> None:
    """One index on disk; the first document is the `first` of all."""
    found = sketches(documents, permutations=near.bands * near.rows)
    number = np.arange(first, first + len(documents), dtype=np.uint64)
    found.facts.update(dict.fromkeys(("id_high", "content_high", "content_low", "merit"), number))
    write_index(path, columns_of(found, bands=near.bands, rows=near.rows))


def duplicates(documents: Analysed, near: Near) -> tuple[Duplicates, int]:
    """Which of the documents duplicate another, as a build finds it: by indexes on disk; and how large these are.

    The first of each group stays.
    """
    folder, paths = tempfile.mkdtemp(), []
    for first in range(0, len(documents), BATCH):
        paths.append(Path(folder, f"{first:08d}.arrow"))
        indexed(documents[first : first + BATCH], near, paths[-1], first)
    shelf = Shelf([read_index(path) for path in paths], [0] * len(paths))
    links, _ = find_links(shelf, threshold=near.threshold, bands=near.bands, room=ROOM)
    return resolve(shelf, links, threshold=near.threshold, room=ROOM), sum(p.stat().st_size for p in paths)


def quality(documents: Words) -> dict[str, Any]:
    """Precision of what is linked, recall of the true pairs (of a pair that is missed both stay), and the S-curve."""
    pairs, jaccard = truth(documents)
    exact = {(int(a), int(b)): float(s) for (a, b), s in zip(pairs, jaccard, strict=True)}
    given = analysed(documents)
    result: dict[str, Any] = {"documents": len(documents)}
    for threshold in (0.8, 0.7):
        linked, size = duplicates(given, Near(threshold=threshold))
        losers, partners = linked.documents.tolist(), linked.partner.tolist()
        true = [exact.get((min(i, j), max(i, j)), 0.0) >= threshold for i, j in zip(losers, partners, strict=True)]
        stays = np.ones(len(documents), np.bool_)
        stays[linked.documents] = False
        wanted = pairs[jaccard >= threshold]
        key = f"{threshold:.1f}".replace(".", "")
        result[f"pairs_at_{key}"] = len(wanted)
        result.setdefault("bytes_per_document", round(size / len(documents)))
        result[f"precision_at_{key}"] = float(np.mean(true))
        result[f"recall_at_{key}"] = float(1 - np.mean(stays[wanted].all(axis=1)))
    found = sketches(given)
    result["bytes_besides_shingles"] = round(result["bytes_per_document"] - found.shingles.nbytes / len(documents))
    result["s_curve"] = s_curve(found.signatures, pairs, jaccard)
    return result


def s_curve(signatures: np.ndarray, pairs: np.ndarray, jaccard: np.ndarray) -> list[dict[str, float]]:
    """The share of pairs that agree in a band, by exact similarity, measured and as 1 - (1 - s^6)^20 has it."""
    equal = signatures[pairs[:, 0]] == signatures[pairs[:, 1]]
    candidate = equal.reshape(len(pairs), 20, 6).all(axis=2).any(axis=1)
    rows = []
    for low in np.arange(0.5, 1.0, 0.05):
        inside = (jaccard >= low) & (jaccard < low + 0.05)
        if inside.any():
            theory = float(np.mean(1 - (1 - jaccard[inside] ** 6) ** 20))
            measured = float(np.mean(candidate[inside]))
            rows.append(
                {"from": round(float(low), 2), "pairs": int(inside.sum()), "measured": measured, "theory": theory}
            )
    return rows


def _sign_ours(documents: Analysed) -> None:
    sketches(documents)


def _whole_ours(documents: Analysed) -> list[int]:
    return [int(i) for i in duplicates(documents, Near())[0].documents]


def _memory(key: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split(f"{key}:")[1].split()[0])


def measured(name: str, documents: Words) -> None:
    """In a process of its own: serve one line per round asked for; the first also tells the memory."""
    own = name == "ours"
    whole: Any = _whole_ours if own else WHOLE[name]
    sign: Any = _sign_ours if own else SIGN.get(name)
    given: Any = analysed(documents) if own else documents
    some: Any = given[:300]
    whole(some)
    for _ in sys.stdin:
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what loading and warming up left free is not lent to anyone
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        before, begin = _memory("VmRSS"), time.process_time()
        removed = whole(given)
        took = {"whole": time.process_time() - begin, "memory": _memory("VmHWM") - before, "removed": len(removed)}
        if sign:
            part, begin = given[: len(given) // 2], time.process_time()
            sign(part)
            took["sign"] = 2 * (time.process_time() - begin)
        print(json.dumps(took), flush=True)


def side_by_side(documents: Words, folder: Path) -> dict[str, dict[str, float]]:
    """The least CPU seconds and the memory of the first round, by implementation."""
    given = folder / "documents.json"
    given.write_text(json.dumps(documents, ensure_ascii=False), encoding="utf-8")
    command = [sys.executable, __file__, "--measure", str(given)]
    logs = {
        name: tempfile.TemporaryFile("w+")  # noqa: SIM115 - they live as long as the processes
        for name in ("ours", *WHOLE)
    }  # a pipe that nobody reads would fill
    running = {
        name: subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        for name, log in logs.items()
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in running}
    for _ in range(ROUNDS):
        for name, process in running.items():
            answer = _ask(process)
            if answer:
                rounds[name].append(answer)
    for name, process in running.items():
        process.communicate()
        if not rounds[name]:
            logs[name].seek(0)
            said = logs[name].read()
            reason = next((line for line in reversed(said.splitlines()) if "Error" in line), "it ended early")
            print(f"{name:<12} not measured: {reason}")
    return {
        name: {"memory": answers[0]["memory"]} | {k: min(a[k] for a in answers) for k in answers[0] if k != "memory"}
        for name, answers in rounds.items()
        if answers
    }


def _ask(process: subprocess.Popen[str]) -> dict[str, float] | None:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("round\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except BrokenPipeError:
        return None
    return json.loads(answer) if answer else None


def ratios(times: dict[str, dict[str, float]]) -> dict[str, float | None]:
    """Ours against each peer."""
    ours = times["ours"]
    result: dict[str, float | None] = {}
    for name in WHOLE:
        peer = times.get(name)
        result[f"whole_ratio_{name}"] = round(peer["whole"] / ours["whole"], 1) if peer else None
        if name in SIGN:
            result[f"signature_ratio_{name}"] = round(peer["sign"] / ours["sign"], 1) if peer else None
    peers = [peer["memory"] for name, peer in times.items() if name != "ours"]
    result["peak_memory_ratio_best_peer"] = round(ours["memory"] / min(peers), 3) if peers else None
    return result


def natural(build: Path) -> Words:
    """The Japanese documents of a build, kept or not, as MeCab words."""
    import pyarrow.parquet as pq

    from pipelines.words import Analyzer

    analyzer, found = Analyzer(), []
    for path in sorted([*build.glob("documents/*.parquet"), *build.glob("rejects/*.parquet")]):
        for text in pq.ParquetFile(path).read(["text"]).column("text").to_pylist():
            words = [word for word in analyzer.analyze(text).surfaces() if word.strip()]
            if len(words) >= 20 and sum("\u3040" < c < "\u30ff" for c in text) > len(text) // 50:
                found.append(words)
    return found


def main() -> None:
    """Measure and print; the JSON object comes last."""
    if "--measure" in sys.argv:
        _, given, name = sys.argv[sys.argv.index("--measure") :]
        measured(name, json.loads(Path(given).read_text(encoding="utf-8")))
        return
    quick = "--quick" in sys.argv
    result = quality(labelled(600 if quick else 6000))
    for row in result["s_curve"]:
        print(
            "similarity from {from:.2f}  {pairs:>6} pairs  candidates {measured:.3f}  theory {theory:.3f}".format(**row)
        )
    if "--build" in sys.argv:
        found = quality(natural(Path(sys.argv[sys.argv.index("--build") + 1])))
        result |= {f"natural_{key}": value for key, value in found.items() if key != "s_curve"}
    with tempfile.TemporaryDirectory() as folder:
        times = side_by_side(labelled(1500 if quick else 6000), Path(folder))
    for name, row in times.items():
        told = "  ".join(f"{key} {value:,.3f}" for key, value in row.items() if key != "memory")
        print(f"{name:<12} {told}  memory {row['memory'] / 1e6:.1f} MB")
    result |= ratios(times)
    if "--json" in sys.argv:
        print(json.dumps(result))
    else:
        print("\n".join(f"{key:<32}{value}" for key, value in result.items() if key != "s_curve"))


if __name__ == "__main__":
    main()
