"""A build on object storage: the bytes of a local one, whole or not there, taken up anywhere."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from commandline import COMMAND, corpus
from storage.conftest import published, write_recipe

from corpus.opened import open_build

if TYPE_CHECKING:
    from object_store import Store


def test_onto_s3_gives_the_bytes_of_a_local_build_and_is_read_from_anywhere(
    here: Store, domain: Path, tmp_path: Path, local: dict[str, bytes]
) -> None:
    done = corpus("build", domain, "--out", "s3://bucket/onto/own", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert here.contents("onto/own") == local
    assert {"onto/own/report.html", "onto/own/audit.json", "onto/own/card/README.md"} <= here.keys("onto/own/")

    elsewhere = {"CORPUS_SCRATCH": str(tmp_path / "another machine")}
    again = corpus("build", domain, "--out", "s3://bucket/onto/own", **elsewhere)
    assert "s3://bucket/onto/own is up to date; nothing was done" in again.stdout
    uri = next((domain / "files").glob("*.html")).name
    told = corpus("explain", "s3://bucket/onto/own", "--uri", uri, **elsewhere)
    assert told.returncode == 0, told.stderr
    assert f"files/{uri}" in told.stdout
    gone = corpus("audit", "s3://bucket/onto", **elsewhere)
    assert gone.returncode == 2
    assert "s3://bucket/onto holds no build" in gone.stderr


def test_intermediates_on_s3_are_deleted_where_that_is_asked_for(
    here: Store, domain: Path, local: dict[str, bytes]
) -> None:
    done = corpus("build", domain, "--out", "s3://bucket/clean/own", "--clean")
    assert done.returncode == 0, done.stderr
    assert here.contents("clean/own") == local
    kept = {key.rpartition("/")[2] for key in here.keys("clean/own/.work/")}
    assert kept == {"build.json", "inventory.arrow"}  # whose build it is, and what it was made of
    again = corpus("build", domain, "--out", "s3://bucket/clean/own")
    assert "is up to date" in again.stdout


def test_sources_on_s3_give_the_documents_of_local_ones(
    here: Store, domain: Path, tmp_path: Path, local: dict[str, bytes]
) -> None:
    (domain / "files" / ".hidden").write_text("x")
    here.put_folder(domain / "files", "sources/files")
    write_recipe(domain, "s3://bucket/sources/files/*.[ht]*")
    out = tmp_path / "remote"
    assert corpus("build", domain, "--out", out).returncode == 0
    found = published(out)
    assert {name for name in {*local, *found} if found.get(name) != local.get(name)} == {"manifest.json"}  # its recipe
    assert "packed.tar!/law.txt" in {row["uri"] for row in open_build(out).ledger()}
    assert set(here.fetched("sources/").values()) == {1}
    page = next((domain / "files").glob("*.html"))
    here.client.put_object(Bucket="bucket", Key=f"sources/files/{page.name}", Body=page.read_bytes() + b"<!-- -->")
    plan = corpus("build", domain, "--out", out, "--dry-run")
    assert "1 to extract" in plan.stdout, plan.stdout


def test_a_source_on_s3_is_fetched_once_and_no_copy_stays(
    here: Store, domain: Path, tmp_path: Path, local: dict[str, bytes]
) -> None:
    """What the driver hashed is what a worker reads, though the build itself lies on the store."""
    here.put_folder(domain / "files", "once")
    write_recipe(domain, "s3://bucket/once")
    assert corpus("build", domain, "--out", "s3://bucket/onto-once", "--workers", 1).returncode == 0
    assert here.fetched("once/") == dict.fromkeys(here.keys("once/"), 1)
    assert not list(tmp_path.rglob("fetched"))
    assert {name for name in local if here.contents("onto-once")[name] != local[name]} == {"manifest.json"}


def test_a_killed_build_shows_no_manifest_and_is_taken_up_on_another_machine(
    here: Store, domain: Path, tmp_path: Path, local: dict[str, bytes]
) -> None:
    command = [str(COMMAND), "build", str(domain), "--out", "s3://bucket/killed", "--workers", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("refine: done"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "killed/manifest.json" not in here.keys("killed/")
    shutil.rmtree(tmp_path / "scratch")
    again = corpus("build", domain, "--out", "s3://bucket/killed", "--resume")
    assert again.returncode == 0, again.stderr
    assert "extract:" not in again.stderr
    assert here.contents("killed") == local


def test_what_a_build_no_longer_has_is_gone_from_the_store(here: Store, domain: Path, local: dict[str, bytes]) -> None:
    extra = domain / "files" / "extra.txt"
    extra.write_text("株式会社の財務諸表は、毎期の決算にあたって作成される。" * 9, encoding="utf-8")
    assert corpus("build", domain, "--out", "s3://bucket/less").returncode == 0
    assert here.contents("less") != local
    extra.unlink()
    assert corpus("build", domain, "--out", "s3://bucket/less").returncode == 0
    assert here.contents("less") == local
    other = corpus("build", domain, "--out", "s3://bucket/less", "--set", "name=other")
    assert other.returncode == 2
    assert "s3://bucket/less holds the build of 'own', not of 'other'" in other.stderr


def test_each_mistake_is_one_clear_message(here: Store, domain: Path) -> None:
    def told(out: str, **env: str) -> str:
        done = corpus("build", domain, "--out", out, **env)
        assert done.returncode in {1, 2}, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    assert "no credentials: set AWS_ACCESS_KEY_ID" in told("s3://bucket/x", **none)
    assert "there is no bucket 'bukket'" in told("s3://bukket/x")
    assert "the storage does not answer" in told("s3://bucket/x", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert "there is no storage s4://" in told("s4://bucket/x")
    assert "set them in the environment" in told("s3://key:secret@bucket/x")
    assert "secret" not in told("s3://key:secret@bucket/x")
    here.client.put_object(Bucket="bucket", Key="taken/notes.txt", Body=b"mine")
    assert "holds files that are not a build" in told("s3://bucket/taken")
    write_recipe(domain, "s3://bucket/nothing/*.pdf")
    assert "sources.files.path: there is no file at s3://bucket/nothing/*.pdf" in told("s3://bucket/x")


def test_without_the_extra_its_name_is_told(domain: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['s3fs'] = None\n"
        f"sys.argv = ['corpus', 'build', {str(domain)!r}, '--out', 's3://bucket/x']\n"
        "from corpus.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'corpus-foundry[s3]'" in done.stderr
