"""Long files, read by several processes: the same pages, within the same limits, and nobody is left behind."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest

from pipelines.extract import Raw
from pipelines.extract.pdf import together
from pipelines.extract.pdf.packed import Pages, pack, unpack
from pipelines.extract.pdf.ranges import LENGTH, Source
from pipelines.extract.sandbox import Sandbox
from registry.errors import InputError

PAGES = 5 * LENGTH + 3


@pytest.fixture
def long(as_pdf, set_text, tmp_path):
    """A file of many pages with a line and a table on each, and one without text."""
    text, _, line = set_text
    path = tmp_path / "long.pdf"
    rules = [line(72, y, 272, y) for y in (200, 220, 240)] + [line(x, 200, x, 240) for x in (72, 172, 272)]
    cells = [(75, 204, "科目"), (180, 204, "金額"), (75, 224, "売上高"), (180, 224, "△56")]
    pages = [[text(72, 100, 10, f"第{n}頁の本文である。"), *rules, *(text(x, y, 10, w) for x, y, w in cells)]
             for n in range(PAGES)]  # fmt: skip
    path.write_bytes(as_pdf([*pages[:-1], []]))
    return Source(str(path))


@pytest.fixture
def crowd(monkeypatch):
    """Four cores that stand idle and any work worth a helper; gives the helpers that were started."""
    started = []

    class Counted(together.Child):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            started.append(self)

    monkeypatch.setattr(together, "WORTH", 0.0)
    monkeypatch.setattr(together, "IDLE", -1.0)
    monkeypatch.setattr(together, "Child", Counted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4))
    return started


def alone(source, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(together, "IDLE", float("inf"))
        return together.read_pages(source, PAGES)


def test_a_page_is_the_same_when_it_was_packed(long, monkeypatch):
    pages = alone(long, monkeypatch)
    assert [page.number for page in Pages(pages)] == list(range(1, PAGES + 1))
    assert [pack(unpack(page)) for page in pages] == pages
    (line, table) = unpack(pages[7]).columns[0].items
    assert (line.text, table.rows) == ("第7頁の本文である。", [["科目", "金額"], ["売上高", "△56"]])


def test_helpers_give_the_pages_that_one_process_gives_and_are_gone_after(long, crowd, monkeypatch):
    assert together.read_pages(long, PAGES) == alone(long, monkeypatch)
    assert len(crowd) == together.MOST
    assert all(child.process.returncode is not None for child in crowd)  # waited for: no zombie


def test_what_a_helper_that_dies_had_to_read_is_read_here(long, crowd, monkeypatch):
    send = together.Child.send

    def deadly(child, message):
        send(child, message)
        child.process.kill()

    monkeypatch.setattr(together.Child, "send", deadly)
    assert together.read_pages(long, PAGES) == alone(long, monkeypatch)
    assert crowd


def test_no_helper_is_started_where_the_cores_are_busy_or_little_is_left(long, crowd, monkeypatch):
    monkeypatch.setattr(together.Cores, "idle", lambda _: 0.5)
    monkeypatch.setattr(together, "IDLE", 0.8)
    together.read_pages(long, PAGES)
    monkeypatch.setattr(together.Cores, "idle", lambda _: 3.0)
    monkeypatch.setattr(together, "WORTH", 60.0)
    together.read_pages(long, PAGES)
    monkeypatch.setattr(together, "WORTH", 0.0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    together.read_pages(long, PAGES)
    assert not crowd


def test_a_reader_and_its_helpers_have_no_more_memory_than_one(long, crowd, monkeypatch):
    limits, whole, before = [], 64 << 30, resource.getrlimit(resource.RLIMIT_AS)
    receive = together.Child.receive

    def looking(child):
        answer = receive(child)
        lines = Path(f"/proc/{child.process.pid}/limits").read_text().splitlines()
        theirs = next(line.split()[3] for line in lines if line.startswith("Max address space"))
        limits.append((resource.getrlimit(resource.RLIMIT_AS)[0], int(theirs)))
        return answer

    monkeypatch.setattr(together.Child, "receive", looking)
    resource.setrlimit(resource.RLIMIT_AS, (whole, before[1]))
    try:
        together.read_pages(long, PAGES)
        assert resource.getrlimit(resource.RLIMIT_AS)[0] == whole
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert set(limits) == {(whole // 2, whole // 2 // together.MOST)}


def test_a_parser_that_is_ended_for_its_time_takes_its_helpers_along(long, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "from registry.names import extractor; extractor.lazy('waiting', 'waiting:extract')"
    )
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{tmp_path}")
    with Sandbox(tmp_path / "log", seconds=2.0, memory=4 << 30) as sandbox:
        found = sandbox.extract(Raw(Path(long.path), "long.pdf", "report", "application/pdf"), "waiting", {})
        helper = Path("/proc") / next(found).text / "stat"
        assert helper.exists()
        with pytest.raises(InputError, match="timeout"):
            next(found)
    deadline = time.monotonic() + 5
    while (runs := _runs(helper)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs


def _runs(stat: Path) -> bool:
    """Whether a process is alive; one that has ended may wait for the machine's first process to hear of it."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_idle_cores_are_those_that_do_nothing():
    cores = together.Cores()
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        pass
    assert 0.0 <= cores.idle() <= len(os.sched_getaffinity(0)) - 0.5  # ours is busy
