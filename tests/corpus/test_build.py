"""`corpus build`: the same bytes whatever happens on the way, and nothing done twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commandline import PUBLISHED, ROOT, SAMPLE, SMALL, TOKENIZER, contents, corpus, start
from pace import imports, ratio

import corpus as api

STAGES = ("extract", "refine", "dedup", "write")


def test_a_build_has_every_file_that_the_layout_names(built: Path) -> None:
    assert all((built / name).exists() for name in PUBLISHED)
    assert (built / "tokenizer" / "tokenizer.json").is_file()
    assert {path.parent.name for path in built.glob("shards/*/*.arrow")} == {"train", "validation"}


def test_shards_are_read_by_arrow_and_by_datasets(built: Path) -> None:
    from datasets import Dataset

    rows = 0
    for path in built.glob("shards/*/*.arrow"):
        table = pa.ipc.open_stream(path).read_all()
        assert table.schema.names == ["id", "source", "input_ids", "length"]
        assert Dataset.from_file(str(path))[0]["input_ids"] == table.column("input_ids")[0].as_py()
        rows += table.num_rows
    assert rows == api.open_build(built).manifest.fates["kept"]


def test_every_document_has_one_fate_and_they_add_up(built: Path) -> None:
    opened = api.open_build(built)
    ledger = list(opened.ledger())
    assert len({row["id"] for row in ledger}) == len(ledger) == sum(opened.manifest.fates.values())
    assert {row["fate"] for row in ledger} == {"kept", "rejected", "duplicate", "failed"}
    assert len(list(opened.documents())) == opened.manifest.fates["kept"]
    assert len(list(opened.rejects())) == opened.manifest.fates["rejected"] + opened.manifest.fates["duplicate"]
    kept = {row["id"] for row in ledger if row["fate"] == "kept"}
    assert all(row["duplicate_of"] in kept for row in ledger if row["fate"] == "duplicate")
    assert sum(row["tokens"] for row in ledger) == sum(opened.manifest.tokens.values())


def test_tokens_of_a_shard_are_the_text_of_the_document(built: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(built / "tokenizer" / "tokenizer.json"))
    texts = {row["id"]: row["text"] for row in api.open_build(built).documents()}
    shard = api.open_build(built).shards()
    for row in shard[:20]:
        assert row.input_ids[-1] == tokenizer.token_to_id("<EOD|LLM-jp>")
        assert tokenizer.decode(row.input_ids[:-1].tolist()) == texts[row.id]


def test_no_absolute_path_and_no_time_is_written(built: Path) -> None:
    for name, data in contents(built).items():
        if name != "manifest.json":
            assert str(ROOT).encode() not in data, name
    for path in built.glob("*/*.parquet"):
        assert str(ROOT) not in str(pq.read_table(path).to_pylist()), path


def test_one_worker_gives_the_same_bytes_as_two(built: Path, tmp_path: Path) -> None:
    assert corpus("build", SMALL, "--out", tmp_path / "one", "--workers", 1).returncode == 3
    assert contents(tmp_path / "one") == contents(built)


def until(process: subprocess.Popen[str], line: str) -> None:
    assert process.stderr is not None
    for said in process.stderr:
        if said.startswith(line):
            return
    pytest.fail(f"{line} was never said")


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_is_resumed_to_the_same_bytes(built: Path, tmp_path: Path, stage: str) -> None:
    out = tmp_path / "killed"
    process = start("build", SMALL, "--out", out, "--workers", 2)
    until(process, stage)
    process.kill()
    process.wait()
    assert not (out / "manifest.json").exists()
    assert corpus("build", SMALL, "--out", out, "--resume").returncode == 3
    assert contents(out) == contents(built)


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_worker_costs_nothing(built: Path, tmp_path: Path, stage: str) -> None:
    out = tmp_path / "killed"
    process = start("build", SMALL, "--out", out, "--workers", 2)
    until(process, stage)
    deadline = time.monotonic() + 10
    while not (workers := children(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(workers[0], signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode == 3
    assert contents(out) == contents(built)


FAULTS = {
    "while the inventory is hashed": ("pipelines.inventory", "_hash", 3),
    "while outputs are gathered": ("pipelines.report", "place", 3),
    "between two folders that are put in place": ("pathlib.Path", "rename", 2),
    "before the manifest is written": ("pipelines.report.Manifest", "write", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_killed_in_the_driver_is_resumed_to_the_same_bytes(built: Path, tmp_path: Path, fault: str) -> None:
    """The first and the last stage work in the driver: it is killed at the n-th call of a function of theirs."""
    place, name, count = FAULTS[fault]
    out = tmp_path / "killed"
    script = f"""
import os, pathlib, pydoc, sys
import pipelines.inventory, pipelines.report
owner = pydoc.locate({place!r})
original, calls = getattr(owner, {name!r}), []
def dies(*arguments, **keywords):
    calls.append(1)
    if len(calls) == {count}:
        os.kill(os.getpid(), 9)
    return original(*arguments, **keywords)
setattr(owner, {name!r}, dies)
sys.argv = ["corpus", "build", {str(SMALL)!r}, "--out", {str(out)!r}]
from corpus.cli import main
main()
"""
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == -signal.SIGKILL
    )
    assert not (out / "manifest.json").exists()
    assert corpus("build", SMALL, "--out", out).returncode == 3
    assert contents(out) == contents(built)


def test_ctrl_c_ends_with_130_leaves_nobody_and_loses_nothing(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    process = start("build", SMALL, "--out", out, "--workers", 2)
    until(process, "refine")
    workers = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted; what was done is kept" in said
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    again = corpus("build", SMALL, "--out", out, "--resume")
    assert "extract:" not in again.stderr
    assert contents(out) == contents(built)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A domain of one's own with a few files, and its finished build, for `own` to copy."""
    folder = tmp_path_factory.mktemp("made")
    domain = folder / "domain"
    (domain / "files").mkdir(parents=True)
    for path in sorted((SAMPLE / "news").glob("*.html"))[:4]:
        shutil.copy(path, domain / "files")
    (domain / "recipe.yaml").write_text(
        "name: own\nsources: [{name: files, path: files, kind: news, licence: CC-BY-4.0}]\n"
        f"tokenize: {{tokenizer: {TOKENIZER}}}\n"
    )
    assert corpus("build", domain, "--out", folder / "out").returncode == 0
    return folder


def published(out: Path) -> list[Path]:
    return [path for name in PUBLISHED for path in (out / name, *(out / name).rglob("*"))]


def extracted(said: str) -> int:
    """How many bytes the extract stage said that it has to do."""
    line = next((line for line in said.splitlines() if line.startswith("extract:")), "extract: 0 tasks, 0 bytes")
    return int(line.split(", ", 1)[1].removesuffix(" bytes").replace(",", ""))


def test_nothing_changed_means_nothing_done(own: tuple[Path, Path]) -> None:
    domain, out = own
    before = {path: path.stat().st_mtime_ns for path in published(out)}
    done = corpus("build", domain, "--out", out)
    assert "is up to date; nothing was done" in done.stdout
    assert done.stderr == ""
    assert {path: path.stat().st_mtime_ns for path in published(out)} == before


def test_a_build_with_nothing_to_do_takes_little_more_than_its_libraries(own: tuple[Path, Path]) -> None:
    domain, out = own
    libraries = imports("click", "yaml", "pydantic", "rich.console", "pyarrow.parquet", "tokenizers")
    assert ratio(lambda: corpus("build", domain, "--out", out), libraries) < 8


def test_one_file_more_means_one_file_extracted_and_the_bytes_of_a_fresh_build(
    own: tuple[Path, Path], tmp_path: Path
) -> None:
    domain, out = own
    shutil.copy(next((SAMPLE / "laws" / "2016").glob("*.txt")), domain / "files" / "added.txt")
    plan = corpus("build", domain, "--out", out, "--dry-run")
    assert "5 inputs" in plan.stdout
    assert "1 to extract" in plan.stdout
    done = corpus("build", domain, "--out", out)
    assert extracted(done.stderr) == (domain / "files" / "added.txt").stat().st_size
    corpus("build", domain, "--out", tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_renamed_file_is_not_extracted_again(own: tuple[Path, Path]) -> None:
    domain, out = own
    first = sorted((domain / "files").iterdir())[0]
    first.rename(first.with_name("renamed.html"))
    done = corpus("build", domain, "--out", out)
    assert extracted(done.stderr) == 0
    assert "renamed.html" in {row["uri"] for row in api.open_build(out).ledger()}


def test_a_removed_file_is_gone_from_the_build(own: tuple[Path, Path]) -> None:
    domain, out = own
    first = sorted((domain / "files").iterdir())[0]
    first.unlink()
    done = corpus("build", domain, "--out", out)
    assert extracted(done.stderr) == 0
    assert first.name not in {row["uri"] for row in api.open_build(out).ledger()}


def test_a_changed_threshold_refines_without_extracting(own: tuple[Path, Path]) -> None:
    domain, out = own
    done = corpus("build", domain, "--out", out, "--set", "refine.profiles.news.hiragana_ratio.at_least=0.99")
    assert extracted(done.stderr) == 0
    assert "refine:" in done.stderr
    opened = api.open_build(out)
    assert opened.manifest.fates.get("kept", 0) == 0
    assert {(row["rule"], row["threshold"]) for row in opened.ledger(fate="rejected")} == {("hiragana_ratio", 0.99)}


def test_a_changed_word_list_of_the_domain_measures_again(own: tuple[Path, Path]) -> None:
    domain, out = own
    (domain / "words").mkdir()
    (domain / "words" / "terms.txt").write_text("株式")
    (domain / "rules.py").write_text(
        "from pathlib import Path\nfrom registry.names import rule\n"
        "TERMS = (Path(__file__).parent / 'words' / 'terms.txt').read_text().split()\n"
        "@rule\ndef terms(doc):\n    return float(sum(doc.text.count(term) for term in TERMS))\n"
    )
    found = []
    for words in ("株式", "株式 利益 配当"):
        (domain / "words" / "terms.txt").write_text(words)
        assert corpus("build", domain, "--out", out).returncode == 0
        found.append(sum(row["measurements"]["terms"] for row in api.open_build(out).ledger()))
    assert 0 < found[0] < found[1]


def test_a_published_file_that_is_gone_is_made_again(own: tuple[Path, Path]) -> None:
    domain, out = own
    before = contents(out)
    shutil.rmtree(out / "shards")
    assert corpus("build", domain, "--out", out).returncode == 0
    assert contents(out) == before


def test_work_is_safe_to_delete(own: tuple[Path, Path]) -> None:
    domain, out = own
    before = contents(out)
    shutil.rmtree(out / ".work")
    assert "up to date" in corpus("build", domain, "--out", out).stdout
    shutil.rmtree(out / ".work")
    corpus("build", domain, "--out", out, "--set", "dedup.near.threshold=0.9")
    corpus("build", domain, "--out", out)
    assert contents(out) == before


def test_fresh_starts_over(own: tuple[Path, Path]) -> None:
    domain, out = own
    done = corpus("build", domain, "--out", out, "--fresh")
    assert extracted(done.stderr) == sum(path.stat().st_size for path in (domain / "files").iterdir())
