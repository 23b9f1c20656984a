"""The reference pages, written from the code: every command, recipe key, extractor option, rule and merge method.

`make docs` writes docs/commands.md, docs/recipe.md and docs/models.md; a test fails where they are not what this module
gives. So a key cannot be added, renamed or left without a description unnoticed.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import BaseModel

from registry.names import Registry, extractor, rule
from registry.recipe import Recipe

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def commands() -> str:
    """docs/commands.md: the help of every command."""
    from corpus.cli import COMMANDS, cli

    context = click.Context(cli, info_name="corpus", max_content_width=100)
    pages = [f"# Commands\n\n```\n{cli.get_help(context)}\n```"]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, max_content_width=100)
        pages.append(f"## corpus {name}\n\n```\n{command.get_help(inner)}\n```")
    return "\n\n".join(pages) + "\n"


def recipe() -> str:
    """docs/recipe.md: every key of a recipe, every option of an extractor, every rule."""
    import pipelines.extract
    import pipelines.quality  # noqa: F401 - registers the rules
    from registry.domain import SHIPPED, load_rules

    load_rules(SHIPPED / "ja_finance")
    lines = ["# The recipe", "", "Every key, its default and what it means. Keys without a default are required.", ""]
    lines += ["| key | default | meaning |", "|---|---|---|", *_keys(Recipe, "")]
    lines += ["", "## Options of extractors", "", "`extract: {FORMAT: {OPTION: VALUE}}`", ""]
    lines += ["| option | default | values |", "|---|---|---|", *_options(extractor)]
    lines += ["", "## Rules", "", "`refine: {profiles: {KIND: {RULE: {at_least: X, at_most: Y}}}}`;"]
    lines += ["`RULE: null` switches one off. All of them are measured for every document.", ""]
    lines += ["| rule | measures | options |", "|---|---|---|", *_named(rule)]
    return "\n".join(lines) + "\n"


def models() -> str:
    """docs/models.md: every key of a training, merge and evaluation, every schedule and merge method."""
    from train.config import Evaluate, Train
    from train.merge.config import Merge
    from train.merge.methods import method
    from train.schedule import schedule

    lines = ["# Training, merging, evaluating", "", "Every key, its default and what it means; any of them can be"]
    lines += [
        "changed by `--set KEY=VALUE`. Keys without a default are required. Paths are from the working directory.",
        "",
    ]
    for command, section in (("train", Train), ("merge", Merge), ("evaluate", Evaluate)):
        lines += [
            f"## corpus {command} CONFIG",
            "",
            "| key | default | meaning |",
            "|---|---|---|",
            *_keys(section, ""),
        ]
        lines += [""]
    for title, registry in (("Schedules", schedule), ("Merge methods", method)):
        lines += [f"## {title}", "", "| name | what it does | options |", "|---|---|---|", *_named(registry), ""]
    return "\n".join(lines)


def _keys(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        inner = _section(field)
        yield f"| `{key}` | {_default(field)} | {field.description} |"
        if inner is not None:
            many = "[]" if typing.get_origin(field.annotation) is list else ""
            yield from _keys(inner, f"{key}{many}.")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a key holds, if it holds one."""
    candidates = [field.annotation, *typing.get_args(field.annotation)]
    return next((c for c in candidates if inspect.isclass(c) and issubclass(c, BaseModel)), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.default
    return "see below" if isinstance(value, BaseModel) else f"`{_yaml(value)}`"


def _options(registry: Registry[Any]) -> Iterator[str]:
    for name in registry:
        for option in registry.options(name).values():
            annotation = option.annotation
            values = typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else None
            shown = ", ".join(f"`{value}`" for value in values) if values else f"`{_type(annotation)}`"
            yield f"| `{name}.{option.name}` | `{_yaml(option.default)}` | {shown} |"


def _named(registry: Registry[Any]) -> Iterator[str]:
    """Rows of registered functions: name, first paragraph, options."""
    for name in registry:
        summary = (inspect.getdoc(registry.get(name)) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        options = ", ".join(f"`{o.name}: {_yaml(o.default)}`" for o in registry.options(name).values())
        yield f"| `{name}` | {summary} | {options} |"


def _type(annotation: Any) -> str:
    return annotation.__name__ if inspect.isclass(annotation) else str(annotation)


def _yaml(value: Any) -> str:
    words = {"None": "null", "True": "true", "False": "false", "": "''"}
    return words.get(str(value), str(value))


def write(folder: Path) -> None:
    """Write the pages."""
    folder.mkdir(exist_ok=True)
    for name, text in {"commands.md": commands(), "recipe.md": recipe(), "models.md": models()}.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
