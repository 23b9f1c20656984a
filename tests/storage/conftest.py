"""A real S3 server on loopback (moto), and a domain of a few files. Skips where it is not installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commandline import SAMPLE, TOKENIZER, contents, corpus

PUBLISHED = ("documents", "ledger", "rejects", "signatures", "shards", "tokenizer", "manifest.json")


@dataclass
class Store:
    """A running server with one bucket."""

    client: Any
    env: dict[str, str]

    def keys(self, prefix: str) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=prefix)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket="bucket", Key=key)["Body"].read()

    def contents(self, prefix: str) -> dict[str, bytes]:
        """Every published object of a build, as `commandline.contents` gives files."""
        names = {key: key.removeprefix(f"{prefix}/") for key in self.keys(f"{prefix}/")}
        return {name: self.read(key) for key, name in names.items() if name.partition("/")[0] in PUBLISHED}

    def put_folder(self, folder: Path, prefix: str) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                self.client.upload_file(str(path), "bucket", f"{prefix}/{path.relative_to(folder).as_posix()}")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    for needed in ("s3fs", "flask", "boto3", "moto"):
        pytest.importorskip(needed, reason=f"object storage is tested with s3fs and moto[server]: {needed} is missing")
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (tmp_path_factory.mktemp("moto") / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
    try:
        _wait_for(port)
        env = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
        client = boto3.client(
            "s3",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_bucket(Bucket="bucket")
        yield Store(client, env)
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int) -> None:
    for _ in range(150):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the S3 server did not start")


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
