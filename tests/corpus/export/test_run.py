"""Running an export: resumed, repeated, refused where something is damaged, half-written or of another build."""

from __future__ import annotations

import json
import shutil

import pytest
from commandline import corpus

from corpus.export import FORMATS, exporter
from corpus.export import run as module
from corpus.export.run import check, export
from registry.errors import RecordError, UnknownNameError, UsageError


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", FORMATS)
def test_the_record_counts_and_the_same_build_gives_the_same_bytes(one, tmp_path, to):
    record = export(one.build, to, tmp_path / "a", {})
    for split, rows in one.documents.items():
        tokens = sum(len(tokens) for _, _, tokens, _ in rows)
        assert record["splits"][split] == {"documents": len(rows), "tokens": tokens}
    assert check(tmp_path / "a") == record
    assert set(contents(tmp_path / "a")) == {*record["files"], "export.json"}
    export(one.build, to, tmp_path / "b", {})
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("to", FORMATS)
def test_an_interrupted_export_is_refused_and_goes_on(one, tmp_path, to, monkeypatch):
    export(one.build, to, tmp_path / "whole", {})
    write, written = module._write, []

    def interrupted(out, output, progress):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(output.name)
        return write(out, output, progress)

    monkeypatch.setattr(module, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(one.build, to, tmp_path / "out", {})
    with pytest.raises(RecordError, match="unfinished"):
        check(tmp_path / "out")
    first = (tmp_path / "out" / written[0]).stat().st_mtime_ns
    monkeypatch.setattr(module, "_write", write)
    export(one.build, to, tmp_path / "out", {})
    assert (tmp_path / "out" / written[0]).stat().st_mtime_ns == first
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("to", FORMATS)
def test_every_damage_to_a_file_is_refused_by_name(one, tmp_path, to):
    record = export(one.build, to, tmp_path / "out", {})
    for name in record["files"]:
        path = tmp_path / "out" / name
        whole = path.read_bytes()
        if not whole:
            continue
        for broken in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), None):
            path.write_bytes(broken) if broken is not None else path.unlink()
            with pytest.raises(RecordError, match=path.name.replace(".", r"\.")):
                check(tmp_path / "out")
            with pytest.raises(RecordError):
                export(one.build, to, tmp_path / "out", {})
        path.write_bytes(whole)
    assert check(tmp_path / "out") == record


@pytest.mark.parametrize("content", [b"", b"[]", b'{"files": {"../x": {"bytes": 1, "sha256": ""}}}', b'{"files": [1]}'])
def test_a_damaged_record_is_refused(one, tmp_path, content):
    export(one.build, "tokens", tmp_path / "out", {})
    (tmp_path / "out" / "export.json").write_bytes(content)
    with pytest.raises(RecordError, match=r"export\.json"):
        check(tmp_path / "out")


def test_a_damaged_shard_is_not_exported(one, tmp_path):
    path = one.build.layout.shards / "train" / "00000.arrow"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(RecordError, match=r"00000\.arrow"):
        export(one.build, "tokens", tmp_path / "out", {})
    path.write_bytes(whole[:-8])
    with pytest.raises(RecordError, match="not whole"):
        export(one.build, "tokens", tmp_path / "out2", {})


def test_two_exports_do_not_mix(one, make, tmp_path):
    export(one.build, "tokens", tmp_path / "out", {})
    with pytest.raises(UsageError, match="another export"):
        export(one.build, "megatron", tmp_path / "out", {})
    with pytest.raises(UsageError, match="another export"):
        export(one.build, "tokens", tmp_path / "out", {"dtype": "uint32"})
    other = make(tmp_path / "other", seed=1)
    with pytest.raises(UsageError, match="another export"):
        export(other.build, "tokens", tmp_path / "out", {})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="not an export"):
        export(one.build, "tokens", tmp_path / "mine", {})


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("hff", {}, "did you mean hf"),
        ("megatron", {"length": 4}, "no option 'length'"),
        ("hf", {"length": "long"}, "length"),
        ("hf", {"length": 0}, "bins of 0"),
        ("hf", {"length": 64, "method": "best"}, "method"),
        ("litdata", {"length": 0}, "at least 1"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(one, tmp_path, to, options, message):
    with pytest.raises((UsageError, UnknownNameError), match=message):
        export(one.build, to, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_every_format_has_its_module():
    assert set(FORMATS) == set(exporter)
    assert all(exporter.get(name).__doc__ for name in FORMATS)


def test_the_command_exports_checks_and_refuses(one, tmp_path):
    root, out = one.build.layout.root, tmp_path / "out"
    done = corpus("export", root, "--to", "hf", "--set", "length=256", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "train: 54 documents" in done.stdout
    assert corpus("export", root, "--out", out, "--check").returncode == 0
    shutil.rmtree(out / "validation")
    broken = corpus("export", root, "--out", out, "--check")
    assert (broken.returncode, "missing or cut off" in broken.stderr) == (1, True)
    assert json.loads((out / "export.json").read_bytes())["options"] == {"length": 256}
    assert corpus("export", root, "--out", tmp_path / "x").returncode == 2
