"""Training: documents apart, resume to the last bit, signals, bad steps, and configurations that do not fit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file  # noqa: E402

from registry.configuration import load  # noqa: E402
from registry.errors import RecipeError, RecordError, StageError, UsageError  # noqa: E402
from registry.manifest import Manifest  # noqa: E402
from train import checkpoint, model, pretrain  # noqa: E402
from train.config import Train  # noqa: E402
from train.journal import Journal, flops_per_token  # noqa: E402

from .conftest import APART, ARCHITECTURES, make_build, make_model  # noqa: E402

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


@pytest.mark.parametrize("architecture", list(APART))
def test_a_model_that_cannot_keep_documents_apart_gets_a_sequence_for_each(workplace, architecture):
    make_model(workplace / "llama", architecture)
    with pytest.raises(StageError, match=r"cannot keep them apart; `data.packing: single`"):
        run(workplace)
    assert run(workplace, "data.packing=single", "steps=12").startswith("finished")
    assert losses(workplace)[-1] < losses(workplace)[0]
    single = model.load_model(workplace / "run" / "model")
    assert model.leakage(single) > 0.01
    assert model.leakage(single, single=True) < 1e-5


def test_a_model_that_looks_ahead_is_not_trained(workplace, monkeypatch):
    def both_ways(made, ids, _):
        seen = made.get_input_embeddings()(ids)
        return seen.cumsum(1) + seen.flip(1).cumsum(1).flip(1)

    whole = model.load_model(workplace / "llama", seed=0)
    assert model.leakage(whole, single=True, call=both_ways) > 0.1
    nothing = model.leakage(whole, call=lambda made, ids, _: made.get_input_embeddings()(ids) * float("nan"))
    assert not nothing <= 1e-3, "what is no number is no proof"
    monkeypatch.setattr(model, "leakage", lambda *_, **__: 0.2)
    for packing in ("best_fit", "single"):
        with pytest.raises(StageError, match="looks ahead, so it is no causal language model"):
            run(workplace, f"data.packing={packing}")


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


def test_a_signal_after_a_step_stops_after_the_next_one_with_a_checkpoint(workplace, monkeypatch):
    def asked(_):
        os.kill(os.getpid(), signal.SIGTERM)
        return {}

    monkeypatch.setattr(pretrain, "validate", asked)
    assert run(workplace, "validation.every=4").startswith("stopped; the same command goes on at step 5 of 8")
    assert checkpoint.checkpoints(workplace / "run")[-1].name == "step-00000005"


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
    (workplace / "run" / ".step-00000014.1.tmp").mkdir()  # as left where the kill falls into the writing
    assert run(workplace, *changes).startswith("finished")
    assert 17 <= killed_at < 60
    assert losses(workplace) == losses(workplace, "unbroken")
    assert not list((workplace / "run").glob(".*"))


def spread(workplace: Path, *changes: str, name: str) -> None:
    """Train with two processes, as torchrun does."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python",
        str(Path(sys.executable).with_name("corpus")), "train", str(workplace / "train.yaml"),
    ]  # fmt: skip
    command += [part for change in (f"out={workplace / name}", *changes) for part in ("--set", change)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished") == 1


def forget(run: Path, step: int) -> None:
    """As if the run had died after an earlier checkpoint than that of `step`."""
    for later in (f"step-{step:08}", "model", "adapter"):
        shutil.rmtree(run / later, ignore_errors=True)


@pytest.mark.slow  # 20 s each, nearly all of it imports
@pytest.mark.parametrize("lora", ["null", "{rank: 2}"], ids=["full", "lora"])
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_run_goes_on_with_two_processes(workplace, parallel, lora):
    run(workplace, f"lora={lora}", name="unbroken")
    run(workplace, f"lora={lora}", "checkpoints.every=4")
    forget(workplace / "run", 8)
    spread(workplace, f"parallel={parallel}", f"lora={lora}", name="run")
    if parallel == "ddp":
        assert losses(workplace) == losses(workplace, "unbroken")
    else:  # sums of shards are taken in another order
        assert losses(workplace) == pytest.approx(losses(workplace, "unbroken"), rel=1e-5)
    kind = "model" if lora == "null" else "adapter"
    name = "model.safetensors" if lora == "null" else "adapter_model.safetensors"
    made, expected = (load_file(workplace / each / kind / name) for each in ("run", "unbroken"))
    assert made.keys() == expected.keys()
    for key, tensor in made.items():
        assert torch.allclose(tensor, expected[key], atol=1e-5)


@pytest.mark.slow  # 20 s each
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
@pytest.mark.parametrize(
    "change", ["loss: choice", "loss: answer", "data.packing=single", "data.micro=1", "recompute=true"]
)
def test_two_processes_learn_what_one_does(workplace, parallel, change):
    rows = [{"prompt": "利益" * n, "options": ["増加", "減少した", "円"], "answer": n % 3} for n in range(1, 13)]
    (workplace / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    examples = f"data.examples={{file: {workplace / 'rows.jsonl'}, size: 4, {change}}}"
    changes = [examples if change.startswith("loss") else change, "validation.every=8"]
    run(workplace, *changes, name="one")
    spread(workplace, *changes, f"parallel={parallel}", name="two")
    for one, two in zip(log_of(workplace, "one"), log_of(workplace, "two"), strict=True):
        assert one.keys() == two.keys()
        assert two["norm"] == pytest.approx(one["norm"], rel=1e-4)
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert two.get("examples_loss", 0) == pytest.approx(one.get("examples_loss", 0), rel=1e-5)
        assert two.get("bits_per_byte", {}) == pytest.approx(one.get("bits_per_byte", {}), rel=1e-5)


@pytest.mark.slow  # a minute of compiling
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs g++")
@pytest.mark.parametrize("change", ["recompute=false", "recompute=true", "lora={rank: 2}"])
def test_a_compiled_model_trains_as_it_does_uncompiled_and_goes_on(workplace, change):
    run(workplace, change, name="plain")
    run(workplace, change, "compile=true", "checkpoints.every=4")
    forget(workplace / "run", 8)
    run(workplace, change, "compile=true")
    assert losses(workplace) == pytest.approx(losses(workplace, "plain"), rel=1e-4)


def test_tensorboard_gets_what_the_journal_gets(workplace):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(workplace, "tensorboard=true", "validation.every=4")
    events = EventAccumulator(str(workplace / "run" / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(losses(workplace))
    assert [event.step for event in events.Scalars("bits_per_byte/news")] == [4, 8]


def test_flops_follow_the_counting_of_palm_and_mfu_is_told_where_the_peak_is_known(workplace, capsys):
    made = model.load_model(workplace / "llama", seed=0)
    matrices = 300 * 32 + 2 * (32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64)  # embeddings; q, k, v, o; mlp
    flops = flops_per_token(made, 64)
    assert flops == 6 * matrices + 6 * 2 * 32 * 64
    made.requires_grad_(requires_grad=False)  # as under LoRA: no gradients of weights
    assert flops_per_token(made, 64) == 4 * matrices + 6 * 2 * 32 * 64
    with Journal(workplace / "run", step=0, steps=10, flops=flops, peak=flops * 1e9, tensorboard=False) as journal:
        journal.progress(1, 2.0, 1_000_000)
        journal._mark = (journal._mark[0] - 1.0, 1, 1_000_000)
        journal.progress(2, 2.0, 2_000_000)
    told = capsys.readouterr().err
    mfu = float(re.search(r"MFU ([\d.]+)%", told)[1])
    assert mfu == pytest.approx(0.1, abs=0.05)  # a million tokens in a second, of a thousand million


def test_of_experts_those_that_a_token_goes_to_count(tmp_path):
    experts = {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "num_key_value_heads": 2}
    of = [
        flops_per_token(model.load_model(make_model(tmp_path, **experts, num_local_experts=n), seed=0), 32)
        for n in (4, 16)
    ]
    assert of[1] - of[0] == 6 * 2 * 12 * 32, "two layers have twelve rows of their routers more"


def test_the_attention_kernel_can_be_chosen(workplace):
    run(workplace, name="default")
    run(workplace, "attention=eager", name="eager")
    assert losses(workplace, "eager") == pytest.approx(losses(workplace, "default"), rel=1e-4)
    assert losses(workplace, "eager") != losses(workplace, "default")
    with pytest.raises(UsageError, match="cannot be loaded"):
        run(workplace, "attention=egaer", name="neither")
    for flash in ("flash_attention_2", "kernels-community/flash-attn2"):
        with pytest.raises(UsageError, match=f"attention: {flash} knows no float32"):
            run(workplace, f"attention={flash}", name="neither")


@pytest.mark.slow  # a minute of compiling
def test_a_kernel_that_the_device_lacks_is_told(workplace):
    with pytest.raises(StageError, match="this device cannot do it: FlexAttention does not support backward on CPU"):
        run(workplace, "attention=flex_attention")


def test_the_loss_in_pieces_is_the_loss_of_the_whole(monkeypatch):
    found = torch.randn(3, 50, 70, requires_grad=True)
    targets = torch.randint(70, (3, 50))
    targets[:, ::7] = model.IGNORED
    whole = torch.nn.functional.cross_entropy(found.flatten(0, 1), targets.flatten(), reduction="sum")
    (expected,) = torch.autograd.grad(whole, found)
    for piece in (1, 64, 1000):
        monkeypatch.setattr(model, "_PIECE", piece)
        loss = model.nats(found, targets).sum()
        assert loss.item() == pytest.approx(whole.item(), rel=1e-6)
        assert torch.allclose(torch.autograd.grad(loss, found)[0], expected, atol=1e-6)


def test_too_little_memory_is_told_with_what_helps(workplace, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of 1 GiB")

    monkeypatch.setattr(pretrain, "loss_sum", full)
    with pytest.raises(
        StageError, match=r"^CUDA out of memory: give a smaller `data.micro`.*the same command goes on$"
    ):
        run(workplace)


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
    real = os.fsync

    def full(file):
        if (workplace / "run" / "step-00000003").is_dir():
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StageError, match=r"No space left.*the last one stays"):
        run(workplace)
    monkeypatch.undo()
    assert [p.name for p in (workplace / "run").iterdir() if p.is_dir()] == ["step-00000003"]
    assert run(workplace).startswith("finished")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_leaves_the_last_good_checkpoint(workplace):
    disk = workplace / "run"
    disk.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", disk]  # a checkpoint of this model takes 330 kB
    if subprocess.run(small, check=False, capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with pytest.raises(StageError, match=r"could not be written.*the last one stays"):
            run(workplace, "checkpoints.every=1", "checkpoints.keep=9")
        kept = [path for path in disk.iterdir() if path.is_dir()]
        assert kept == checkpoint.checkpoints(disk) != []
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert run(workplace).startswith("finished")
        run(workplace, name="unbroken")
        assert losses(workplace) == losses(workplace, "unbroken")
    finally:
        subprocess.run(["umount", disk], check=True)


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
    with pytest.raises(UsageError, match="is at step 2 already, after the 1 asked for"):
        run(workplace, "steps=1")
    with pytest.raises(UsageError, match="was begun with other data"):
        run(workplace, f"data.sources.0.shards={other}")
    make_model(workplace / "small", vocab_size=100)
    with pytest.raises(UsageError, match="embeddings of 100 tokens, and its tokenizer knows 300"):
        run(workplace, f"model={workplace / 'small'}", name="small_run")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optimizer.rate=1", "unknown key 'optimizer.rate'"),
        ("data.batch=5", "multiple of micro"),
        ("schedule=cosin", "did you mean cosine"),
        ("schedule_options.warmpu=3", "no option 'warmpu'"),
        ("lora.targets=[q_prj]", "did you mean q_proj"),
        ("data.sources.0.shards=nowhere", "nowhere has no shards"),
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


def test_a_checkpoint_that_is_being_written_is_there_when_a_run_has_failed(tmp_path):
    def slowly(folder: Path) -> None:
        time.sleep(0.2)
        (folder / "weights").write_bytes(b"w")

    with pytest.raises(StageError, match="bad steps"), checkpoint.Saver(tmp_path, keep=1, milestones=0) as saver:
        saver.save(slowly, {}, {"step": 3})
        raise StageError("2 bad steps")
    assert [path.name for path in checkpoint.checkpoints(tmp_path)] == ["step-00000003"]
