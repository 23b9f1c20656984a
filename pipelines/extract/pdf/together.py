"""The pages of a long file, read by several processes where cores stand idle.

In: a file and the number of its pages. Out: all of them, packed, in order: the same whoever read them. This process
reads range after range, and looks after each what the cores have done meanwhile. Where one stood idle, and what is left
is worth the start of a process, it starts a helper, which reads a range whenever it has none. So a file that is the
last of a build, or the only one, is read by all cores, and one among many by its own.

A helper has a part of our memory and ends with us. What it does not give, this process reads itself, with what it would
have had alone: half of its memory from the second range on, whether there are helpers or not.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from base64 import b64decode, b64encode
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.engine.process import Child, attach, receive, send
from pipelines.extract.pdf.packed import Packed
from pipelines.extract.pdf.ranges import Source, ranges, read_range

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 3  # helpers
WORTH = 1.0  # seconds left to read: a helper takes 0.3 to start, and then spares half of the rest
IDLE = 0.8  # of a core: by this much cores must have stood idle, so that a helper takes nobody's time
LOG = Path(os.devnull)  # a fault that a helper dies of, this process meets too, and tells
UNLIMITED = resource.RLIM_INFINITY

Found = dict[range, list[Packed]]


def read_pages(source: Source, pages: int) -> list[Packed]:
    """All pages of a file, in order."""
    every = ranges(pages)
    if len(every) == 1:
        return list(read_range(source, every[0]))
    with _half_of_memory() as rest, Helpers(source, every, rest // MOST if rest != UNLIMITED else rest) as helpers:
        found = _read(source, helpers)
    return [page for numbers in every for page in found[numbers]]


def _read(source: Source, helpers: Helpers) -> Found:
    """What this process reads and what its helpers give, until nothing is left to read."""
    cores, start, read = Cores(), time.monotonic(), 0
    while helpers.waiting or helpers.busy:
        if not helpers.waiting:
            helpers.attend(None)
            continue
        numbers = helpers.waiting.popleft()
        pages = helpers.found[numbers] = []
        for page in read_range(source, numbers):
            pages.append(page)
            helpers.attend(0)
        read += len(pages)
        seconds = (time.monotonic() - start) / read * sum(map(len, helpers.waiting))
        if cores.idle() > IDLE and seconds > WORTH:
            helpers.start_one()
    return helpers.found


class Helpers:
    """Processes that read the ranges of a file which wait to be read; their memory is limited to so many bytes each."""

    def __init__(self, source: Source, waiting: list[range], memory: int) -> None:
        self.source = source
        self.memory = memory
        self.waiting = deque(waiting)
        self.found: Found = {}
        self.busy: dict[Connection, tuple[Child, range]] = {}

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        for child, _numbers in self.busy.values():
            child.kill()

    def start_one(self) -> None:
        """Start a helper where that is not one too many."""
        if len(self.busy) < min(MOST, len(os.sched_getaffinity(0)) - 1):
            self._give_work(Child(__name__, LOG, str(self.memory)))

    def attend(self, seconds: float | None) -> None:
        """Take what helpers have read, waiting so long (or until there is something), and give them more to read."""
        ready = wait(list(self.busy), seconds) if self.busy else []
        for channel in [channel for channel in self.busy if channel in ready]:
            child, numbers = self.busy.pop(channel)
            try:
                self.found[numbers] = [_received(*page) for page in child.receive()["pages"]]
            except EOFError:
                child.kill()
                self.waiting.appendleft(numbers)
            else:
                self._give_work(child)

    def _give_work(self, child: Child) -> None:
        if not self.waiting:
            child.kill()
            return
        numbers = self.waiting.popleft()
        self.busy[child.channel] = child, numbers
        child.send({"source": asdict(self.source), "numbers": [numbers.start, numbers.stop]})


def _received(glyphs: int, undecodable: int, numbers: str, texts: str) -> Packed:
    return Packed(glyphs, undecodable, b64decode(numbers), texts)


def _sent(page: Packed) -> list[Any]:
    return [page.glyphs, page.undecodable, b64encode(page.numbers).decode(), page.texts]


class Cores:
    """The cores that this process may run on, as Linux accounts for their time."""

    def __init__(self) -> None:
        self._names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        self._last = time.monotonic(), self._seconds()

    def idle(self) -> float:
        """How many of them stood idle, on average since the last look; 0 where the system does not tell."""
        (then, before), (now, after) = self._last, (time.monotonic(), self._seconds())
        self._last = now, after
        return (after - before) / (now - then) if now > then else 0.0

    def _seconds(self) -> float:
        """How long they have stood idle, together; waiting for a disk is not counted."""
        try:
            lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0.0
        fields = [line.split() for line in lines if line.startswith("cpu")]
        return sum(int(field[4]) for field in fields if field[0] in self._names) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _half_of_memory() -> Iterator[int]:
    """Limit this process to half of the address space that it may have; gives the other half."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    half = UNLIMITED if soft == UNLIMITED else soft // 2
    resource.setrlimit(resource.RLIMIT_AS, (half, hard))
    try:
        yield half
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def main() -> None:
    """Read ranges for the process on the channel; arguments are the memory limit in bytes and the channel's number."""
    channel = attach(int(sys.argv[-1]))
    memory = int(sys.argv[-2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    while True:
        try:
            request = receive(channel)
        except EOFError:
            return
        pages = read_range(Source(**request["source"]), range(*request["numbers"]))
        send(channel, {"pages": [_sent(page) for page in pages]})


if __name__ == "__main__":
    main()
