"""An S3 server behind a network that can be told to break requests off, to answer 503, or not to answer."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from object_store import Store, s3_store

_SILENCE = 300.0  # seconds: longer than a client waits for an answer
_METHODS = (b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE ")
_SLOW_DOWN = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class DisturbedStore:
    """Passes bytes on to a store; `faults` says which share of requests meets "refuse", "reset" or "hang"."""

    def __init__(self, store: Store, listener: socket.socket) -> None:
        self.contents = store.contents
        self.env = {**store.env, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        self.faults: dict[str, float] = {}
        self.random = random.Random(7)
        self._port, self._listener = store.port, listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                theirs, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()

    def _serve(self, theirs: socket.socket) -> None:
        with theirs, socket.create_connection(("127.0.0.1", self._port)) as ours:
            threading.Thread(target=_pump, args=(ours, theirs), daemon=True).start()
            while data := _received(theirs):
                fault = self._fault() if data.startswith(_METHODS) else ""
                if fault == "hang":
                    time.sleep(_SILENCE)
                elif fault == "refuse":
                    _send(theirs, _SLOW_DOWN)
                if fault or not _send(ours, data):
                    return

    def _fault(self) -> str:
        chance = self.random.random()
        for fault, share in self.faults.items():
            chance -= share
            if chance < 0:
                return fault
        return ""


@contextmanager
def disturbed_store(log: Path) -> Iterator[DisturbedStore]:
    """One with an empty bucket, undisturbed at first."""
    with s3_store(log) as store, socket.create_server(("127.0.0.1", 0)) as listener:
        yield DisturbedStore(store, listener)


def _pump(source: socket.socket, target: socket.socket) -> None:
    while (data := _received(source)) and _send(target, data):
        pass


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(1 << 16)
    except OSError:
        return b""


def _send(target: socket.socket, data: bytes) -> bool:
    try:
        target.sendall(data)
    except OSError:
        return False
    return True
