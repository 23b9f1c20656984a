"""The sample corpus on two workers, on a Ray and on a Slurm of two nodes: the bytes of one worker, whatever dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import RAY_TOKEN, SLURM, RayCluster, SlurmCluster, ray_cluster, slurm_cluster, wait_until
from commandline import COMMAND, contents, corpus
from object_store import Store, lacking, s3_store

pytestmark = pytest.mark.slow
PARTIAL = 3  # some inputs of the sample are broken on purpose


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a build with one local worker publishes."""
    out = tmp_path_factory.mktemp("one") / "build"
    assert corpus("build", "ja_finance", "--out", out, "--workers", 1).returncode == PARTIAL
    return contents(out)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store | None]:
    """An S3 server, where what it needs is installed."""
    if lacking():
        yield None
        return
    with s3_store(tmp_path_factory.mktemp("moto") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def ray(store: Store | None) -> Iterator[RayCluster]:
    with ray_cluster(**(store.env if store else {})) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def slurm() -> Iterator[SlurmCluster]:
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, slurm_cluster(Path(folder)) as cluster:
        yield cluster


def started(*arguments: object, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(COMMAND), "build", "ja_finance", *map(str, arguments)],
        env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_workers(one: dict[str, bytes], tmp_path: Path) -> None:
    assert corpus("build", "ja_finance", "--out", tmp_path / "two", "--workers", 2).returncode == PARTIAL
    assert contents(tmp_path / "two") == one


def test_ray_of_two_nodes(one: dict[str, bytes], ray: RayCluster, tmp_path: Path) -> None:
    command = ("build", "ja_finance", "--out", tmp_path / "ray", "--engine", "ray", "--ray-address", ray.address)
    done = corpus(*command, **RAY_TOKEN)
    assert done.returncode == PARTIAL, done.stderr
    assert contents(tmp_path / "ray") == one


def test_ray_onto_object_storage(one: dict[str, bytes], ray: RayCluster, store: Store | None, tmp_path: Path) -> None:
    """What is done is in the bucket alone: the scratch space may go, and the build is there."""
    if store is None:
        pytest.skip(f"object storage is tested with s3fs and moto[server]: {', '.join(lacking())} is missing")
    env = {**store.env, **RAY_TOKEN, "CORPUS_SCRATCH": str(tmp_path / "scratch")}
    command = ("build", "ja_finance", "--out", "s3://bucket/ray", "--engine", "ray", "--ray-address", ray.address)
    done = corpus(*command, **env)
    assert done.returncode == PARTIAL, done.stderr
    found = store.contents("ray")
    assert {name: data for name, data in found.items() if not name.startswith("signatures/")} == one
    shutil.rmtree(tmp_path / "scratch")
    assert "is up to date; nothing was done" in corpus(*command, **env).stdout


def test_a_driver_on_ray_that_is_killed_is_resumed(one: dict[str, bytes], ray: RayCluster, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "ray", "--engine", "ray", "--ray-address", ray.address)
    driver = started(*options, **RAY_TOKEN)
    assert any(ray.works(number) for number in (0, 1))
    driver.kill()
    driver.communicate()
    assert not (tmp_path / "ray" / "manifest.json").exists()
    assert corpus("build", "ja_finance", *options, "--resume", **RAY_TOKEN).returncode == PARTIAL
    assert contents(tmp_path / "ray") == one


def test_a_ray_without_our_token_is_one_clear_error(ray: RayCluster, tmp_path: Path) -> None:
    done = corpus(
        "build", "ja_finance", "--out", tmp_path / "ray", "--engine", "ray", "--ray-address", ray.address,
        RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="of another cluster",
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"corpus: no Ray cluster could be joined at {ray.address}")
    assert "RAY_AUTH_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_slurm_of_two_nodes(one: dict[str, bytes], slurm: SlurmCluster, tmp_path: Path) -> None:
    env = {"SLURM_CONF": slurm.env["SLURM_CONF"]}
    done = corpus("build", "ja_finance", "--out", tmp_path / "slurm", "--engine", "slurm", **env)
    assert done.returncode == PARTIAL, done.stderr
    assert contents(tmp_path / "slurm") == one
    assert not slurm.jobs()


def test_a_build_on_slurm_is_left_and_taken_up_with_a_dead_node(
    one: dict[str, bytes], slurm: SlurmCluster, tmp_path: Path
) -> None:
    env = {"SLURM_CONF": slurm.env["SLURM_CONF"]}
    driver = started("--out", tmp_path / "slurm", "--engine", "slurm", **env)
    wait_until(lambda: slurm.running_on("n1") and slurm.running_on("n2"), 60, "no job ran")
    driver.send_signal(signal.SIGINT)
    told = driver.communicate()[1]
    assert driver.returncode == 130
    assert "its Slurm jobs go on: the same command takes them up, `scancel" in told
    assert slurm.jobs()
    slurm.kill_node("n2")
    done = corpus("build", "ja_finance", "--out", tmp_path / "slurm", "--engine", "slurm", "--resume", **env)
    assert done.returncode == PARTIAL, done.stderr
    assert contents(tmp_path / "slurm") == one


def test_slurm_where_there_is_none_is_one_clear_error(tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    done = corpus("build", "ja_finance", "--out", tmp_path / "slurm", "--engine", "slurm", PATH=str(bare))
    assert done.returncode == 2
    assert (
        done.stderr
        == f"corpus: --engine slurm needs {SLURM[3]}: run the build on a machine that submits jobs to Slurm\n"
    )
