"""What a user can do wrong: one clear message, the right exit code, nothing lost and never a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from commandline import SMALL, TOKENIZER, contents, corpus, start


def recipe(folder: Path, **keys: str) -> Path:
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "a.txt").write_text(
        "株式会社の財務諸表は、毎期の決算にあたって作成される。" * 5, encoding="utf-8"
    )
    base = {
        "name": "mine",
        "sources": "[{name: files, path: files, kind: news, licence: x}]",
        "tokenize": f"{{tokenizer: {TOKENIZER}}}",
    }
    path = folder / "recipe.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in {**base, **keys}.items()), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sources": "[{name: a, path: nowhere, kind: news, licence: x}]"}, "sources.a.path: there is no file at"),
        ({"sources": "[{name: a, path: files, kind: newz, licence: x}]"}, "no profile for texts of kind 'newz'; did you mean news?"),
        ({"dedup": "{neer: {}}"}, "unknown key 'dedup.neer'; did you mean near?"),
        ({"engine": "{retries: many}"}, "engine.retries: input should be a valid integer"),
        ({"refine": "{profiles: {news: {hiragana_ration: {at_least: 1}}}}"}, "did you mean hiragana_ratio"),
        ({"refine": "{profiles: {news: {hiragana_ratio: {at_leest: 1}}}}"}, "did you mean at_least"),
        ({"refine": "{profiles: {law: {hiragana_ratio: {at_least: 1}}}}"}, "no source is of kind 'law'"),
        ({"refine": "{blocks: [{datatrove.pipeline.filters.GopherQualityFiltr: {}}]}"}, "did you mean GopherQualityFilter"),
        ({"refine": "{blocks: [{os.system: {command: id}}]}"}, "os.system"),
        ({"extract": "{pdff: {}}"}, "there is no format 'pdff'; did you mean pdf?"),
        ({"extract": "{pdf: {rubi: drop}}"}, "no option 'rubi'; did you mean ruby?"),
        ({"tokenize": "{tokenizer: nowhere}"}, "tokenize: there is no tokenizer at"),
        ({"tokenize": f"{{tokenizer: {TOKENIZER / 'tokenizer_config.json'}}}"}, "is not a tokenizer that can be read"),
        ({"sources": "[{name: a, path: files, kind: news, licence: x}, {name: a, path: b, kind: news, licence: x}]"}, "two sources have the name 'a'"),
    ],
)  # fmt: skip
def test_a_wrong_recipe(tmp_path: Path, keys: dict[str, str], message: str) -> None:
    path = recipe(tmp_path, **keys)
    for command in (("check", path), ("build", path, "--out", tmp_path / "out")):
        done = corpus(*command)
        assert done.returncode == 2
        assert message in done.stderr
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_rules_that_do_not_run_are_told_with_their_line(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    (tmp_path / "rules.py").write_text("from registry.names import rule\n\nnothing_here\n")
    done = corpus("check", path)
    assert done.returncode == 2
    assert f"{tmp_path / 'rules.py'}:3: NameError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "ja_finanse"], "did you mean ja_finance?"),
        (["build", "nowhere/recipe.yaml"], "no such recipe"),
        (["biuld"], "did you mean build?"),
        (["build", "ja_finance", "--resume", "--fresh"], "choose one"),
        (["build", "ja_finance", "--workers", "0"], "--workers"),
        (["build", "ja_finance", "--engine", "locl"], "there is no engine 'locl'; did you mean local?"),
        (["build", "ja_finance", "--out", "OUT", "--resume"], "there is no build to resume"),
        (["explain", "OUT"], "name the document in one way"),
        (["explain", "OUT", "abc"], "holds no build"),
        (["new", "a/b c"], "cannot name a corpus"),
        (["new", "mine", "--kind", "newz"], "did you mean news?"),
        (["extract", "OUT/nothing.pdf"], "No such file"),
        (["extract", "OUT/nothing.pdf", "--set", "pdf.rubi=keep"], "did you mean ruby?"),
    ],
)
def test_a_wrong_command(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = corpus(*[a.replace("OUT", str(tmp_path / "out")) for a in arguments], cwd=tmp_path)
    assert done.returncode in {2, 3}
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    for flags in ([], ["--fresh"]):
        done = corpus("build", path, "--out", tmp_path / "out", *flags)
        assert done.returncode == 2
        assert "holds files that are not a build" in done.stderr
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_the_build_of_another_recipe_is_left_alone(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "out")
    for flags in ([], ["--fresh"], ["--resume"]):
        done = corpus("build", recipe(tmp_path), "--out", tmp_path / "out", *flags)
        assert done.returncode == 2
        assert "holds the build of 'small', not of 'mine'" in done.stderr
    assert contents(tmp_path / "out") == contents(built)


def test_two_builds_cannot_write_to_one_folder(tmp_path: Path) -> None:
    first = start("build", SMALL, "--out", tmp_path / "out")
    assert first.stderr is not None
    assert first.stderr.readline().startswith("extract:")
    for flags in ([], ["--fresh"]):
        second = corpus("build", SMALL, "--out", tmp_path / "out", *flags)
        assert second.returncode == 2
        assert "another build is writing here" in second.stderr
    first.communicate(timeout=120)
    assert first.returncode == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_told_and_what_was_done_is_kept(built: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        done = corpus("build", SMALL, "--out", disk / "out")
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "run the same command again" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (disk / "out" / "manifest.json").exists()
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert corpus("build", SMALL, "--out", disk / "out", "--resume").returncode == 3
        assert contents(disk / "out") == contents(built)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_an_output_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = corpus("build", recipe(tmp_path), "--out", tmp_path / "file" / "out")
    assert done.returncode in {1, 2}
    assert "Not a directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert corpus("build", recipe(tmp_path), "--out", tmp_path / "file").returncode == 2


def test_a_damaged_manifest_is_named(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text('{"name": "small"')
    done = corpus("explain", tmp_path / "out", "abc")
    assert done.returncode == 1
    assert "is damaged or of another version" in done.stderr


def test_a_cut_off_ledger_is_named(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "out")
    part = next((tmp_path / "out" / "ledger").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-100])
    done = corpus("explain", tmp_path / "out", "abc")
    assert done.returncode == 1
    assert f"{part} is damaged" in done.stderr
