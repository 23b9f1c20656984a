"""Training: documents apart, resume to the last bit, signals, bad steps, and configurations that do not fit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from registry.configuration import load  # noqa: E402
from registry.errors import RecipeError, RecordError, StageError, UsageError  # noqa: E402
from registry.manifest import Manifest  # noqa: E402
from train import checkpoint, model, pretrain  # noqa: E402
from train.config import Train  # noqa: E402

from .conftest import ARCHITECTURES, make_build, make_model  # noqa: E402

torch.set_num_threads(1)


def run(workplace: Path, *changes: str, name="run") -> str:
    out = workplace / name
    return pretrain.train(load(workplace / "train.yaml", Train, changes), workplace, out)


def log_of(workplace: Path, name="run"):
    return [json.loads(line) for line in (workplace / name / "log.jsonl").read_text().splitlines()]


def losses(workplace: Path, name="run"):
    return [row["loss"] for row in log_of(workplace, name)]


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
@pytest.mark.parametrize("attention", ["default", "eager"])
def test_a_packed_document_is_as_if_alone_and_a_dropped_mask_is_seen(tmp_path, architecture, attention):
    kernel = {"_attn_implementation": "eager"} if attention == "eager" else {}
    made = model.load_model(make_model(tmp_path, architecture, **kernel), seed=0)
    assert model.leakage(made) < 1e-5

    def with_mask_of_ones(made, ids, positions):
        return made(input_ids=ids, position_ids=positions, attention_mask=torch.ones_like(ids), use_cache=False).logits

    assert model.leakage(made, call=with_mask_of_ones) > 0.01


def test_a_model_whose_documents_see_each_other_is_not_trained(workplace, monkeypatch):
    monkeypatch.setattr(model, "leakage", lambda *_: 0.2)
    with pytest.raises(StageError, match="packed documents see each other"):
        run(workplace)


def test_the_loss_is_the_mean_over_targets_whatever_the_micro_batches(workplace):
    run(workplace, name="two")
    run(workplace, "data.micro=4", name="four")
    assert losses(workplace, "two") == pytest.approx(losses(workplace, "four"), rel=1e-5)
    assert losses(workplace, "two")[-1] < losses(workplace, "two")[0] - 0.5


def test_a_stopped_run_goes_on_with_identical_losses(workplace, monkeypatch):
    run(workplace, name="unbroken")
    step = pretrain._step

    def stopping(state):
        if state.state.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(state)

    monkeypatch.setattr(pretrain, "_step", stopping)
    assert run(workplace).startswith("stopped")
    monkeypatch.undo()
    assert [p.name for p in checkpoint.checkpoints(workplace / "run")] == ["step-00000003", "step-00000005"]
    assert run(workplace).startswith("finished")
    assert losses(workplace) == losses(workplace, "unbroken")
    final = [(workplace / name / "model" / "model.safetensors").read_bytes() for name in ("run", "unbroken")]
    assert final[0] == final[1]


def test_a_killed_run_goes_on_with_identical_losses(workplace):
    changes = ["steps=60", "checkpoints.every=7"]
    run(workplace, *changes, name="unbroken")
    command = [str(Path(sys.executable).with_name("corpus")), "train", str(workplace / "train.yaml")]
    command += [part for change in changes for part in ("--set", change)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        log = workplace / "run" / "log.jsonl"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and (not log.is_file() or log.read_text().count("\n") < 17):
            time.sleep(0.005)
        started.kill()
    assert started.returncode == -signal.SIGKILL
    killed_at = log.read_text().count("\n")
    assert run(workplace, *changes).startswith("finished")
    assert 17 <= killed_at < 60
    assert losses(workplace) == losses(workplace, "unbroken")


@pytest.mark.slow  # 20 s, nearly all of it imports
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_run_goes_on_with_two_processes(workplace, parallel):
    run(workplace, name="unbroken")
    run(workplace, "steps=8", "checkpoints.every=4", name="run")
    for later in (workplace / "run" / "step-00000008", workplace / "run" / "model"):
        for path in later.iterdir():
            path.unlink()
        later.rmdir()
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29611", "--no-python",
        str(Path(sys.executable).with_name("corpus")), "train", str(workplace / "train.yaml"),
        "--set", f"parallel={parallel}",
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if parallel == "ddp":
        assert losses(workplace) == losses(workplace, "unbroken")
    else:  # sums of shards are taken in another order
        assert losses(workplace) == pytest.approx(losses(workplace, "unbroken"), rel=1e-5)


def test_bad_steps_change_nothing_are_counted_and_end_the_run(workplace, monkeypatch):
    real = pretrain.loss_sum

    def poisoned(at):
        calls = iter(range(1000))
        return lambda *arguments: real(*arguments) * (float("nan") if next(calls) // 2 in at else 1)

    monkeypatch.setattr(pretrain, "loss_sum", poisoned({3}))
    assert run(workplace, name="one").endswith("1 skipped")
    rows = log_of(workplace, "one")
    assert [row["skipped"] for row in rows] == [False] * 3 + [True] + [False] * 4
    assert rows[3]["tokens"] == rows[2]["tokens"]
    assert rows[-1]["loss"] < rows[2]["loss"]
    monkeypatch.setattr(pretrain, "loss_sum", poisoned(range(4, 1000)))
    with pytest.raises(StageError, match="2 bad steps in a row"):
        run(workplace, "guard.abort=2", name="many")
    assert checkpoint.checkpoints(workplace / "many")[-1].name == "step-00000003"


def test_a_full_disk_leaves_the_last_good_checkpoint(workplace, monkeypatch):
    real = checkpoint.os.fsync

    def full(file):
        if (workplace / "run" / "step-00000003").is_dir():
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(StageError, match=r"No space left.*the last one stays"):
        run(workplace)
    monkeypatch.undo()
    assert [p.name for p in (workplace / "run").iterdir() if p.is_dir()] == ["step-00000003"]
    assert run(workplace).startswith("finished")


def test_checkpoints_are_kept_by_policy(workplace):
    run(workplace, "steps=12", "checkpoints.every=2", "checkpoints.keep=1", "checkpoints.milestones=6")
    assert [p.name for p in checkpoint.checkpoints(workplace / "run")] == ["step-00000006", "step-00000012"]


def test_bits_per_byte_fall_for_every_source(workplace):
    run(workplace, "validation.every=4", "steps=16")
    first, *_, last = [row["bits_per_byte"] for row in log_of(workplace) if "bits_per_byte" in row]
    assert set(first) == {"laws", "news"}
    assert all(last[source] < first[source] for source in first)


def test_accumulation_recomputing_and_bf16_train_the_same_model(workplace):
    run(workplace, name="plain")
    run(workplace, "recompute=true", name="recomputed")
    assert losses(workplace, "plain") == pytest.approx(losses(workplace, "recomputed"), rel=1e-5)
    run(workplace, "precision=bf16", name="bf16")
    assert losses(workplace, "plain") == pytest.approx(losses(workplace, "bf16"), rel=0.02)


def test_another_tokenizer_vocabulary_or_data_is_one_clear_error(workplace, tmp_path, build):
    other = make_build(tmp_path / "other", seed=5)
    facts = {"name": "other", "version": "1", "fingerprint": "", "recipe": {}, "profiles": {}, "libraries": {}}
    Manifest(**facts, tokenizer={"sha256": "0" * 64}, sources={}, files={}).write(other / "manifest.json")
    with pytest.raises(UsageError, match="was tokenized with another tokenizer"):
        run(workplace, f"data.sources.0.shards={other}")
    (other / "manifest.json").unlink()
    run(workplace, "steps=2")
    with pytest.raises(UsageError, match="was begun with other data"):
        run(workplace, f"data.sources.0.shards={other}")
    make_model(workplace / "small", vocab_size=100)
    with pytest.raises(RecordError, match="made for another one"):
        run(workplace, f"model={workplace / 'small'}", name="small_run")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optimizer.rate=1", "unknown key 'optimizer.rate'"),
        ("data.batch=5", "multiple of micro"),
        ("schedule=cosin", "did you mean cosine"),
        ("schedule_options.warmpu=3", "no option 'warmpu'"),
        ("lora.targets=[q_prj]", "did you mean q_proj"),
        ("data.sources.0.shards=nowhere", "no tokenizer.json|has no shards"),
        ("model=nowhere", "nowhere has no config.json"),
    ],
)
def test_a_wrong_key_gives_one_clear_error(workplace, change, told):
    with pytest.raises((RecipeError, UsageError), match=told):
        run(workplace, change)


def test_a_damaged_checkpoint_is_named(workplace):
    run(workplace)
    (workplace / "run" / "step-00000008" / "optimizer.safetensors").write_bytes(b"x")
    with pytest.raises(RecordError, match="step-00000008"):
        run(workplace, "steps=9")
