"""The tasks of japanese-lm-fin-harness, read from a user's checkout, as examples in every prompt version.

`data.json` is an exam (cma_basics, fp2, security_sales_1), `CPA_AUDIT.xlsx` is cpa_audit, and a folder of
JSON files is chabsa. Results are told for every version: the best of nine prompts is a biased number. The questions
are the publishers'; they are read where the user has them, and never copied. Answers are scored as the harness does:
letters, texts or numbers by log-likelihood, without examples before the question.

https://github.com/pfnet-research/japanese-lm-fin-harness
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from jinja2.sandbox import SandboxedEnvironment

from registry.data import read_data
from registry.errors import UsageError, nearest
from train.examples import Example, read_examples

PROMPTS: dict[str, Any] = read_data(Path(__file__).parent / "prompts.yaml")
POLARITIES = ("positive", "neutral", "negative")  # neutral is never offered: a neutral item cannot be answered right
_STATEMENTS = "アイウエオカ"
_FIGURE = re.compile(r"[0-9０-９]")


def read_task(path: Path, versions: list[str]) -> dict[str, list[Example]]:
    """The examples of a task by prompt version; a JSONL file has one version, its own.

    Raises:
        UsageError: it is of none of the layouts, or there is no such version.
    """
    if path.suffix == ".jsonl":
        return {"own": read_examples(path)}
    prompts = PROMPTS["sentiment" if path.is_dir() else "questions"]
    for version in versions:
        if version not in prompts:
            raise UsageError(f"there is no prompt version {version!r}; {nearest(version, prompts)}")
    try:
        name, rows = _read(path)
        if not rows:
            raise ValueError("it holds no questions")  # noqa: TRY301 - told as all others below
        return {v: list(_examples(rows, name, prompts[v])) for v in versions or prompts}
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise UsageError(f"{path} is no task of japanese-lm-fin-harness: {error}") from None


def _read(path: Path) -> tuple[str, list[dict[str, Any]]]:
    """The name of a task and its rows."""
    if path.is_dir():
        return "chabsa", [row for file in sorted(path.glob("*.json")) for row in _opinions(file)]
    if path.suffix == ".xlsx":
        return "cpa_audit", list(_sheet(path))
    whole = json.loads(path.read_text(encoding="utf-8"))
    return whole.get("data-name", ""), whole["data"]


def _opinions(path: Path) -> Iterator[dict[str, Any]]:
    for row in json.loads(path.read_text(encoding="utf-8"))["sentences"]:
        for opinion in row["opinions"]:
            yield {"sentence": row["sentence"], "target": opinion["target"], "polarity": opinion["polarity"]}


def _sheet(path: Path) -> Iterator[dict[str, Any]]:
    """The questions of CPA_AUDIT.xlsx; as in the harness, without those that are marked as abnormal.

    Raises:
        UsageError: openpyxl is not there.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise UsageError(f"{path} needs openpyxl: pip install 'corpus-foundry[eval]'") from None
    try:
        head, *rows = load_workbook(path, read_only=True)["data"].iter_rows(values_only=True)
    except BadZipFile as error:
        raise ValueError(error) from None
    for values in rows:
        row = dict(zip(head, values, strict=False))  # empty cells at the end are not there
        if row.get("question") and row.get("abnormal_flg") != 1:
            context = "\n".join(f"{mark}: {row[mark]}" for mark in _STATEMENTS if row.get(mark))
            choices = [{"id": i, "text": str(row[i + 1])} for i in range(6)]  # in columns named 1 to 6
            yield {"question": row["question"], "context": context, "choices": choices, "answer": row["a_no"] - 1}


def _examples(rows: list[dict[str, Any]], name: str, told: dict[str, Any]) -> Iterator[Example]:
    """The rows of a task in one prompt version."""
    template = SandboxedEnvironment(keep_trailing_newline=True, autoescape=False).from_string(told["text"])
    ask = PROMPTS["ask"].get(name, PROMPTS["ask"]["exam"])
    for row in rows:
        if name == "chabsa":
            options, facts = told["options"], row
            right = _polarity(row["polarity"], options)
        else:
            texts, numbers = ([choice[key] for choice in row["choices"]] for key in ("text", "id"))
            every = {"texts": texts, "numbers": map(str, numbers), "letters": [chr(65 + i) for i in range(len(texts))]}
            options = every[ask["options"] if told["options"] == "own" else told["options"]]
            question = "\n".join(filter(None, (row["question"], row.get("context"))))
            facts = {"ask": ask, "q": question, "choices": texts, "numbers": numbers}
            right = numbers.index(row["answer"])
        yield Example(template.render(system=PROMPTS["system"], **facts), tuple(options), right)


def _polarity(told: str, options: list[str]) -> int:
    """The option that says so, or -1 where none does, as for neutral ones."""
    if told not in POLARITIES:
        raise ValueError(f"there is no polarity {told!r}")
    return next((i for i, option in enumerate(options) if option.strip() == told), -1)


def is_numeric(example: Example) -> bool:
    """Whether every option holds a figure: NumLLM's split, by our own rule."""
    return all(_FIGURE.search(option) for option in example.options)
