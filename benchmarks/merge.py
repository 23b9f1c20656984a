"""Merging beside mergekit and PEFT, interleaved in one run: CPU seconds, peak memory, and distance from float64.

    python benchmarks/merge.py [--quick | --large] [--rounds N] [--json] [--mergekit PYTHON]

PYTHON is an interpreter that can import mergekit, in an environment of its own (it pins other libraries). Times are of
the whole command with its imports, as a person runs it, medians of the rounds; `_wall` are ratios by the clock.
Ours include the digests of all inputs, which mergekit does not take: `digests_seconds` is what they cost where nothing
is read for them alone. `_inside` are the ratios of the merges without imports. Models are random Llamas in bfloat16:
110 M parameters, with --quick 41 M, with --large 433 M. `gpt_neox_merged_by` says who merges small models of that kind.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this folder, whose train.py is not our package
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_threads] = "1"  # before numpy: threads that wait would count as work

import numpy as np  # noqa: E402
from blake3 import blake3  # noqa: E402

from train.merge.lora import reduced  # noqa: E402
from train.merge.tensors import CHUNK, Checkpoint  # noqa: E402

WEIGHTS = {"inst": 1.0, "fin": 0.5}
_MERGEKIT = """
import sys, time, yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import run_merge
from mergekit.options import MergeOptions
begun = time.process_time()
config = MergeConfiguration.model_validate(yaml.safe_load(open(sys.argv[1])))
run_merge(config, out_path=sys.argv[2], options=MergeOptions(copy_tokenizer=False, quiet=True))
print(time.process_time() - begun)
"""
_OURS = """
import sys, time
from pathlib import Path
from registry.configuration import load
from train.merge.config import Merge
from train.merge.run import merge
begun = time.process_time()
merge(load(Path(sys.argv[1]), Merge), Path(sys.argv[1]).parent, Path(sys.argv[2]))
print(time.process_time() - begun)
"""


def shapes(layers: int, hidden: int, vocabulary: int) -> dict[str, tuple[int, ...]]:
    wide = 8 * hidden // 3 // 64 * 64
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, hidden),
        "lm_head.weight": (vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    for i in range(layers):
        layer = f"model.layers.{i}."
        found |= {f"{layer}self_attn.{n}_proj.weight": (hidden, hidden) for n in "qkvo"}
        found |= {f"{layer}mlp.{n}_proj.weight": (wide, hidden) for n in ("gate", "up")}
        found |= {f"{layer}mlp.down_proj.weight": (hidden, wide)}
        found |= {f"{layer}{n}_layernorm.weight": (hidden,) for n in ("input", "post_attention")}
    return found


def make(folder: Path, seed: int, layers: int, hidden: int, vocabulary: int) -> None:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    every = shapes(layers, hidden, vocabulary)

    def data(number: int, shape: tuple[int, ...]) -> torch.Tensor:
        count = int(np.prod(shape))
        values = np.random.default_rng([0, number]).standard_normal(count, dtype=np.float32) * 0.02
        if seed:
            values += np.random.default_rng([seed, number]).standard_normal(count, dtype=np.float32) * 0.002
        return torch.from_numpy((values.view(np.uint32) >> 16).astype(np.uint16)).view(torch.bfloat16).view(shape)

    tensors = {name: data(number, shape) for number, (name, shape) in enumerate(every.items())}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})  # laid out as Hugging Face does
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
        "num_attention_heads": hidden // 64,
        "intermediate_size": 8 * hidden // 3 // 64 * 64, "num_hidden_layers": layers, "vocab_size": vocabulary,
        "num_key_value_heads": hidden // 64, "tie_word_embeddings": False, "dtype": "bfloat16",
        "max_position_embeddings": 2048,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))


def make_neox(place: Path) -> None:
    """A small base and two models of another architecture, as transformers saves them."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = GPTNeoXConfig(
        hidden_size=256, intermediate_size=1024, num_hidden_layers=4, num_attention_heads=4, vocab_size=2000
    )
    for seed, name in enumerate(("base", *WEIGHTS)):
        torch.manual_seed(seed)
        GPTNeoXForCausalLM(config).to(torch.bfloat16).save_pretrained(place / name)


def measured(command: list[str]) -> tuple[float, float, float, float, str]:
    """Seconds of a command by CPU and clock, CPU of the merge in it, its peak memory in MB, and why it failed if so."""
    begun = time.perf_counter()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        out, errors = started.communicate()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if started.returncode:
        return 0.0, 0.0, 0.0, 0.0, errors.strip().splitlines()[-1][:200]
    clock = time.perf_counter() - begun
    return used.ru_utime + used.ru_stime, clock, float(out.split()[-1]), used.ru_maxrss / 1024, ""


def alone(command: list[str]) -> tuple[tuple[float, ...], str]:
    """`measured` in a process of its own, so that peak memory is of this command alone."""
    done = subprocess.run([sys.executable, __file__, "--measure", *command], capture_output=True, text=True, check=True)
    *numbers, why = json.loads(done.stdout.splitlines()[-1])
    return tuple(numbers), why


def commands(place: Path, method: str, mergekit: str | None) -> dict[str, list[str]]:
    """The two commands for one method."""
    ours = {
        "base": "base",
        "method": method,
        "models": [{"model": n, "weight": w} for n, w in WEIGHTS.items()],
        "out": "o",
    }
    (place / f"{method}.yaml").write_text(json.dumps(ours))
    models = [{"model": str(place / n), "parameters": {"weight": w, "density": 0.5}} for n, w in WEIGHTS.items()]
    theirs = {"merge_method": method, "base_model": str(place / "base"), "models": models, "dtype": "bfloat16"}
    if method == "task_arithmetic":
        for model in models:
            del model["parameters"]["density"]  # type: ignore[attr-defined]
    (place / f"mergekit_{method}.yaml").write_text(json.dumps(theirs))
    found = {"ours": [sys.executable, "-c", _OURS, str(place / f"{method}.yaml")]}
    if mergekit:
        found["mergekit"] = [mergekit, "-c", _MERGEKIT, str(place / f"mergekit_{method}.yaml")]
    return found


def race(place: Path, method: str, mergekit: str | None, rounds: int) -> dict[str, list[tuple[float, ...]]]:
    """Times and memory of both, taking turns; our result stays in `place / method`."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for _ in range(rounds):
        for name, command in commands(place, method, mergekit).items():
            out = place / (method if name == "ours" else "theirs")
            shutil.rmtree(out, ignore_errors=True)
            numbers, why = alone([*command, str(out)])
            if why:
                print(f"{name} {method} failed: {why}")
            else:
                found.setdefault(name, []).append(numbers)
    return found


def bf16_steps(place: Path) -> float:
    """Largest distance of our task arithmetic from float64, in steps of bfloat16, over a sample of the tensors."""
    models = [Checkpoint(place / name) for name in ("base", *WEIGHTS, "task_arithmetic")]
    worst = 0.0
    for name in list(models[0].tensors)[:: max(1, len(models[0].tensors) // 12)]:
        base, *others, made = (model.tensors[name].array().astype(np.float64) for model in models)
        exact = base + sum(w * (x - base) for w, x in zip(WEIGHTS.values(), others, strict=True))
        step = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(exact), 1e-30))) - 7)
        worst = max(worst, float(np.max(np.abs(made - exact) / step)))
    return worst


def digest_seconds(place: Path) -> float:
    """CPU seconds of hashing as many bytes as the inputs have, in the pieces in which they are read."""
    piece = bytes(2 * CHUNK)
    size = sum((place / name / "model.safetensors").stat().st_size for name in ("base", *WEIGHTS))
    begun, digest = time.process_time(), blake3()
    for _ in range(size // len(piece)):
        digest.update(piece)
    return time.process_time() - begun


def lora_ratio(size: int, rank: int, rounds: int) -> tuple[float | None, float]:
    """How much longer PEFT's `svd` takes than ours for two adapters of one layer, and our relative error to float64."""
    rng = np.random.default_rng(0)
    b, a = rng.standard_normal((size, 2 * rank)), rng.standard_normal((2 * rank, size))
    ours = []
    for _ in range(5 * rounds):
        begun = time.process_time()
        left, right = reduced((b, a), 2 * rank)
        ours.append(time.process_time() - begun)
    error = float(np.abs(left @ right - b @ a).max() / np.abs(b @ a).max())
    try:
        import torch
        from peft import LoraConfig, get_peft_model
    except ImportError as missing:
        print(f"lora_ratio_peft is null: {missing}")
        return None, error
    torch.set_num_threads(1)
    model = get_peft_model(
        torch.nn.Sequential(torch.nn.Linear(size, size)), LoraConfig(r=rank, target_modules=["0"]), "one"
    )
    model.add_adapter("two", LoraConfig(r=rank, target_modules=["0"]))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    theirs = []
    for number in range(rounds):
        begun = time.process_time()
        model.add_weighted_adapter(["one", "two"], [1.0, 1.0], f"m{number}", combination_type="svd", svd_rank=rank)
        theirs.append(time.process_time() - begun)
    return statistics.median(theirs) / statistics.median(ours), error


def option(name: str) -> str | None:
    """What stands after `name` in the command."""
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


def main() -> None:
    quick, large = "--quick" in sys.argv, "--large" in sys.argv
    rounds = int(option("--rounds") or (1 if quick else 3))
    mergekit = option("--mergekit") or os.environ.get("MERGEKIT_PYTHON")
    if not mergekit:
        print("no --mergekit PYTHON (an interpreter with mergekit): its keys are null")
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        size = (4, 768, 8000) if quick else (20, 1280, 16000) if large else (12, 768, 16000)
        for name, seed in (("base", 0), ("inst", 1), ("fin", 2)):
            make(place / name, seed, *size)
        peaks = {}
        result["digests_seconds"] = round(digest_seconds(place), 2)
        for key in ("task_arithmetic", "ties"):
            times = race(place, key, mergekit, rounds)
            middle = {n: [statistics.median(column) for column in zip(*rows, strict=True)] for n, rows in times.items()}
            result[f"{key}_seconds"] = round(middle["ours"][0], 2)
            there = middle.get("mergekit")
            for number, kind in enumerate(("", "_wall", "_inside")):
                ratio = there[number] / middle["ours"][number] if there else None
                result[f"{key}_ratio_mergekit{kind}"] = ratio and round(ratio, 2)
            peaks[key] = middle["ours"][3] / there[3] if there else None
        result["peak_memory_ratio"] = round(max(p for p in peaks.values() if p), 3) if any(peaks.values()) else None
        result["max_error_bf16_steps"] = round(bf16_steps(place), 3)
        make_neox(place / "neox")
        merged = race(place / "neox", "task_arithmetic", mergekit, 1)
        result["gpt_neox_merged_by"] = [*merged]
    ratio, error = lora_ratio(768, 16, 1 if quick else 5)
    result["lora_ratio_peft"] = ratio and round(ratio, 1)
    result["lora_error"] = error
    for name, value in result.items():
        print(f"{name:<40}{value}")
    if "--json" in sys.argv:
        print(json.dumps(result))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measured(sys.argv[2:])))
    else:
        main()
