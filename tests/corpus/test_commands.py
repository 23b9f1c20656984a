"""Every command as a user meets it: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import COMMAND, ROOT, SAMPLE, SMALL, corpus
from pace import imports, ratio
from rich.console import Console

import corpus as api
from corpus.cli.build import _show_failures

PAGE = SAMPLE / "news" / "minato_20241108_revision.html"


def test_build_ends_with_a_table_that_adds_up(built: Path) -> None:
    done = corpus("build", SMALL, "--out", built)
    manifest = api.open_build(built).manifest
    assert done.returncode == 3
    assert f"{sum(manifest.fates.values())} documents seen = " in done.stdout.replace(",", "")
    for name, count in manifest.sources.items():
        row = next(line for line in done.stdout.splitlines() if name in line)
        assert f" {count.fates.get('kept', 0)} " in row
    assert "broken/encrypted.pdf: encrypted" in done.stdout


def test_failures_of_one_kind_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    def row(uri: str, error: str, part: str = "") -> dict[str, str]:
        return {"source": "s", "uri": uri, "part": part, "error": error}

    lines = [row("a.jsonl", f"no_text: line {n} has no key 'text'", f"line {n}") for n in (1, 2, 5)]
    bad = row("a.jsonl", "bad_json: line 4: it ends", "line 4")
    images = [row(f"{n}.png", "unsupported: image/png") for n in range(2)]
    pages = [row(f"{n}.html", f"broken: {n}") for n in range(30)]
    _show_failures([*lines, bad, *images, row("c.png", "empty: 0 bytes"), *pages], Console())
    told = capsys.readouterr().out.splitlines()
    assert told[:5] == [
        "37 could not be read; everything else is whole:",
        "  s/a.jsonl [line 1]: no_text: line 1 has no key 'text' (and 2 more of this file)",
        "  s/a.jsonl [line 4]: bad_json: line 4: it ends",
        "  s/0.png: unsupported: image/png (and 1 more file)",
        "  s/c.png: empty: 0 bytes",
    ]
    assert (len(told), told[-1]) == (22, "  and 14 more: fate = failed in the ledger")


def test_a_command_that_has_done_its_work_is_not_terminated() -> None:
    script = "import atexit, os; from corpus.cli import main; atexit.register(os.kill, os.getpid(), 15); main()"
    done = subprocess.run([sys.executable, "-c", script, "ls"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "domains", "")


def test_dry_run_tells_and_does_nothing(tmp_path: Path) -> None:
    done = corpus("build", SMALL, "--out", tmp_path / "out", "--dry-run")
    assert done.returncode == 0
    assert "news (news): 8 inputs" in done.stdout
    assert "8 to extract" in done.stdout
    assert not (tmp_path / "out").exists()


def test_extract_prints_the_document_and_nothing_else() -> None:
    done = corpus("extract", PAGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# 通期連結業績予想の修正")
    assert "| 増減額（B－A） | △3,300 | △1,350 | △1,230 | △2,910 |" in done.stdout


def test_extract_takes_little_more_than_its_libraries() -> None:
    assert (
        ratio(lambda: corpus("extract", PAGE), imports("click", "pydantic", "numpy", "lxml.html", "trafilatura")) < 3.5
    )


def test_extract_as_text_has_no_marks() -> None:
    text = corpus("extract", PAGE, "--format", "text").stdout
    assert text.startswith("通期連結業績予想の修正")
    assert "増減額（B－A）\t△3,300\t△1,350" in text
    assert "|" not in text
    assert "---" not in text


def test_extract_as_jsonl_has_one_object_per_document() -> None:
    filing = next((SAMPLE / "filings").rglob("0105010_honbun*.htm"))
    rows = [json.loads(line) for line in corpus("extract", filing, "--format", "jsonl").stdout.splitlines()]
    assert len({row["id"] for row in rows}) == len(rows) > 0
    assert all(row["measurements"]["numbers_kept"] == 1.0 for row in rows)
    assert all(row["text"].strip() for row in rows)


def test_extract_of_a_ruby_text_takes_an_option(tmp_path: Path) -> None:
    poem = SAMPLE / "literature" / "000148_796_ruby.txt"
    assert "《" not in corpus("extract", poem).stdout
    assert "《" in corpus("extract", poem, "--set", "text.ruby=keep").stdout


def test_extract_tells_what_it_could_not_read_and_goes_on() -> None:
    done = corpus("extract", SAMPLE / "broken" / "encrypted.pdf", PAGE)
    assert done.returncode == 3
    assert "encrypted.pdf: encrypted" in done.stderr
    assert done.stdout.strip().startswith("# 通期連結業績予想の修正")


def test_extract_of_a_folder_says_what_to_do(tmp_path: Path) -> None:
    done = corpus("extract", tmp_path)
    told = (
        f"corpus: {tmp_path}: unsupported: a folder; name its files, or build it: corpus new NAME --files {tmp_path}\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", told)


def test_extract_tells_the_first_failures_of_a_file_and_how_many_more(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"body": "一"}\n' * 25)
    done = corpus("extract", tmp_path / "in.jsonl")
    told = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(told)) == (3, "", 21)
    assert told[0].endswith("[line 1]: no_text: line 1 has no key 'text'; known: body")
    assert told[-1] == f"corpus: {tmp_path}/in.jsonl: and 5 more that could not be read"
    assert corpus("extract", tmp_path / "in.jsonl", "--set", "jsonl.text=body").returncode == 0


def test_extract_into_a_closed_pipe_is_quiet() -> None:
    command = f"{COMMAND} extract {SAMPLE / 'glossary.jsonl'} --set jsonl.text=body | head -1"
    done = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr


@pytest.fixture(scope="module")
def rows(built: Path) -> dict[str, dict[str, object]]:
    return {str(row["fate"]): row for row in api.open_build(built).ledger()}


def test_explain_a_kept_document(built: Path, rows: dict[str, dict[str, object]]) -> None:
    told = corpus("explain", built, rows["kept"]["id"]).stdout
    assert "fate       kept" in told
    assert "tokens in  shards/" in told
    shard, _, row = told.partition("tokens in  ")[2].splitlines()[0].partition(", row ")
    assert api.Shards(built / Path(shard).parent)[:][int(row)] is not None
    assert "hiragana_ratio" in told


def test_explain_a_rejected_document(built: Path, rows: dict[str, dict[str, object]]) -> None:
    row = rows["rejected"]
    told = corpus("explain", built, row["id"]).stdout
    assert f"rejected: {row['rule']} is " in told
    assert "the threshold" in told


def test_explain_a_duplicate(built: Path, rows: dict[str, dict[str, object]]) -> None:
    row = rows["duplicate"]
    told = corpus("explain", built, row["id"]).stdout
    assert f"{row['rule']} duplicate, similarity {row['similarity']:.4f}, of {row['duplicate_of']}" in told


def test_explain_a_failed_input_by_its_uri(built: Path) -> None:
    told = corpus("explain", built, "--uri", "encrypted.pdf").stdout
    assert "failed in extract: encrypted" in told


def test_explain_by_text_and_by_the_first_digits_of_an_id(built: Path) -> None:
    by_text = corpus("explain", built, "--text", "のれんの全額に あたる1,980百万円").stdout
    assert by_text.count("  id ") == 2  # the release and its copy on another site
    name = by_text.partition("  id         ")[2][:32]
    assert f"id         {name}" in corpus("explain", built, name[:10]).stdout


def test_explain_of_nothing_says_so(built: Path) -> None:
    done = corpus("explain", built, "--text", "そのような文はどこにもない")
    assert done.returncode == 2
    assert "no document has 'そのような文はどこにもない'" in done.stderr


def test_check_lists_what_would_be_judged_by_what() -> None:
    done = corpus("check", "ja_finance")
    assert done.returncode == 0
    assert "ja_finance is well-formed" in done.stdout
    assert "filings: sample/filings, judged as filing by" in done.stdout


def test_ls_lists_domains_and_what_was_built(built: Path, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    assert corpus("ls", CORPUS_HOME=home).stdout == "domains\n  ja_finance\ncorpora\n"
    shutil.copytree(built, tmp_path / "copy")
    corpus("build", SMALL, "--out", tmp_path / "copy", CORPUS_HOME=home)
    told = corpus("ls", CORPUS_HOME=home).stdout
    assert f"small  {api.open_build(built).manifest.fates['kept']:,} documents" in told
    shutil.rmtree(tmp_path / "copy")
    assert "(no longer there)" in corpus("ls", CORPUS_HOME=home).stdout


def test_a_catalog_that_cannot_be_written_is_told_and_the_build_is_whole(built: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = corpus("build", SMALL, "--out", built, CORPUS_HOME=str(tmp_path / "file"))
    assert done.returncode == 3
    assert "the catalog could not be written" in done.stderr


def test_a_new_domain_builds_at_once_on_a_folder_of_files(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    shutil.copy(SAMPLE / "textbooks" / "js-primer" / "source_basic_math_README.md", tmp_path / "papers")
    made = corpus("new", "medical_ja", "--files", "papers", "--licence", "CC-BY-4.0", cwd=tmp_path)
    assert made.returncode == 0
    assert "corpus build medical_ja" in made.stdout
    done = corpus("build", "medical_ja", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    opened = api.open_build(tmp_path / "builds" / "medical_ja")
    assert opened.manifest.fates == {"kept": 1}
    assert all("domain_terms" in row["measurements"] for row in opened.ledger())


def test_a_new_domain_without_files_waits_for_them(tmp_path: Path) -> None:
    made = corpus("new", "mine", "--kind", "news", cwd=tmp_path)
    assert "Put your files into mine/files" in made.stdout
    empty = corpus("build", "mine", cwd=tmp_path)
    assert (empty.returncode, "there is no file at mine/files" in empty.stderr) == (2, True)
    shutil.copy(PAGE, tmp_path / "mine" / "files")
    assert corpus("build", "mine", cwd=tmp_path).returncode == 0


def test_the_api_builds_and_opens(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    shutil.copy(PAGE, tmp_path / "files")
    corpus("new", "mine", "--kind", "news", "--files", "files", cwd=tmp_path)
    opened = api.build(tmp_path / "mine", tmp_path / "out", workers=1)
    assert [row["uri"] for row in opened.documents()] == [PAGE.name]
    assert opened.shards()[0].id == next(opened.ledger())["id"]
    assert str(ROOT) not in repr(opened.manifest.sources)
