"""The version of code: a digest of a module's sources, of all of ours that it imports, and of the libraries they use.

In: dotted names of modules. Out: 32 hex digits that change when, and only when, something that the modules could run
has changed: their own text, the data files beside them, a module of ours that they import (also within functions), the
installed version of a library. Imports are read from the syntax tree, nothing is run; all stages together take 0.3 s,
once per process. Because it follows imports, no list has to be kept by hand, and none can be forgotten.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

OURS = ("pipelines", "registry", "train", "corpus")
_DATA = (".yaml", ".txt")
_DISTRIBUTIONS = {"yaml": "PyYAML", "unidic_lite": "unidic-lite"}  # where the name to import is not the one to install


@functools.cache
def code_version(*modules: str) -> str:
    """A digest of everything that `modules` could run."""
    seen: dict[str, _Module] = {}
    queue = list(modules)
    while queue:
        name = queue.pop()
        if name not in seen:
            seen[name] = _module(name)
            queue += [other for other in seen[name].imports if other.partition(".")[0] in OURS]
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(seen):
        digest.update(f"{name}\0{seen[name].digest}\n".encode())
    for library in sorted({other.partition(".")[0] for module in seen.values() for other in module.imports} - {*OURS}):
        digest.update(f"{library}=={_version(library)}\n".encode())
    return digest.hexdigest()


class _Module:
    """One module of ours: a digest of its text and data, and the names that it imports."""

    def __init__(self, path: Path) -> None:
        source = path.read_bytes()
        digest = hashlib.blake2b(source, digest_size=16)
        for data in _data_files(path):
            digest.update(data.name.encode() + b"\0" + data.read_bytes())
        self.digest = digest.hexdigest()
        self.imports = frozenset(_imports(ast.parse(source)))


@functools.cache
def _module(name: str) -> _Module:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name)
    return _Module(Path(spec.origin))


def _data_files(path: Path) -> list[Path]:
    """The data that a module reads: that of its name; a package all in it and its folders that is no module's own."""
    if path.name != "__init__.py":
        return [file for file in (path.with_suffix(suffix) for suffix in _DATA) if file.is_file()]
    folders = [
        path.parent,
        *(place for place in path.parent.iterdir() if place.is_dir() and not any(place.glob("*.py"))),
    ]
    data = (file for folder in folders for file in folder.iterdir() if file.suffix in _DATA)
    return sorted(file for file in data if not file.with_suffix(".py").is_file())


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names of imported modules; of `from a import b` both a and a.b, where that is a module of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _matters(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and _matters(node.module):
            yield node.module
            if node.module.partition(".")[0] in OURS:
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (name for name in names if _is_module(name))


def _matters(name: str) -> bool:
    return name.partition(".")[0] not in sys.stdlib_module_names


@functools.cache
def _is_module(name: str) -> bool:
    parent, _, last = name.rpartition(".")
    spec = find_spec(parent)
    if spec is None or spec.submodule_search_locations is None:
        return False
    folders = [Path(place) for place in spec.submodule_search_locations]
    return any((folder / f"{last}.py").is_file() or (folder / last / "__init__.py").is_file() for folder in folders)


def _version(library: str) -> str:
    try:
        return metadata.version(_DISTRIBUTIONS.get(library, library))
    except metadata.PackageNotFoundError:
        return "not installed"
