"""`corpus explain`: any document by id, uri or a sentence; what it says can be checked, and what it advises works."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from commandline import SAMPLE, SMALL, TOKENIZER, corpus

import corpus as api
from corpus.explain import find, journey, story
from corpus.explain.flips import above
from corpus.explain.original import BLANK, Originals
from corpus.opened import OpenedBuild


@pytest.fixture(scope="module")
def opened(built: Path) -> OpenedBuild:
    return api.open_build(built)


@pytest.fixture(scope="module")
def rows(opened: OpenedBuild) -> list[dict[str, Any]]:
    return list(opened.ledger())


def of_fate(rows: list[dict[str, Any]], fate: str, rule: str = "") -> dict[str, Any]:
    return next(row for row in rows if row["fate"] == fate and rule in row["rule"])


def test_a_document_is_found_by_its_id_by_the_first_digits_of_it_and_by_its_uri(
    opened: OpenedBuild, rows: list[dict[str, Any]]
) -> None:
    row = rows[5]
    assert find(opened, name=row["id"]) == find(opened, name=row["id"][:12]) == [row]
    same = [other for other in rows if (other["source"], other["uri"]) == (row["source"], row["uri"])]
    assert find(opened, uri=f"{row['source']}/{row['uri']}") == same
    assert find(opened, name="no such id") == []


def test_a_sentence_is_found_however_it_was_broken_and_spelled(opened: OpenedBuild) -> None:
    row = max(opened.documents(source="news"), key=lambda row: row["chars"])
    sentence = max(re.findall(r"[^。\n]{30,}。", row["text"]), key=len)
    assert find(opened, text=sentence)[0]["id"] == row["id"]
    assert find(opened, text="\n".join(sentence))[0]["id"] == row["id"]
    assert find(opened, text=sentence[:12] + "Ｘ" + sentence[13:])[0]["id"] == row["id"]
    assert find(opened, text="この文はどこにも無いはずの文である。") == []
    assert find(opened, text=" \n") == []


def test_every_journey_of_the_build_agrees_with_the_record(opened: OpenedBuild, rows: list[dict[str, Any]]) -> None:
    originals = Originals(opened)
    for row in rows:
        told = journey(opened, row, originals)
        assert told.agrees
        assert (told.place == "intermediates") == (row["fate"] != "failed")
        if row["fate"] == "rejected":
            assert next(limit for limit in told.limits if limit.broken).rule == row["rule"]
        if row["fate"] == "duplicate":
            assert told.twin is not None
            assert told.twin.similarity == row["similarity"]
            assert told.twin.row["fate"] == "kept"
        if row["fate"] == "kept":
            assert told.shard is not None
            with pa.memory_map(str(opened.layout.root / told.shard[0])) as shard:
                assert pa.ipc.open_stream(shard).read_all().column("id")[told.shard[1]].as_py() == row["id"]


def test_limits_stand_in_the_order_in_which_they_judge(opened: OpenedBuild, rows: list[dict[str, Any]]) -> None:
    told = journey(opened, of_fate(rows, "rejected"))
    assert [limit.rule for limit in told.limits][:3] == ["characters", "unreadable", "mojibake"]


def test_what_a_flip_says_comes_true(opened: OpenedBuild, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    rejected, near = of_fate(rows, "rejected"), of_fate(rows, "duplicate", "near")
    flips = [flip.change for row in (rejected, near) for flip in journey(opened, row).flips]
    assert any(flip.startswith(f"refine.profiles.{rejected['kind']}.{rejected['rule']}={{") for flip in flips)
    options = [word for flip in flips for word in ("--set", flip)]
    assert corpus("build", SMALL, "--out", tmp_path / "flipped", *options).returncode == 3
    after = {row["id"]: row for row in api.open_build(tmp_path / "flipped").ledger()}
    assert after[rejected["id"]]["rule"] != rejected["rule"]
    assert after[near["id"]]["fate"] == "kept"


def test_the_nearest_limits_of_a_kept_document_are_told(opened: OpenedBuild, rows: list[dict[str, Any]]) -> None:
    row = next(row for row in rows if row["fate"] == "kept" and row["source"] == "news")
    told = journey(opened, row).flips
    assert len(told) == 3
    assert all(
        flip.change.startswith("refine.profiles.news.") and "rejected once it is" in flip.effect for flip in told
    )


def test_a_failure_says_what_helps(opened: OpenedBuild, rows: list[dict[str, Any]]) -> None:
    row = next(row for row in rows if row["error"].startswith("encrypted"))
    assert journey(opened, row).flips[0].change == "extract.pdf.passwords=[PASSWORD]"


def test_the_least_number_above_a_similarity() -> None:
    assert above(0.9) > 0.9
    assert above(0.91234) == 0.9124
    assert above(0.99999) == 1.0


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of one text with a telephone number in full width, which cleaning rewrites and then masks."""
    folder = tmp_path_factory.mktemp("private")
    (folder / "files").mkdir()
    prose = "財務諸表は、企業の財政状態を表す書類である。ｶﾌﾞ主はこれを読んで判断する。" * 8
    (folder / "files" / "a.txt").write_text(
        f"お問い合わせ先　電話：０３－１２３４－５６７８\n{prose}", encoding="utf-8"
    )
    (folder / "recipe.yaml").write_text(
        "name: private\nsources: [{name: files, path: files, kind: textbook, licence: CC-BY-4.0}]\n"
        f"refine: {{normalize: {{width: half}}}}\ntokenize: {{tokenizer: {TOKENIZER}}}\n"
    )
    assert corpus("build", folder, "--out", folder / "out").returncode == 0
    return folder / "out"


def test_what_was_masked_is_told_by_its_type_and_nowhere_shown(private: Path) -> None:
    opened = api.open_build(private)
    row = next(opened.ledger())
    assert [cut["rule"] for cut in row["cuts"]] == ["phone"]
    told = journey(opened, row)
    said = "\n".join(story(told)) + (private / "report.html").read_text(encoding="utf-8")
    assert "phone masked" in said
    assert BLANK in told.steps[0].before
    for value in ("1234", "１２３４", "5678", "５６７８"):
        assert value not in said
    assert "[-ｶﾌﾞ-]{+カブ+}" in said or "ｶﾌﾞ" in said


def test_without_intermediates_the_raw_file_or_its_absence_is_told(private: Path, tmp_path: Path) -> None:
    shutil.copytree(private, tmp_path / "out")
    opened = api.open_build(tmp_path / "out")
    row = next(opened.ledger())
    shutil.rmtree(opened.layout.stage("extract"))
    told = journey(opened, row)
    assert (told.place, told.agrees) == ("raw file", True)
    shutil.rmtree(opened.layout.work)
    told = journey(opened, row)
    assert told.place == ""
    assert "is not on record" in "\n".join(story(told))


def test_without_intermediates_the_member_of_an_archive_is_read_again(tmp_path: Path) -> None:
    prose = "財務諸表は、企業の財政状態を表す書類である。株主はこれを読んで判断する。" * 8
    (tmp_path / "files").mkdir()
    with zipfile.ZipFile(tmp_path / "files" / "a.zip", "w") as archive:
        archive.writestr("other.txt", prose[::-1])
        archive.writestr("one.txt", prose)
    (tmp_path / "recipe.yaml").write_text(
        "name: packed\nsources: [{name: files, path: files, kind: textbook, licence: CC-BY-4.0}]\n"
        f"tokenize: {{tokenizer: {TOKENIZER}}}\n"
    )
    assert corpus("build", tmp_path, "--out", tmp_path / "out").returncode == 0
    opened = api.open_build(tmp_path / "out")
    shutil.rmtree(opened.layout.stage("extract"))
    (row,) = find(opened, uri="files/a.zip!/one.txt")
    told = journey(opened, row)
    assert (told.place, told.agrees) == ("raw file", True)
    (tmp_path / "files" / "a.zip").write_bytes(b"PK\x03\x04")
    assert journey(opened, row).place == ""


def test_the_command_tells_the_story(built: Path, rows: list[dict[str, Any]]) -> None:
    row = of_fate(rows, "duplicate", "near")
    done = corpus("explain", built, row["id"])
    assert done.returncode == 0
    assert f"of {row['duplicate_of']}" in done.stdout
    assert "similarity computed again" in done.stdout
    assert corpus("explain", built, "ffffffffffff").returncode == 2
    assert corpus("explain", built).returncode == 2
    assert corpus("explain", built, "--uri", "encrypted.pdf").stdout.count("encrypted") >= 2


def test_a_section_says_what_it_stands_in_and_what_keeps_it(tmp_path: Path) -> None:
    laws = [path.read_text(encoding="utf-8") for path in sorted((SAMPLE / "laws" / "2016").glob("*.txt"))]
    long = [line.strip() for text in laws for line in text.splitlines() if len(line.strip()) > 50]
    texts = {"book": long[24:36], "part": [*long[27:33], long[36][:20]]}
    rows = [{"id": name, "text": "\n\n".join(lines)} for name, lines in texts.items()]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "name: small\nsources: [{name: s, path: rows.jsonl, kind: record, licence: CC0-1.0, id: id}]\n"
        f"dedup: {{near: {{containment: 0.9}}}}\ntokenize: {{tokenizer: {TOKENIZER}}}\n",
        encoding="utf-8",
    )
    built = api.build(tmp_path / "recipe.yaml", tmp_path / "out", workers=1)
    row = of_fate(list(built.ledger()), "duplicate", "contained")
    told = journey(built, row)
    lines = "\n".join(story(told))
    assert f"contained: {row['similarity']:.4f} of it stands in {row['duplicate_of']}" in lines
    assert "was kept for its length" in lines
    assert told.twin is not None
    assert told.twin.similarity == row["similarity"] >= 0.9
    change = told.flips[0].change
    again = api.build(tmp_path / "recipe.yaml", tmp_path / "kept", workers=1, changes=[change])
    assert again.manifest.fates == {"kept": 2}
