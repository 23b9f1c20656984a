"""A build on object storage: the bytes of a local one, whole or not there, taken up anywhere."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

from commandline import COMMAND, contents, corpus
from storage.conftest import Store, write_recipe


def published(build: Path) -> dict[str, bytes]:
    found = contents(build)
    return found | {f"signatures/{path.name}": path.read_bytes() for path in (build / "signatures").glob("*")}


def test_onto_s3_gives_the_bytes_of_a_local_build_and_is_read_from_anywhere(
    here: Store, domain: Path, tmp_path: Path
) -> None:
    assert corpus("build", domain, "--out", tmp_path / "local", "--workers", 1).returncode == 0
    done = corpus("build", domain, "--out", "s3://bucket/onto/own", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert here.contents("onto/own") == published(tmp_path / "local")
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


def test_sources_on_s3_give_the_documents_of_local_ones(here: Store, domain: Path, tmp_path: Path) -> None:
    with tarfile.open(domain / "files" / "packed.tar", "w") as archive:
        archive.add(next((domain / "files").glob("*.txt")), "law.txt")
    (domain / "files" / ".hidden").write_text("x")
    assert corpus("build", domain, "--out", tmp_path / "local").returncode == 0
    here.put_folder(domain / "files", "sources/files")
    for place in ("s3://bucket/sources/files", "s3://bucket/sources/files/*.[ht]*"):
        write_recipe(domain, place)
        out = tmp_path / "remote"
        assert corpus("build", domain, "--out", out, "--fresh").returncode == 0
        found, wanted = published(out), published(tmp_path / "local")
        assert {name for name in wanted if found.get(name) != wanted[name]} == {"manifest.json"}  # it names the place
    uris = [json.loads(line)["uri"] for line in rows(out)]
    assert "packed.tar!/law.txt" in uris
    changed = sorted((domain / "files").glob("*.html"))[0]
    here.client.put_object(
        Bucket="bucket", Key=f"sources/files/{changed.name}", Body=changed.read_bytes() + b"<!-- -->"
    )
    plan = corpus("build", domain, "--out", out, "--dry-run")
    assert "1 to extract" in plan.stdout, plan.stdout


def rows(out: Path) -> list[str]:
    import corpus as api

    return [json.dumps(row, default=str) for row in api.open_build(out).ledger()]


def test_a_killed_build_shows_no_manifest_and_is_taken_up_on_another_machine(
    here: Store, domain: Path, tmp_path: Path
) -> None:
    assert corpus("build", domain, "--out", tmp_path / "local").returncode == 0
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
    assert here.contents("killed") == published(tmp_path / "local")


def test_what_a_build_no_longer_has_is_gone_from_the_store(here: Store, domain: Path, tmp_path: Path) -> None:
    assert corpus("build", domain, "--out", "s3://bucket/less").returncode == 0
    for path in (domain / "files").glob("*.html"):
        path.unlink()
    assert corpus("build", domain, "--out", "s3://bucket/less").returncode == 0
    assert corpus("build", domain, "--out", tmp_path / "local").returncode == 0
    assert here.contents("less") == published(tmp_path / "local")
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
    assert "credentials stand in the environment" in told("s3://key:secret@bucket/x")
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
