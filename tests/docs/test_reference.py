"""Every command and every recipe key is documented, and the pages are what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from corpus.cli import COMMANDS, cli
from corpus.reference import commands, models, recipe
from registry.configuration import section_of
from registry.domain import SHIPPED, load_rules
from registry.names import extractor, rule
from registry.recipe import Recipe
from train.config import Evaluate, Train
from train.merge.config import Merge

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("page", "make"), [("commands.md", commands), ("recipe.md", recipe), ("models.md", models)])
def test_a_page_is_what_the_code_gives(page: str, make: object) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == make(), "run `make docs`"  # type: ignore[operator]


def test_every_command_is_documented_and_its_line_is_its_own() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for name, line in COMMANDS.items():
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert f"## corpus {name}" in page
        assert command.get_short_help_str(limit=200) == line
        assert all(option.help for option in command.params if isinstance(option, click.Option))


def _sections(section):
    inner = [section_of(field.annotation) for field in section.model_fields.values()]
    return {section}.union(*(_sections(each) for each in inner if each is not None))


@pytest.mark.parametrize(
    ("name", "whole"),
    [("recipe.md", Recipe), ("models.md", Train), ("models.md", Merge), ("models.md", Evaluate)],
)
def test_every_key_is_documented(name, whole) -> None:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    for section in _sections(whole):
        for key, field in section.model_fields.items():
            assert field.description, key
            assert re.search(rf"`([a-z_]+(\[\])?\.)*{key}`", page), key


def test_every_rule_and_extractor_option_is_documented() -> None:
    page = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
    load_rules(SHIPPED / "ja_finance")  # and not those of a domain that another test built
    for name in rule:
        assert f"| `{name}` | " in page
        assert (rule.get(name).__doc__ or "").strip(), name
    for name in extractor:
        for option in extractor.options(name):
            assert f"`{name}.{option}`" in page
