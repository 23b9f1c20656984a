"""Completion records: what was done, keyed by a fingerprint of everything it depended on.

A record is written after the outputs it names. So a record that is there, whole, and whose outputs have the sizes it
gives, means that the work is done; anything else means that it is not. A changed option, input or line of code
changes the fingerprint, and with it exactly what has to be done again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from registry.errors import StageError
from registry.mirror import fetch, size_of
from registry.publish import write_json

_DATA = (".yaml", ".txt")
_SETTLING = 90.0  # seconds; NFS may hide a new file for 60 from a machine that has looked for it before


def fingerprint(*parts: Any) -> str:
    """32 hex digits of any JSON-able values; the same values give the same digits on every machine."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@functools.cache
def code_version(*names: str) -> str:
    """A digest of the sources of `names` (modules or packages of ours) and the versions of distributions ("lxml==").

    A name that ends in "==" is a distribution; its installed version counts. Everything else is a dotted name: of a
    package all .py, .yaml and .txt files count, of a module its own and the data file of the same name beside it.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        if name.endswith("=="):
            digest.update(f"{name}{metadata.version(name[:-2])}\n".encode())
        else:
            for path in _sources(name):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@functools.cache
def version_here() -> str:
    """A digest of all that performs tasks on this machine: nodes that differ in it would give other bytes."""
    return code_version("pipelines", "registry")


def _sources(name: str) -> list[Path]:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    origin = Path(spec.origin)
    if origin.name != "__init__.py":
        return [origin, *sorted(origin.with_suffix(end) for end in _DATA if origin.with_suffix(end).is_file())]
    return sorted(p for p in origin.parent.rglob("*") if p.suffix == ".py" or p.suffix in _DATA)


def write_record(folder: Path, task: str, result: dict[str, Any]) -> None:
    """Say that `task` is done. Its outputs are the files of `folder` that `result["outputs"]` names, all published."""
    sizes = {name: (folder / name).stat().st_size for name in result.get("outputs", [])}
    write_json(folder / f"{task}.json", {"task": task, "sizes": sizes, "result": result})


def read_record(folder: Path, task: str) -> dict[str, Any] | None:
    """The result of `task`, or None where it is not done or its outputs are no longer what they were."""
    try:
        path = folder / f"{task}.json"
        size_of(path)  # a copy that lies here does not count where the storage has none
        fetch([path])
        record = json.loads(path.read_bytes())
        whole = all(size_of(folder / name) == size for name, size in record["sizes"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    result: dict[str, Any] = record["result"]
    return result if whole and record["task"] == task else None


def await_record(folder: Path, task: str) -> dict[str, Any]:
    """The result of a task that another machine has just done.

    Raises:
        StageError: its record does not appear: the machines do not share this folder.
    """
    deadline = time.monotonic() + _SETTLING
    while (result := read_record(folder, task)) is None:
        if time.monotonic() > deadline:
            raise StageError(f"{folder}: a task is done and its record is not here: do all nodes share this folder?")
        time.sleep(0.5)
    return result
