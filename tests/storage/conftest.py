"""A real S3 server on loopback (moto), and a domain of a few files. Skips where it is not installed."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import SAMPLE, TOKENIZER, contents, corpus
from object_store import Store, lacking, s3_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if missing := lacking():
        pytest.skip(f"object storage is tested with s3fs and moto[server]: {', '.join(missing)} is missing")
    with s3_store(tmp_path_factory.mktemp("moto") / "log") as running:
        yield running


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORPUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CORPUS_SCRATCH", str(tmp_path / "scratch"))


@pytest.fixture
def here(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store, as this process meets it too."""
    for name, value in store.env.items():
        monkeypatch.setenv(name, value)
    return store


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    """A page, a law, and the law again in an archive."""
    folder = tmp_path / "domain"
    (folder / "files").mkdir(parents=True)
    page, law = sorted((SAMPLE / "news").glob("*.html"))[0], sorted((SAMPLE / "laws" / "2016").glob("*.txt"))[0]
    shutil.copy(page, folder / "files")
    shutil.copy(law, folder / "files")
    with tarfile.open(folder / "files" / "packed.tar", "w") as archive:
        member = tarfile.TarInfo("law.txt")  # without owner and time: the same bytes for every test
        member.size = law.stat().st_size
        with law.open("rb") as file:
            archive.addfile(member, file)
    write_recipe(folder, "files")
    return folder


@pytest.fixture
def local(domain: Path, tmp_path: Path, _built: dict[str, dict[str, bytes]]) -> dict[str, bytes]:
    """Every published file of a local build of the domain; built once for all tests."""
    if not _built:
        assert corpus("build", domain, "--out", tmp_path / "local", "--workers", 1).returncode == 0
        _built["local"] = published(tmp_path / "local")
    return _built["local"]


@pytest.fixture(scope="session")
def _built() -> dict[str, dict[str, bytes]]:
    return {}


def published(build: Path) -> dict[str, bytes]:
    """Every published file of a local build."""
    return contents(build) | {f"signatures/{path.name}": path.read_bytes() for path in (build / "signatures").glob("*")}


def write_recipe(folder: Path, place: str) -> None:
    (folder / "recipe.yaml").write_text(
        f"name: own\nsources: [{{name: files, path: {place!r}, kind: news, licence: CC-BY-4.0}}]\n"
        f"tokenize: {{tokenizer: {TOKENIZER}}}\nengine: {{task: 32KB}}\n"
    )
