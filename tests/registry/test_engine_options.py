"""Options of the engine: an engine.yaml goes before the recipe, the command line before both, and shell is not for recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import RecipeError
from registry.recipe import Recipe, load_engine, load_recipe

RECIPE = """
name: small
sources: [{name: a, path: a, kind: news, licence: CC0-1.0}]
tokenize: {tokenizer: t}
engine: {retries: 1, slurm: {partition: long, cpus: 2}}
"""


def recipe(folder: Path, text: str = RECIPE, *changes: str) -> Recipe:
    (folder / "recipe.yaml").write_text(text)
    return load_recipe(folder / "recipe.yaml", changes)


def test_what_stands_nearer_to_the_machine_goes_first(tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text("timeout: 60\nslurm: {partition: main, setup: [module load python]}\n")
    changes = ("engine.slurm.cpus=8", "dedup.near.n=3")
    options = load_engine(tmp_path / "engine.yaml", recipe(tmp_path, RECIPE, *changes), changes)
    assert (options.retries, options.timeout) == (1, 60)
    assert (options.slurm.partition, options.slurm.cpus) == ("main", 8)
    assert options.slurm.setup == ["module load python"]


def test_an_engine_file_is_read_as_strictly_as_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text("slurm: {partitoin: main}\n")
    with pytest.raises(RecipeError, match=r"engine.yaml: unknown key 'slurm.partitoin'; did you mean partition\?"):
        load_engine(tmp_path / "engine.yaml", recipe(tmp_path))
    with pytest.raises(RecipeError, match=r"nowhere.yaml: No such file"):
        load_engine(tmp_path / "nowhere.yaml", recipe(tmp_path))


def test_a_recipe_brings_no_shell_commands(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"engine\.slurm.setup: shell commands stand in an engine\.yaml"):
        recipe(tmp_path, RECIPE, "engine.slurm.setup=[rm -r /]")


@pytest.mark.parametrize("word", ["main; reboot", "$(id)", "a b", "--wrap=id\n"])
def test_what_becomes_an_argument_is_a_word(tmp_path: Path, word: str) -> None:
    with pytest.raises(RecipeError, match="partition"):
        recipe(tmp_path, RECIPE.replace("long", f'"{word}"'))


def test_where_and_how_often_tasks_run_makes_no_other_corpus(tmp_path: Path) -> None:
    here, there = recipe(tmp_path), recipe(tmp_path, RECIPE, "engine.retries=5", "engine.ray.address=10.0.0.1:6379")
    assert here != there
    assert here.made_of() == there.made_of()
