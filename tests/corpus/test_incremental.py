"""A build that is there already: what changed is done again, nothing else, and the bytes are those of a fresh build."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commandline import SAMPLE, TOKENIZER, contents, corpus

from corpus import open_build


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page and some laws, built in small tasks, for `own` to copy."""
    folder = tmp_path_factory.mktemp("made")
    domain = folder / "domain"
    (domain / "files").mkdir(parents=True)
    shutil.copy(sorted((SAMPLE / "news").glob("*.html"))[0], domain / "files")
    for path in sorted((SAMPLE / "laws").rglob("*.txt"))[:6]:
        shutil.copy(path, domain / "files" / f"{path.parent.name}-{path.name}")
    (domain / "recipe.yaml").write_text(
        "name: own\nsources: [{name: files, path: files, kind: law, licence: x}]\n"
        f"tokenize: {{tokenizer: {TOKENIZER}}}\nengine: {{task: 16KB}}\n"
    )
    assert corpus("build", domain, "--out", folder / "out").returncode == 0
    return folder


def told(said: str, stage: str) -> str:
    """What a stage, or its first step, said that it has to do."""
    return next((line for line in said.splitlines() if line.startswith((f"{stage}:", f"{stage},"))), "")


def test_an_option_of_one_format_extracts_its_files_alone(own: tuple[Path, Path], tmp_path: Path) -> None:
    domain, out = own
    page = next((domain / "files").glob("*.html"))
    done = corpus("build", domain, "--out", out, "--set", "extract.pdf.ruby=keep")
    assert told(done.stderr, "extract") == "", "there is no PDF"
    done = corpus("build", domain, "--out", out, "--set", "extract.html.ruby=keep")
    assert told(done.stderr, "extract") == f"extract: 1 task, {page.stat().st_size:,} bytes"
    corpus("build", domain, "--out", tmp_path / "fresh", "--set", "extract.html.ruby=keep")
    assert contents(out) == contents(tmp_path / "fresh")


def test_each_change_does_its_own_part_again(own: tuple[Path, Path], tmp_path: Path) -> None:
    """A file added that another duplicates, the file changed, the file removed, a threshold changed."""
    domain, out = own
    parts = len(list((out / "ledger").iterdir()))
    before = contents(out)
    law = max((domain / "files").glob("*.txt"), key=lambda path: path.stat().st_size)
    twin = domain / "files" / "zz-twin.txt"

    def again(*changes: str) -> list[int]:
        """Tasks of extract, refine and write."""
        done = corpus("build", domain, "--out", out, *changes)
        assert done.returncode == 0, done.stderr
        lines = [told(done.stderr, stage) for stage in ("extract", "refine", "write")]
        return [int(line.split()[1]) if line else 0 for line in lines]

    shutil.copy(law, twin)
    added = again()
    with twin.open("a", encoding="utf-8") as file:
        file.write("附則　この規則は、公布の日から施行する。\n")
    changed = again()
    corpus("build", domain, "--out", tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")
    twin.unlink()
    removed = again()
    assert contents(out) == before
    assert (added, changed, removed) == ([0, 1, 1], [1, 1, 2], [0, 0, 1])
    assert parts > 2


def test_a_changed_threshold_writes_the_parts_again_whose_verdicts_change(
    own: tuple[Path, Path], tmp_path: Path
) -> None:
    """One that rejects nothing, one that rejects the shortest, the first again: what follows is counted by its tasks."""
    domain, out = own
    before = contents(out)
    parts = [name for name in before if name.startswith("ledger/")]
    shortest = int(min(dict(row["measurements"])["characters"] for row in open_build(out).ledger(fate="kept")))

    def judged(at_least: int) -> list[str]:
        done = corpus("build", domain, "--out", out, "--set", f"refine.profiles.law.characters.at_least={at_least}")
        stages = ("extract", "refine", "dedup", "survey", "write")
        return [told(done.stderr, stage).partition(",")[0] for stage in stages]

    def changed() -> list[str]:
        now = contents(out)
        return [name for name in parts if now[name] != before[name]]

    assert judged(shortest) == ["", "refine: 1 task", "", "", ""]
    assert changed() == []
    assert judged(shortest + 1) == ["", "refine: 1 task", "dedup", "survey: 1 task", "write: 1 task"]
    assert (len(changed()), len(parts)) == (1, 4)
    limit = f"refine.profiles.law.characters.at_least={shortest + 1}"
    corpus("build", domain, "--out", tmp_path / "fresh", "--set", limit)
    assert contents(out) == contents(tmp_path / "fresh")
    assert judged(shortest)[-1] == "write: 1 task"
    assert changed() == []


def test_a_cleaned_build_is_read_and_explained_and_built_again(own: tuple[Path, Path], tmp_path: Path) -> None:
    domain, out = own
    before = contents(out)
    assert corpus("build", domain, "--out", out, "--clean").returncode == 0
    assert {path.name for path in (out / ".work").iterdir()} == {"build.json", "inventory.arrow", "lock"}
    assert contents(out) == before
    again = corpus("build", domain, "--out", out)
    assert "is up to date; nothing was done" in again.stdout
    page = next((domain / "files").glob("*.html"))
    told_ = corpus("explain", out, "--uri", page.name)
    assert told_.returncode == 0, told_.stderr
    assert "extract" in told_.stdout
    retuned = corpus("retune", out, domain, "--set", "refine.profiles.law.characters.at_least=4000")
    assert "documents more would be rejected" in retuned.stdout
    done = corpus("build", domain, "--out", out, "--clean", "--set", "extract.html.ruby=keep")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (out / ".work").iterdir()} == {"build.json", "inventory.arrow", "lock"}


HUNGRY = """
from registry.names import Reading, rule

@rule
def hunger(doc: Reading) -> float:
    return float(len(bytearray(1 << 30)))
"""


def test_a_worker_keeps_to_its_memory_and_says_what_to_change(own: tuple[Path, Path], tmp_path: Path) -> None:
    domain, _ = own
    (domain / "rules.py").write_text(HUNGRY)
    done = corpus("build", domain, "--out", tmp_path / "small", "--set", "engine.memory=512MB")
    assert done.returncode == 1
    said = "it needs more than the 512 MB that engine.memory in the recipe allows a worker (at files/"
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert corpus("build", domain, "--out", tmp_path / "small", "--resume").returncode == 0
    assert corpus("build", domain, "--out", tmp_path / "fresh").returncode == 0
    assert contents(tmp_path / "small") == contents(tmp_path / "fresh")


def test_less_memory_than_libraries_need_is_refused(own: tuple[Path, Path], tmp_path: Path) -> None:
    done = corpus("build", own[0], "--out", tmp_path / "none", "--set", "engine.memory=150MB")
    assert done.returncode == 2
    assert "the libraries of a worker alone need 512MB" in done.stderr


def test_a_dry_run_tells_tasks_time_and_disk_from_a_sample(own: tuple[Path, Path], tmp_path: Path) -> None:
    domain, out = own
    told_ = corpus("build", domain, "--out", tmp_path / "planned", "--dry-run", "--workers", 2).stdout
    files = list((domain / "files").iterdir())
    size = sum(path.stat().st_size for path in files)
    assert f"{len(files)} inputs, {size / 1e6:,.1f} MB; {len(files)} to extract" in told_
    assert "measured on " in told_
    lines = {line.split()[0]: line.split() for line in told_.splitlines() if " tasks " in line}
    assert set(lines) == {"extract", "refine", "dedup", "write"}
    assert int(lines["write"][1]) >= len(list((out / "ledger").iterdir())) // 2
    assert "disk: about " in told_
    assert not (tmp_path / "planned").exists()
    again = corpus("build", domain, "--out", out, "--dry-run").stdout
    assert "0 to extract" in again
    assert "measured on" not in again
