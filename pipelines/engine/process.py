"""One child process, the channel to it, and what makes sure that it never outlives us.

The child is started afresh (`python -P -m MODULE`), never forked: a fork of a process with threads (pyarrow, numba) can
hang, and a spawned one needs no ``if __name__ == "__main__"`` in the user's script. Messages are JSON, never pickles:
what comes back from a process that has read a hostile file is data and nothing else. Start-up costs 60 ms plus the
child's imports, so children are kept and used again.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# A worker is one of many on this machine: its libraries must not each start a thread per core.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
}
_PR_SET_PDEATHSIG = 1


class Child:
    """A running ``python -m MODULE`` whose last argument is the number of its end of the channel."""

    def __init__(self, module: str, log: Path, *arguments: str) -> None:
        ours, theirs = socket.socketpair()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **_ONE_THREAD},
            )
        theirs.close()
        self.log = log
        self.channel = Connection(ours.detach())
        # Readable once the child is dead, even where a grandchild still holds the channel open.
        self.sentinel = os.pidfd_open(self.process.pid)

    def send(self, message: dict[str, Any]) -> None:
        """Send one message; a child that is already dead is noticed by whoever waits for its answer."""
        try:
            send(self.channel, message)
        except OSError:
            self.process.wait(timeout=5)

    def receive(self) -> dict[str, Any]:
        """The next message. Raises EOFError where the child is gone."""
        return receive(self.channel)

    def kill(self) -> int:
        """End the child now, whatever it does, and give its exit status (-9 for a kill)."""
        self.process.kill()
        status = self.process.wait()
        if not self.channel.closed:
            self.channel.close()
            os.close(self.sentinel)
        return status

    def last_words(self, limit: int = 600) -> str:
        """The end of what the child printed: why it died, where it died talking."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - limit))
            return file.read().decode("utf-8", "replace").strip()


def attach(descriptor: int) -> Connection:
    """In a child: the channel to the parent. From here on the child dies with its parent and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    die_with_parent()
    if os.getppid() != parent:  # it died before we asked to be told
        os.kill(os.getpid(), signal.SIGKILL)
    os.set_inheritable(descriptor, False)
    return Connection(descriptor)


def die_with_parent() -> None:
    """In a child: be killed when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def send(channel: Connection, message: dict[str, Any]) -> None:
    """Send `message` as JSON; lone surrogates survive."""
    channel.send_bytes(json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def receive(channel: Connection) -> dict[str, Any]:
    """The next message. Raises EOFError where the other end is gone."""
    try:
        data = channel.recv_bytes()
    except ConnectionResetError:
        raise EOFError from None
    message: dict[str, Any] = json.loads(data.decode("utf-8", "surrogatepass"))
    return message
