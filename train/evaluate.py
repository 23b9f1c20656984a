"""`corpus evaluate`: models -> results.json, a table, and what they write, side by side.

Bits per byte by source; accuracy by task and prompt version, numeric and other items apart; the mean over all versions,
never the best one; every model after the first is compared to it by a paired bootstrap over the same items.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Template

from registry.publish import write_json, write_text
from registry.shards import Shards
from train.answers import Answered, adjusted_f1, answer, bootstrap_error, generate
from train.bits import bits_per_byte, documents
from train.config import Evaluate
from train.examples import Example
from train.harness import POLARITIES, is_numeric, read_task
from train.model import load_model
from train.processes import Processes
from train.score import Score, paired, told
from train.tokens import Tokens, tokenizer_of

KINDS = ("bits_per_byte", "accuracy", "adjusted_f1", "lm_eval")
Items = dict[str, Score]  # of which comparisons are made: right choices, and bits per byte negated


def evaluate(config: Evaluate, folder: Path, out: Path) -> dict[str, Any]:
    """Measure as `config` says, whose paths are from `folder`; results by model.

    Raises:
        UsageError: a model, build or task cannot be read, or a build was tokenized otherwise than a model.
    """
    results: dict[str, Any] = {}
    items: dict[str, Items] = {}
    written: list[list[str]] = [config.prompts]
    for name, place in ((judged.name, folder / judged.model) for judged in config.models):
        tokens = tokenizer_of(place, [folder / build for build in config.shards.values()])
        model = load_model(place).to(Processes.join().device)
        results[name], items[name] = {kind: {} for kind in KINDS}, {}
        _predict(config, folder, model, tokens, results[name], items[name])
        _choose(config, folder, model, tokens, results[name], items[name])
        if config.lm_eval:
            from train.lm_eval_tasks import measure

            results[name]["lm_eval"], more = measure(place, config.lm_eval, folder)
            items[name] |= more
        written.append([generate(model, tokens, prompt, most=config.generate)[0] for prompt in config.prompts])
    first, *others = results
    for name in others:
        results[name]["compared"] = {key: str(paired(items[first][key], own)) for key, own in items[name].items()}
    write_json(out / "results.json", results)
    if config.prompts:
        page = Template((Path(__file__).parent / "generations.html").read_text(encoding="utf-8"), autoescape=True)
        write_text(out / "generations.html", page.render(names=results, rows=list(zip(*written, strict=True))))
    return results


def _predict(config: Evaluate, folder: Path, model: Any, tokens: Tokens, found: dict[str, Any], items: Items) -> None:
    """Bits per byte of the builds' validation splits."""
    for name, build in config.shards.items():
        held = documents(Shards(folder / build, split="validation"), config.documents)
        for source, bits in bits_per_byte(model, held, tokens, length=config.length).items():
            key = name if source == name else f"{name}/{source}"
            found["bits_per_byte"][key] = bits.told()
            items[key] = Score([-b for b in bits.items], bits.sizes)


def _choose(config: Evaluate, folder: Path, model: Any, tokens: Tokens, found: dict[str, Any], items: Items) -> None:
    """Multiple choice, of every prompt version and their mean."""
    for task in config.tasks:
        versions: list[Sequence[float]] = []
        for version, examples in read_task(folder / task.file, task.prompts).items():
            key, answered = f"{task.name}/{version}", answer(model, examples, tokens, length=config.length)
            found["accuracy"][key] = _accuracy(examples, answered)
            if any(example.answer < 0 for example in examples):
                found["adjusted_f1"][key] = _f1(examples, answered.choices)
            versions.append(answered.right.items)
        items[task.name] = Score([sum(row) / len(row) for row in zip(*versions, strict=True)])
        found["accuracy"][task.name] = items[task.name].told()


def _accuracy(examples: list[Example], answered: Answered) -> dict[str, Any]:
    """Of one prompt version; of numeric and other items apart."""
    parts: dict[str, list[float]] = {"numeric": [], "other": []}
    for example, right in zip(examples, answered.right.items, strict=True):
        parts["numeric" if is_numeric(example) else "other"].append(right)
    apart = {name: Score(part).told() for name, part in parts.items()}
    return {**answered.right.told(), "normalized": answered.right_norm.mean, **apart}


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
                lines.append(f"{name:<24}{kind:<15}{key:<32}{_figure(one['mean'])}{error} (n={one['n']})")
        lines += [f"{name:<24}{'over the first':<15}{key:<32}{how}" for key, how in found.get("compared", {}).items()]
    return "\n".join(lines)


def _figure(mean: float | None) -> str:
    if mean is None:
        return "none"
    return f"{mean:.3f}" if abs(mean) < 1e5 else f"{mean:.3e}"
