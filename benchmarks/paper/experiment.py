"""`make paper`: base, instruct, finance, merged and two-LoRA models, from seeded texts and the demo's shards.

    python -m benchmarks.paper.experiment [OUT [SEED...]]

With several seeds (0 and 1, without any) each trains models of its own, in a process of its own, and numbers are means.

Llama of 418,272 parameters (hidden 96, 2 layers, 4 heads, vocabulary 2,048, tied), sequences of 64, 8 in a step. Of
each kind of text half is seeded, half from `corpus build ja_finance`: laws, textbooks and literature are general,
filings, news and glossaries finance. What it shows in small: continual pretraining lowers the perplexity of finance
text and forgets general text, a replay of 25 % general text forgets less (2404.10555, 2403.08763); base + (instruct -
base) + b (finance - base) follows instructions and knows finance text, where training the instruct model on finance
text loses the instructions (2409.19854); a domain and a numeric adapter sum exactly (2405.00566).
"""

from __future__ import annotations

import json
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import corpus
from benchmarks.paper import texts
from registry.shards import Shards
from train.answers import answer, generate
from train.bits import bits_per_byte, documents
from train.config import Train
from train.examples import encoded, read_examples
from train.merge.config import Merge
from train.merge.lora import Adapter, stacked
from train.merge.run import merge
from train.merge.tensors import Checkpoint
from train.model import load_model
from train.pretrain import train
from train.score import Score, paired
from train.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch.nn import Module

LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": texts.VOCABULARY, "hidden_size": 96,
    "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
    "max_position_embeddings": 256, "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
LORA = {"rank": 8, "alpha": 16.0}
KINDS = ("general", "finance")
MODELS = {
    "random weights": "random",
    "base": "base/model",
    "instruct": "instruct/model",
    "finance": "finance/model",
    "finance, 25 % replay": "replay/model",
    "instruct, then finance": "sequential/model",
    "merge 1 instruct + 1 finance": "merge_1_1",
    "merge 1 instruct + 0.5 finance": "merge_1_05",
    "merge 1 instruct + 0.5 replay": "merge_1_05_replay",
    "TIES instruct, finance": "merge_ties",
    "domain LoRA": "domain_folded",
    "numeric LoRA": "numeric_folded",
    "both, exact sum": "both_exact",
    "both, SVD to rank 8": "both_rank8",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a model. Perplexities are per token, as in the literature on such models."""

    perplexity: dict[str, float]  # by kind of text
    form: dict[str, Score]  # by the kind of the words
    numeric: Score
    even: Score  # of these, the ones whose options have the same number of tokens


def main(
    out: Path, *, recipe: str = "ja_finance", scale: float = 1.0, items: int = 100, seed: int = 0
) -> dict[str, Row]:
    """Train, merge and measure everything in the folder `out`; steps are multiplied by `scale`.

    The texts are always the same; `seed` is of the random weights, of packing and of the order.
    """
    words = _write_texts(out, recipe)
    _train_all(out, scale, seed)
    _merge_all(out)
    return {name: measure(out, out / place, words, items) for name, place in MODELS.items()}


def _write_texts(out: Path, recipe: str) -> dict[str, list[str]]:
    """Tokenizer, shards and examples; returns the words that instructions are about, by kind."""
    held_out = ["tokenize.validation=0.15"]
    build = corpus.build(recipe, out / "demo", changes=held_out)  # once for its texts, and again with their tokenizer
    read = {kind: [text for _, _, text in texts.documents(build, kind, "train")] for kind in KINDS}
    tokenizer = texts.make_tokenizer(out / "base0", [text for some in read.values() for text in some])
    (out / "base0" / "config.json").write_text(json.dumps(LLAMA))
    build = corpus.build(recipe, out / "demo", changes=[*held_out, f"tokenize.tokenizer={(out / 'base0').resolve()}"])
    for kind in KINDS:
        texts.write_shards(out / "texts" / kind, kind, tokenizer, 6000)
    words = {kind: texts.names(kind, read[kind]) for kind in KINDS}
    texts.write_examples(out / "instructions.jsonl", texts.instructions(words["general"], 4000, 1))
    texts.write_examples(out / "numeric.jsonl", texts.numeric(build, "train", 2000, 1, 6000))
    texts.write_examples(out / "numeric_test.jsonl", texts.numeric(build, "validation", 200, 2, 800))
    return words


def _mix(**weights: float) -> list[dict[str, Any]]:
    """Half of each kind seeded, half from the build."""
    return [
        source
        for kind, weight in weights.items()
        for source in (
            {"shards": f"texts/{kind}", "weight": weight},
            {"shards": "demo", "weight": weight, "only": texts.SOURCES[kind]},
        )
    ]


def _train_all(out: Path, scale: float, seed: int) -> None:
    general, finance, mixed = _mix(general=1.0), _mix(finance=1.0), _mix(finance=3.0, general=1.0)
    instructions = {"file": "instructions.jsonl", "weight": 0.67, "size": 16, "loss": "answer"}
    figures = {"file": "numeric.jsonl", "weight": 0.67, "size": 16, "loss": "choice"}
    run = partial(_train, out, scale, seed)
    run("base", "base0", 1000, 4e-3, general, init=True)
    run("instruct", "base/model", 700, 1.5e-3, general, instructions)
    run("finance", "base/model", 300, 1e-3, finance)
    run("replay", "base/model", 300, 1e-3, mixed)
    run("sequential", "instruct/model", 300, 1e-3, finance)
    run("domain", "base/model", 120, 5e-3, finance, lora=LORA)
    run("numeric", "base/model", 500, 3e-3, general, figures, lora=LORA)
    if not (out / "random").is_dir():
        load_model(out / "base0", seed=seed + 1).save_pretrained(out / "random")
        Tokens.load(out / "base0").copy(out / "random")


def _train(
    out: Path, scale: float, seed: int, name: str, model: str, steps: int, lr: float, sources: list[dict[str, Any]],
    examples: dict[str, Any] | None = None, **more: Any,
) -> None:  # fmt: skip
    if (out / name / "model").is_dir() or (out / name / "adapter").is_dir():
        return
    config = {
        "model": model, "out": name, "steps": max(1, round(steps * scale)), "seed": seed, "precision": "fp32",
        "log_every": 50,
        "data": {"sources": sources, "length": 64, "batch": 8, "micro": 8, "examples": examples},
        "optimizer": {"lr": lr}, "schedule_options": {"warmup": 0.05}, **more,
    }  # fmt: skip
    train(Train.model_validate(config), out, out / name)


def _merge_all(out: Path) -> None:
    for name, second, weights, method in (
        ("merge_1_0", "finance", (1.0, 0.0), "task_arithmetic"),
        ("merge_0_1", "finance", (0.0, 1.0), "task_arithmetic"),
        ("merge_1_1", "finance", (1.0, 1.0), "task_arithmetic"),
        ("merge_1_05", "finance", (1.0, 0.5), "task_arithmetic"),
        ("merge_1_05_replay", "replay", (1.0, 0.5), "task_arithmetic"),
        ("merge_ties", "finance", (1.0, 1.0), "ties"),
    ):
        models = [{"model": f"{m}/model", "weight": w} for m, w in zip(("instruct", second), weights, strict=True)]
        _merge(out, name, {"base": "base/model", "models": models, "method": method})
    both = [{"adapter": "domain/adapter"}, {"adapter": "numeric/adapter"}]
    for name, adapters in (("domain_folded", both[:1]), ("numeric_folded", both[1:]), ("both_exact", both)):
        _merge(out, name, {"base": "base/model", "adapters": adapters, "fold": True})
    _merge(out, "rank8", {"adapters": both, "rank": LORA["rank"]})
    _merge(out, "rank16", {"adapters": both, "rank": 2 * LORA["rank"]})
    _merge(out, "both_rank8", {"base": "base/model", "adapters": [{"adapter": "rank8"}], "fold": True})


def _merge(out: Path, name: str, config: dict[str, Any]) -> None:
    if not (out / name).is_dir():
        merge(Merge.model_validate({"out": name, **config}), out, out / name)


def measure(out: Path, folder: Path, words: dict[str, list[str]], items: int) -> Row:
    """All that the table tells of one model."""
    model, tokens = load_model(folder), Tokens.load(folder)
    examples = read_examples(out / "numeric_test.jsonl")[: 8 * items]
    figures = answer(model, examples, tokens, length=256).right
    even = [len({len(ids) for ids, _ in encoded(example, tokens, 256, end=False)}) == 1 for example in examples]
    return Row(
        {kind: perplexity(model, tokens, out, kind) for kind in KINDS},
        {kind: form(model, tokens, words[kind], items) for kind in KINDS},
        figures,
        Score([item for item, same in zip(figures.items, even, strict=True) if same]),
    )


def chance(out: Path, count: int) -> Score:
    """How often random weights choose the right one of four letters: options that differ in nothing else."""
    folder = out / MODELS["random weights"]
    examples = read_examples(out / "numeric_test.jsonl")[:count]
    lettered = [example._replace(options=tuple("ABCD")) for example in examples]
    return answer(load_model(folder), lettered, Tokens.load(folder), length=256).right


def perplexity(model: Module, tokens: Tokens, out: Path, kind: str) -> float:
    """Per token, on seeded documents and the build's of a kind, all held out."""
    held = [*documents(Shards(out / "texts" / kind, split="validation"), 30)]
    held += [d for d in documents(Shards(out / "demo", split="validation"), 30) if d[0] in texts.SOURCES[kind]]
    bits = bits_per_byte(model, held, tokens, length=64)
    count = sum(len(document) - 1 for _, document in held)
    return float(2 ** (sum(sum(each.items) for each in bits.values()) / count))


def form(model: Module, tokens: Tokens, words: list[str], count: int) -> Score:
    """Of instructions about some words: whether each is answered in the form asked for, to the end."""
    draw = random.Random("form")
    good = []
    for _ in range(count):
        name, prompt, _ = texts.instruction(words, draw)
        found, ended = generate(model, tokens, prompt, most=32)
        good.append(float(ended and texts.follows(name, found)))
    return Score(good)


def table(rows: dict[str, Row]) -> str:
    """Markdown."""
    lines = [
        "| model | finance ppl | general ppl | form, finance | form, general | numeric |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ppl = " | ".join(f"{row.perplexity[kind]:,.1f}" for kind in reversed(KINDS))
        forms = " | ".join(f"{row.form[kind].mean:.2f}" for kind in reversed(KINDS))
        lines.append(f"| {name} | {ppl} | {forms} | {row.numeric.mean:.3f} ± {row.numeric.error:.3f} |")
    return "\n".join(lines)


def verdicts(rows: dict[str, Row], outs: list[Path]) -> dict[str, bool]:
    """The acceptance tests of the miniature, each with whether it held."""
    base, instruct, finance, replay = (rows[n] for n in ("base", "instruct", "finance", "finance, 25 % replay"))
    merged, after = rows["merge 1 instruct + 0.5 finance"], rows["instruct, then finance"]
    of = {name: row.perplexity for name, row in rows.items()}
    even, lettered = rows["random weights"].even, chance(outs[0], len(rows["base"].numeric.items))
    return {
        "finance ppl of finance < 0.5 of base's": finance.perplexity["finance"] < 0.5 * base.perplexity["finance"],
        "general ppl with replay < 1.5 of base's": replay.perplexity["general"] < 1.5 * base.perplexity["general"],
        "general ppl with replay < 0.6 of that without": of["finance, 25 % replay"]["general"]
        < 0.6 * of["finance"]["general"],
        "finance ppl of merge 1 + 0.5 < 0.7 of instruct's": merged.perplexity["finance"]
        < 0.7 * instruct.perplexity["finance"],
        "form of merge 1 + 0.5 >= 0.5": min(s.mean for s in merged.form.values()) >= 0.5,
        "form after sequential training <= 0.2": max(s.mean for s in after.form.values()) <= 0.2,
        "merge 1 + 0 is instruct, 0 + 1 is finance, to the last bit": all(
            _same(out, "merge_1_0", "instruct/model") and _same(out, "merge_0_1", "finance/model") for out in outs
        ),
        "SVD to rank 16 of two adapters of rank 8 is their sum (1e-4)": all(map(_sum_is_exact, outs)),
        f"random weights are at chance where options have as many tokens: {even}": abs(even.mean - 0.25)
        <= 3 * even.error,
        f"random weights are at chance where options are letters: {lettered}": abs(lettered.mean - 0.25)
        <= 3 * lettered.error,
    }


def observations(rows: dict[str, Row]) -> dict[str, bool]:
    """What the papers would have one expect, beyond the acceptance tests: by a paired bootstrap over the questions."""
    base = rows["base"].numeric
    gain, both = (paired(base, rows[name].numeric) for name in ("numeric LoRA", "both, exact sum"))
    return {
        f"numeric LoRA answers more than base: {gain}": gain.low > 0,
        f"so does its exact sum with the domain LoRA: {both}": both.low > 0,
    }


def pooled(runs: list[dict[str, Row]]) -> dict[str, Row]:
    """The rows of several seeds as one: geometric means of perplexities, all items of the others together."""

    def all_items(scores: list[Score]) -> Score:
        return Score([item for score in scores for item in score.items])

    return {
        name: Row(
            {kind: float(np.exp(np.mean([np.log(row.perplexity[kind]) for row in rows]))) for kind in KINDS},
            {kind: all_items([row.form[kind] for row in rows]) for kind in KINDS},
            all_items([row.numeric for row in rows]),
            all_items([row.even for row in rows]),
        )
        for name, rows in ((name, [run[name] for run in runs]) for name in runs[0])
    }


def _same(out: Path, one: str, other: str) -> bool:
    first, second = Checkpoint(out / one), Checkpoint(out / other)
    return all(np.array_equal(t.array(), second.tensors[name].array()) for name, t in first.tensors.items())


def _sum_is_exact(out: Path) -> bool:
    both = [Adapter(out / name / "adapter") for name in ("domain", "numeric")]
    for module, (b, a) in Adapter(out / "rank16").factors.items():
        left, right = stacked(both, [1.0, 1.0], module)
        if not np.allclose(b @ a, left @ right, rtol=1e-4, atol=1e-6 * np.abs(left @ right).max()):
            return False
    return True


def report(runs: list[dict[str, Row]], outs: list[Path]) -> tuple[str, bool]:
    """The table, what held, and whether all acceptance tests did, of the run of each seed and its folder."""
    rows = pooled(runs)
    claims = verdicts(rows, outs)
    n, some = len(rows["base"].numeric.items), len(rows["base"].form["general"].items)
    every = claims | observations(rows)
    held = [f"- {'holds' if fine else 'does not hold'}: {what}" for what, fine in every.items()]
    merged = ", ".join(_forms(run["merge 1 instruct + 0.5 finance"], min) for run in runs)
    after = ", ".join(_forms(run["instruct, then finance"], max) for run in runs)
    noise = (
        f"{len(runs)} seeds; form: n={some}; numeric: n={n}, chance 0.25; by seed, form of merge 1 + 0.5 is at least"
    )
    noise += f" {merged}, and after sequential training at most {after}"
    return "\n".join([table(rows), "", noise, "", *held, ""]), all(claims.values())


def _forms(row: Row, of: Callable[[Iterable[float]], float]) -> str:
    return f"{of(score.mean for score in row.form.values()):.2f}"


def run_seeds(out: Path, seeds: list[int]) -> tuple[str, bool]:
    """`report` of the experiment with several seeds, as many at once as there are cores."""
    outs = [out / f"seed{seed}" for seed in seeds]
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        runs = list(pool.map(_run_seed, outs, seeds))  # one thread each: so small a model gains nothing from more
    return report(runs, outs)


def _run_seed(out: Path, seed: int) -> dict[str, Row]:
    return main(out, seed=seed)


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("builds/paper")
    told, held = run_seeds(place, [int(seed) for seed in sys.argv[2:]] or [0, 1])
    (place / "table.md").write_text(told, encoding="utf-8")
    print(told)
    sys.exit(0 if held else 1)
