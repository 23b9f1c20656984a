"""`corpus diff`: every document that came, went or changed, and every setting; nothing where nothing changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commandline import SAMPLE, TOKENIZER, corpus

import corpus as api
from corpus.diff import Difference, compare, page


def build(folder: Path, out: str, *options: str) -> Path:
    done = corpus("build", folder, "--out", folder / out, *options)
    assert done.returncode == 0, done.stderr
    return folder / out


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One file more, one less, one changed, one rejected by a new threshold."""
    folder = tmp_path_factory.mktemp("diff")
    (folder / "files").mkdir()
    pages = sorted((SAMPLE / "news").glob("*.html"))
    for path in pages[:4]:
        shutil.copy(path, folder / "files")
    note = (SAMPLE / "textbooks" / "js-primer" / "source_basic_math_README.md").read_text(encoding="utf-8")
    (folder / "files" / "note.txt").write_text(note, encoding="utf-8")
    (folder / "recipe.yaml").write_text(
        "name: own\nsources: [{name: files, path: files, kind: news, licence: CC-BY-4.0}]\n"
        f"tokenize: {{tokenizer: {TOKENIZER}}}\n"
    )
    one = build(folder, "one")
    (folder / "files" / pages[0].name).unlink()
    shutil.copy(pages[4], folder / "files")
    (folder / "files" / "note.txt").write_text(note.replace("関数", "函数"), encoding="utf-8")
    return one, build(folder, "two", "--set", "refine.profiles.news.characters.at_least=600")


@pytest.fixture(scope="module")
def found(builds: tuple[Path, Path]) -> Difference:
    return compare(*map(api.open_build, builds))


def test_every_document_is_counted_once(found: Difference, builds: tuple[Path, Path]) -> None:
    one, two = ({row["id"] for row in api.open_build(folder).ledger()} for folder in builds)
    assert sum(found.counts.values()) == len(one | two)
    assert found.counts["came"] == len(two - one) == 1
    assert found.counts["went"] == len(one - two) == 1


def test_what_moved_is_told_with_what_decided(found: Difference, builds: tuple[Path, Path]) -> None:
    before, after = ({row["id"]: row for row in api.open_build(folder).ledger()} for folder in builds)
    moved = {name for name in {*before} & {*after} if before[name]["fate"] != after[name]["fate"]}
    assert found.counts["moved"] == len(moved) > 0
    assert any(move == ("kept", "refine.characters") for move in found.moves)
    assert {example.id for example in found.examples["moved"]} == moved


def test_a_changed_text_is_shown_by_its_words(builds: tuple[Path, Path], found: Difference, tmp_path: Path) -> None:
    shown = {e.place: e.changes for examples in found.examples.values() for e in examples}
    assert ("+", "函数") in shown["files/note.txt"]


def test_settings_that_differ_are_told_and_no_others(found: Difference) -> None:
    keys = {key: (one, other) for key, one, other in found.settings}
    assert keys["profiles.news.characters.at_least"] == ("100.0", "600.0")
    assert all(key.startswith(("profiles.news.characters.", "recipe.refine.profiles.news.characters.")) for key in keys)


def test_tokens_by_source_are_those_of_the_manifests(found: Difference, builds: tuple[Path, Path]) -> None:
    one, two = (sum(api.open_build(folder).manifest.tokens.values()) for folder in builds)
    assert (found.sources["files"]["tokens_before"], found.sources["files"]["tokens_after"]) == (one, two)


def test_a_build_does_not_differ_from_itself(builds: tuple[Path, Path]) -> None:
    opened = api.open_build(builds[0])
    found = compare(opened, opened)
    assert set(found.counts.values()) == {0, found.counts["same"]}
    assert found.settings == []
    assert found.moves == {}


def test_the_command_prints_and_writes_a_page(builds: tuple[Path, Path], found: Difference, tmp_path: Path) -> None:
    done = corpus("diff", *builds, "--html", tmp_path / "diff.html", "--lang", "ja")
    assert done.returncode == 0, done.stderr
    assert "1 came, 1 went" in done.stdout
    assert "profiles.news.characters.at_least: 100.0 -> 600.0" in done.stdout
    text = (tmp_path / "diff.html").read_text(encoding="utf-8")
    assert "二つのビルドの比較" in text
    assert "refine.characters" in text
    assert page(found, "en") != text


def test_a_damaged_build_is_named(builds: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(builds[1], tmp_path / "broken")
    part = next((tmp_path / "broken" / "ledger").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    done = corpus("diff", builds[0], tmp_path / "broken")
    assert done.returncode == 1
    assert "is not what its manifest says" in done.stderr
