"""`corpus evaluate`: models -> results.json, a table, and what they write, side by side.

Bits per byte by source; accuracy by task and prompt version, numeric and other items apart; the mean over all versions,
never the best one; every model after the first is compared to it by a paired bootstrap over the same items.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.publish import write_json, write_text
from registry.shards import Shards
from train.answers import Score, adjusted_f1, answer, bootstrap_error, generate, paired, told
from train.bits import bits_per_byte, documents
from train.harness import POLARITIES, is_numeric, read_task
from train.model import load_model
from train.processes import Processes
from train.tokens import Tokens, tokenizer_of

if TYPE_CHECKING:
    from torch.nn import Module

    from train.answers import Answered
    from train.config import Evaluate
    from train.examples import Example

KINDS = ("bits_per_byte", "accuracy", "adjusted_f1", "lm_eval")


def evaluate(config: Evaluate, folder: Path, out: Path) -> dict[str, Any]:
    """Measure as `config` says, whose paths are from `folder`; results by model.

    Raises:
        UsageError: a model, build or task cannot be read, or a build was tokenized otherwise than a model.
    """
    results: dict[str, Any] = {}
    items: dict[str, dict[str, list[float]]] = {}
    written: dict[str, list[str]] = {}
    for judged in config.models:
        place = folder / judged.model
        tokens = tokenizer_of(place, [folder / build for build in config.shards.values()])
        model = load_model(place).to(Processes.join().device)
        results[judged.name], items[judged.name] = _measure(config, folder, model, tokens)
        if config.lm_eval:
            from train.lm_eval_tasks import measure

            results[judged.name]["lm_eval"], more = measure(place, config.lm_eval, folder)
            items[judged.name] |= more
        written[judged.name] = [generate(model, tokens, p, most=config.generate)[0] for p in config.prompts]
    first = config.models[0].name
    for judged in config.models[1:]:
        results[judged.name]["compared"] = {
            key: str(paired(items[first][key], values)) for key, values in items[judged.name].items()
        }
    write_json(out / "results.json", results)
    if config.prompts:
        write_text(out / "generations.html", _page(config.prompts, written))
    return results


def _measure(
    config: Evaluate, folder: Path, model: Module, tokens: Tokens
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """The numbers of one model, and its items for comparisons: right choices, and documents' bits per byte negated."""
    found: dict[str, Any] = {kind: {} for kind in KINDS}
    items: dict[str, list[float]] = {}
    for name, build in config.shards.items():
        held = documents(Shards(folder / build, split="validation"), config.documents)
        for source, bits in bits_per_byte(model, held, tokens, length=config.length).items():
            key = name if source == name else f"{name}/{source}"
            found["bits_per_byte"][key] = told(bits.per_byte, bits.error, len(bits.bits))
            items[key] = [-b / max(1, n) for b, n in zip(bits.bits, bits.bytes, strict=True)]
    for task in config.tasks:
        versions: list[list[float]] = []
        for version, examples in read_task(folder / task.file, task.prompts).items():
            key, answered = f"{task.name}/{version}", answer(model, examples, tokens, length=config.length)
            found["accuracy"][key] = _accuracy(examples, answered)
            if any(example.answer < 0 for example in examples):
                found["adjusted_f1"][key] = _f1(examples, answered.choices)
            versions.append(answered.right.items)
        items[task.name] = [sum(row) / len(row) for row in zip(*versions, strict=True)]
        found["accuracy"][task.name] = Score(items[task.name]).told()
    return found, items


def _accuracy(examples: list[Example], answered: Answered) -> dict[str, Any]:
    """Of one prompt version; of numeric and other items apart."""
    parts: dict[bool, list[float]] = {True: [], False: []}
    for example, right in zip(examples, answered.right.items, strict=True):
        parts[is_numeric(example)].append(right)
    return {
        **answered.right.told(), "normalized": answered.right_norm.mean,
        "numeric": Score(parts[True]).told(), "other": Score(parts[False]).told(),
    }  # fmt: skip


def _f1(examples: list[Example], choices: list[int]) -> dict[str, Any]:
    """Of a task with items of a class that is never offered, as chabsa's neutral ones."""
    offered = [[option.strip() for option in example.options] for example in examples]
    gold = ["neutral" if e.answer < 0 else o[e.answer] for e, o in zip(examples, offered, strict=True)]
    predicted = [o[choice] for o, choice in zip(offered, choices, strict=True)]
    mean, error = (number(gold, predicted, classes=POLARITIES) for number in (adjusted_f1, bootstrap_error))
    return told(mean, error, len(gold))


def table(results: dict[str, Any]) -> str:
    """Lines for a terminal: one per number and model."""
    lines = []
    for name, found in results.items():
        for kind in KINDS:
            for key, one in found[kind].items():
                error = "" if one["error"] is None else f" ± {one['error']:.3f}"
                lines.append(f"{name:<24}{kind:<15}{key:<32}{one['mean']:.3f}{error} (n={one['n']})")
        lines += [f"{name:<24}{'over the first':<15}{key:<32}{how}" for key, how in found.get("compared", {}).items()]
    return "\n".join(lines)


def _page(prompts: list[str], written: dict[str, list[str]]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in written)
    rows = []
    for number, prompt in enumerate(prompts):
        cells = "".join(f"<td>{html.escape(texts[number])}</td>" for texts in written.values())
        rows.append(f"<tr><th>{html.escape(prompt)}</th>{cells}</tr>")
    style = "td,th{border:1px solid #ccc;padding:.5em;vertical-align:top;white-space:pre-wrap;text-align:left}"
    return (
        f'<!doctype html><html lang="ja"><meta charset="utf-8"><title>Generations</title><style>{style}</style>'
        f"<table><tr><th>prompt</th>{head}</tr>{''.join(rows)}</table></html>\n"
    )
