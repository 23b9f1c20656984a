"""Extractors that misbehave, for the sandbox's tests."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from pipelines.extract import Failure, Part, Raw
from registry.errors import InputError


def extract(raw: Raw, *, deed: str = "") -> Iterator[Part | Failure]:
    yield Part(f"{os.getpid()}", part="first")
    match deed:
        case "crash":
            os.kill(os.getpid(), 11)
        case "hang":
            time.sleep(60)
        case "eat":
            yield Part("x" * (8 << 30))
        case "raise":
            raise ValueError("a secret of the document")
        case "recurse":
            extract_deep(0)
        case "refuse":
            raise InputError("encrypted", "needs a password")
        case "fill":
            with raw.path.with_suffix(".big").open("wb") as file:
                file.write(b"0" * (100 << 20))
        case "surrogate":
            yield Part("\ud800ok", part="second")


def extract_deep(depth: int) -> int:
    return extract_deep(depth + 1) + 1
