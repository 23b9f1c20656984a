"""Training: leakage by architecture, the step beside a bare transformers loop, resume, and bits per byte.

    python benchmarks/train.py [--quick] [--json]

The bare loop calls the same model on the same packed batches with the same optimizer and nothing else; steps take
turns, and the ratio is of medians of CPU seconds (above 1: ours takes longer). No figure needs a GPU; MFU does, and is
not among them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[0] = str(Path(__file__).resolve().parents[1])  # or else `train` would be this file

SMALL = {
    "vocab_size": 2048, "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 8,
    "max_position_embeddings": 512, "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 0,
    "pad_token_id": 0,
}  # fmt: skip
ARCHITECTURES = {
    "llama": {}, "gpt_neox": {}, "qwen2": {"num_key_value_heads": 4},
    "qwen3": {"num_key_value_heads": 4, "head_dim": 32},
    "mistral": {"num_key_value_heads": 4, "sliding_window": 9}, "gemma": {"num_key_value_heads": 4, "head_dim": 32},
}  # fmt: skip


def prepare(place: Path) -> None:
    """Texts of the miniature, and the config of a Llama of 3.7 M parameters."""
    from benchmarks.paper import texts

    tokenizer = texts.make_tokenizer(place / "llama")
    (place / "llama" / "config.json").write_text(json.dumps({"model_type": "llama", **SMALL}))
    texts.write_shards(place / "finance", "finance", tokenizer, 800)


def leakages(place: Path) -> dict[str, float]:
    from train.model import leakage, load_model

    found = {}
    for name, changes in ARCHITECTURES.items():
        folder = place / f"config_{name}"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_type": name, **SMALL, **changes}))
        found[name] = leakage(load_model(folder, seed=0))
    return found


def config_of(steps: int, every: int = 1000, **data: int) -> object:
    from train.config import Train

    return Train.model_validate(
        {"model": "llama", "init": True, "out": "run", "steps": steps, "precision": "fp32", "optimizer": {"lr": 2e-3},
         "data": {"sources": [{"shards": "finance"}], "length": 128, "batch": 4, "micro": 2, **data},
         "checkpoints": {"every": every}, "log_every": 10_000}
    )  # fmt: skip


def step_ratio(place: Path, rounds: int) -> float:
    """Our step over a bare one."""
    import torch

    from train import pretrain
    from train.model import tensors
    from train.processes import Processes
    from train.run import Run

    config = config_of(10_000, batch=4, micro=4, length=256)
    ours = Run(config, place, place / "none", Processes.join())
    bare = Run(config, place, place / "none", Processes.join())
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(rounds + 3):
        begun = time.process_time()
        pretrain._step(ours)  # noqa: SLF001 - what is measured
        ours.state.step += 1
        middle = time.process_time()
        ids, positions, targets = tensors(bare.stream.batch(4 * number, 4), torch.device("cpu"))
        logits = bare.plain(input_ids=ids, position_ids=positions, use_cache=False).logits
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100).backward()
        torch.nn.utils.clip_grad_norm_(bare.plain.parameters(), 1.0)
        bare.optimizer.step()
        bare.optimizer.zero_grad()
        if number >= 3:
            times["ours"].append(middle - begun)
            times["bare"].append(time.process_time() - middle)
    return statistics.median(times["ours"]) / statistics.median(times["bare"])


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def resumes(place: Path, steps: int) -> bool:
    """Whether a run of which all after the first checkpoint was lost has the losses of an unbroken one."""
    from train.pretrain import train

    for name in ("unbroken", "broken"):
        train(config_of(steps, every=steps // 2), place, place / name)
    for folder in (f"step-{steps:08}", "model"):
        shutil.rmtree(place / "broken" / folder)
    train(config_of(steps, every=steps // 2), place, place / "broken")
    return losses(place / "broken") == losses(place / "unbroken")


def bits(place: Path, steps: int) -> tuple[float, float]:
    """Bits per byte of held-out finance text before and after training."""
    from registry.shards import Shards
    from train.bits import bits_per_byte, documents
    from train.model import load_model
    from train.pretrain import train
    from train.tokens import Tokens

    train(config_of(steps), place, place / "trained")
    held = list(documents(Shards(place / "finance", split="validation"), 30))
    models = (load_model(place / "llama", seed=0), load_model(place / "trained" / "model"))
    tokens = Tokens.load(place / "llama")
    first, last = (bits_per_byte(model, held, tokens, length=128)["finance"].mean for model in models)
    return first, last


def main() -> None:
    quick = "--quick" in sys.argv
    keys = ("leakage_max", "step_ratio_bare", "resume_identical", "bits_per_byte_before", "bits_per_byte_after")
    result: dict[str, object] = dict.fromkeys(keys)
    try:
        import torch
        import transformers  # noqa: F401
    except ImportError as missing:
        print(f"all keys are null: {missing}; pip install 'corpus-foundry[train]'")
    else:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            place = Path(folder)
            prepare(place)
            result["leakage_max"] = leakages(place)
            result["step_ratio_bare"] = round(step_ratio(place, 9 if quick else 30), 3)
            result["resume_identical"] = resumes(place, 6 if quick else 40)
            before, after = bits(place, 30 if quick else 200)
            result |= {"bits_per_byte_before": round(before, 3), "bits_per_byte_after": round(after, 3)}
    for name, value in result.items():
        print(f"{name:<24}{value}")
    if "--json" in sys.argv:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
