"""A configuration file: YAML, read strictly into a pydantic model, with one message that names what is wrong.

In: a file, the model that it has to fit, and the `--set key=value` of the command line. Out: the model, or one
`RecipeError` that names file, key and the nearest valid word. Recipes are read so, and what train and merge are told.
"""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from registry.errors import RecipeError, nearest

S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A part of a configuration: no unknown keys, no values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def load(path: Path, model: type[S], changes: tuple[str, ...] = ()) -> S:
    """Read a YAML file as `model`, whatever sections it has; see `load_recipe`."""
    try:
        tree = yaml.load(path.read_text(encoding="utf-8-sig"), _StrictLoader)  # noqa: S506 - a SafeLoader of ours
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise RecipeError(f"{path}{line}: {getattr(error, 'problem', None) or 'not YAML'}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{path}: a {model.__name__.lower()} is a mapping of keys to values")
    for change in changes:
        _apply(tree, change)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        told = [_explain(e, model) for e in _telling(error.errors())[:5]]
        raise RecipeError(f"{path}: " + "; ".join(told)) from None


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error, not a silent loss."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _apply(tree: dict[str, Any], change: str) -> None:
    """Set one key; a step into a list is an index, or the name of the item."""
    key, equals, value = change.partition("=")
    if not equals:
        raise RecipeError(f"--set {change}: write KEY=VALUE, such as dedup.near.threshold=0.7")
    *steps, last = key.split(".")
    place: Any = tree
    for step in steps:
        place = _enter(place, step, change)
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise RecipeError(f"--set {change}: the value is not YAML") from None
    if isinstance(place, dict):
        place[last] = parsed
    else:
        raise RecipeError(f"--set {change}: {'.'.join(steps)} is not a mapping")


def _enter(place: Any, step: str, change: str) -> Any:
    if isinstance(place, dict):
        if not isinstance(place.get(step), (dict, list)):
            place[step] = {}
        return place[step]
    if isinstance(place, list):
        named = {item["name"]: item for item in place if isinstance(item, dict) and "name" in item}
        if step in named:
            return named[step]
        if step.isdigit() and int(step) < len(place):
            return place[int(step)]
        raise RecipeError(f"--set {change}: there is no {step!r}; {nearest(step, map(str, named))}")
    raise RecipeError(f"--set {change}: {step!r} leads nowhere")


def _telling(errors: list[Any]) -> list[Any]:
    """Without "should be 'off'" where a mapping was given: what is wrong in the mapping is told anyway."""
    return [e for e in errors if not (e["type"] == "literal_error" and isinstance(e["input"], dict))]


def _explain(error: Any, model: type[BaseModel]) -> str:
    """One pydantic error as `key: what is wrong; what is near`."""
    location = [step for step in error["loc"] if step not in {"Near", "literal['off']"}]
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {key!r}; {nearest(str(location[-1]), _keys_at(model, location[:-1]))}"
        case "missing":
            return f"{key!r} is missing"
        case "value_error":
            return f"{key}: {error['ctx']['error']}".removeprefix(": ")
        case "string_type" if isinstance(error["input"], bool):
            return f"{key}: YAML reads a bare yes, no, on or off as true or false; put it in quotes"
        case _:
            return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _keys_at(model: type[BaseModel], location: list[Any]) -> list[str]:
    """The valid keys of the section at `location`."""
    section = model
    for step in location:
        if isinstance(step, str):
            section = section_of(section.model_fields[step].annotation) or section
    return list(section.model_fields)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a key of this type holds, if it holds one: in a list, beside None or a word."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(section_of, typing.get_args(annotation))), None)
