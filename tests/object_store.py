"""An S3 server on loopback (moto) with one bucket, for the tests of object storage and the campaign of faults."""

from __future__ import annotations

import importlib.util
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from registry import layout

PUBLISHED = (*layout.PUBLISHED, "manifest.json")


def lacking() -> list[str]:
    """What has to be installed and is not; the extra [s3test] brings it."""
    return [name for name in ("s3fs", "flask", "boto3", "moto") if importlib.util.find_spec(name) is None]


@dataclass
class Store:
    """A running server; `env` is what a process needs to meet it."""

    client: Any
    port: int
    env: dict[str, str]
    log: Path

    def keys(self, prefix: str) -> set[str]:
        """The names of all objects that begin so."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=prefix)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        """The bytes of an object."""
        data: bytes = self.client.get_object(Bucket="bucket", Key=key)["Body"].read()
        return data

    def fetched(self, prefix: str) -> Counter[str]:
        """How often each object below a prefix was asked for, whole or in part."""
        asked = re.findall(rf'"GET /bucket/({re.escape(prefix)}[^ ?]+)[ ?]', self.log.read_text())
        return Counter(unquote(name) for name in asked)

    def contents(self, prefix: str) -> dict[str, bytes]:
        """Every published object of a build, by its name within it."""
        names = {key: key.removeprefix(f"{prefix}/") for key in self.keys(f"{prefix}/")}
        return {name: self.read(key) for key, name in names.items() if name.partition("/")[0] in PUBLISHED}

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Copy a folder there."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.client.upload_file(str(path), "bucket", f"{prefix}/{path.relative_to(folder).as_posix()}")


@contextmanager
def s3_store(log: Path) -> Iterator[Store]:
    """A server that runs while the block does."""
    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    who = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        _wait_for(port)
        client = boto3.client(
            "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        client.create_bucket(Bucket="bucket")
        yield Store(client, port, {**who, "AWS_ENDPOINT_URL": address}, log)
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
    raise TimeoutError(f"the S3 server did not start at port {port}")
