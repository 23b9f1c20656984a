"""The OCR command of a recipe: run on files without a text layer only, with limits, and never by a shell."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from pipelines.extract import Part, Raw
from pipelines.extract.sandbox import Sandbox

SCAN = [[], []]


@pytest.fixture
def tool(tmp_path, as_pdf, set_text):
    """A tool that "recognises" one sentence: `tool(what it does first)` is its command."""
    result = tmp_path / "result.pdf"
    result.write_bytes(as_pdf([[set_text[0](72, 100, 10, "文字認識で読んだ文章である。")]]))

    def command(first: str = "", words: str = "{input} {output}") -> str:
        script = tmp_path / "tool.py"
        copy = f"shutil.copy({str(result)!r}, sys.argv[2])"
        script.write_text(f"import os, pathlib, shutil, sys, time\n{first}\n{copy}\n", encoding="utf-8")
        return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {words}"

    return command


def test_a_scan_is_read_from_what_the_command_makes_of_it(extract, tool):
    part = extract(SCAN, ocr=tool())
    assert (part.text, part.measurements["recognised"]) == ("文字認識で読んだ文章である。", 1.0)


def test_a_file_with_text_does_not_run_the_command(extract, set_text):
    assert (
        extract([[set_text[0](72, 100, 10, "文章である。")]], ocr="/nonexistent {input} {output}").text
        == "文章である。"
    )


@pytest.mark.parametrize(
    ("first", "detail"),
    [("sys.exit(3)", "ended with status 3"), ("sys.argv[2] = os.devnull", "made no output")],
)
def test_a_command_that_fails_is_a_failure(extract, tool, first, detail):
    failure = extract(SCAN, ocr=tool(first))
    assert failure.reason == "ocr_failed"
    assert detail in failure.detail


def test_a_command_that_recognises_nothing_leaves_no_text_layer(extract, tool):
    assert extract(SCAN, ocr=tool("shutil.copy(sys.argv[1], sys.argv[2]); sys.exit()")).reason == "no_text_layer"


@pytest.mark.parametrize(
    "words",
    ["{input}", "{output}", "{input} {input} {output}", "--in={input} {output}", "'{input} {output}'", "'{input}"],
)
def test_placeholders_are_whole_words_once_each(extract, tool, words):
    assert extract(SCAN, ocr=tool(words=words)).reason == "ocr_failed"


@pytest.mark.parametrize("command", [" ", "{input} {output}", "/nonexistent/ocr {input} {output}"])
def test_a_command_that_cannot_be_run_is_a_failure(extract, command):
    assert extract(SCAN, ocr=command).reason == "ocr_failed"


def test_the_words_of_a_command_mean_nothing_to_a_shell(extract, tool, tmp_path):
    check = "sys.exit(7 if sys.argv[3:] == [';', 'touch', '$HOME', '>', 'x'] else 0)"
    failure = extract(SCAN, ocr=tool(check, "{input} {output} ; touch $HOME > x"))
    assert "status 7" in failure.detail


def test_a_late_command_is_ended_with_all_that_it_started(extract, tool, tmp_path):
    pid = tmp_path / "pid"
    first = f"pathlib.Path({str(pid)!r}).write_text(str(os.fork())); time.sleep(60)"
    failure = extract(SCAN, ocr=tool(first), ocr_seconds=1.0)
    assert (failure.reason, "more than 1 s" in failure.detail) == ("ocr_failed", True)
    for number in pid.read_text(encoding="utf-8").split():
        assert int(number) == 0 or not _runs(int(number))


def test_a_command_ends_with_the_sandbox(tool, as_pdf, tmp_path):
    pid, path = tmp_path / "pid", tmp_path / "scan.pdf"
    path.write_bytes(as_pdf(SCAN))
    first = f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)"
    with Sandbox(tmp_path / "log", seconds=3.0, memory=4 << 30) as sandbox, pytest.raises(Exception, match="timeout"):
        list(sandbox.extract(Raw(path, "scan.pdf", "report", "application/pdf"), "pdf", {"ocr": tool(first)}))
    assert not _runs(int(pid.read_text(encoding="utf-8")))


def test_a_scan_is_recognised_in_the_sandbox_too(tool, as_pdf, tmp_path):
    path = tmp_path / "scan.pdf"
    path.write_bytes(as_pdf(SCAN))
    with Sandbox(tmp_path / "log", seconds=20.0, memory=4 << 30) as sandbox:
        (part,) = sandbox.extract(Raw(path, "scan.pdf", "report", "application/pdf"), "pdf", {"ocr": tool()})
    assert isinstance(part, Part)


def _runs(pid: int) -> bool:
    """Whether a process still does something, two seconds on at most."""
    for _ in range(20):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.1)
    os.kill(pid, 9)
    return True
