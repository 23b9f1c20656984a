"""Exam questions in the layout of japanese-lm-fin-harness (data.json), read from a user's checkout, as examples.

Each question comes once per prompt version, and results are told for every version: the best of nine prompts is a
biased number. The questions are the publishers'; they are read where the user has them, and never copied.

https://github.com/pfnet-research/japanese-lm-fin-harness
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from registry.errors import UsageError, nearest
from train.examples import Example, read_examples

VERSIONS: dict[str, dict[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "prompts.yaml").read_text(encoding="utf-8")
)
_FIGURE = re.compile(r"[0-9０-９]")


def read_task(path: Path, versions: list[str]) -> dict[str, list[Example]]:
    """The examples of a task by prompt version; a JSONL file has one version, its own.

    Raises:
        UsageError: the file is of neither layout, or there is no such version.
    """
    if path.suffix == ".jsonl":
        return {"own": read_examples(path)}
    for version in versions:
        if version not in VERSIONS:
            raise UsageError(f"there is no prompt version {version!r}; {nearest(version, VERSIONS)}")
    try:
        questions = json.loads(path.read_text(encoding="utf-8"))["data"]
        return {v: [_example(question, v) for question in questions] for v in versions or VERSIONS}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no data.json of japanese-lm-fin-harness: {error}") from None


def _example(question: dict[str, Any], version: str) -> Example:
    from jinja2.sandbox import SandboxedEnvironment

    told = VERSIONS[version]
    choices = [choice["text"] for choice in question["choices"]]
    context = f"\n{question['context']}" if question.get("context") else ""
    environment = SandboxedEnvironment(keep_trailing_newline=True, autoescape=False)
    prompt = environment.from_string(told["text"]).render(q=question["question"] + context, choices=choices)
    numbers = [choice["id"] for choice in question["choices"]]
    options = {
        "letters": [chr(65 + i) for i in range(len(choices))],
        "texts": choices,
        "numbers": list(map(str, numbers)),
    }
    return Example(prompt, tuple(options[told["options"]]), numbers.index(question["answer"]))


def is_numeric(example: Example) -> bool:
    """Whether every option holds a figure, or the prompt lists such ones: NumLLM's split, by our own rule."""
    return all(_FIGURE.search(option) for option in example.options)
