"""What the README says works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commandline import ROOT, corpus

from corpus.cli import COMMANDS
from registry.recipe import load_recipe

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[0]


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_its_recipe_is_well_formed(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(block("yaml"), encoding="utf-8")
    recipe = load_recipe(path)
    assert [source.name for source in recipe.sources] == ["filings", "news", "glossary"]


def test_every_command_it_names_is_one() -> None:
    named = set(re.findall(r"(?:\$ |`)corpus ([a-z]+)", README))
    assert {"build", "explain", "new", "extract"} <= named <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_that_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_file_of_the_tree_in_architecture_is_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("## The flow of data")[0]
    floor = ""
    for line in text.splitlines():
        if found := re.match(r"    ([a-z]+)/ ", line):
            floor = found.group(1)
        elif floor and (found := re.match(r"      ((?:[a-z_]+(?:\.py|/) ?)+)", line)):
            for name in found.group(1).split():
                assert (ROOT / floor / name).exists(), name


def test_the_output_it_shows_is_what_the_demo_prints(tmp_path: Path) -> None:
    done = corpus("build", "ja_finance", cwd=tmp_path, CORPUS_HOME=str(tmp_path / "home"))
    assert done.returncode == 3
    table = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    shown = [line.strip() for line in README.splitlines()]
    missing = [line for line in table if line not in shown]
    assert not missing, "put the new output into the README"
