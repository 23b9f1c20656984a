"""Recipes: a good one loads, a bad one gives one message with file, key and the nearest valid word."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import RecipeError
from registry.recipe import load_recipe

GOOD = """
name: mine
sources:
  - {name: files, path: files, kind: filing, licence: CC-BY-4.0}
  - {name: terms, path: terms.jsonl, kind: record, licence: CC-BY-4.0, text: body, priority: 3}
extract: {pdf: {ruby: keep}}
tokenize: {tokenizer: tokenizer}
"""


def load(folder: Path, text: str, *changes: str) -> object:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path, changes)


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    recipe = load(tmp_path, GOOD)
    assert [source.name for source in recipe.sources] == ["files", "terms"]
    assert recipe.extract.formats == {"pdf": {"ruby": "keep"}}
    assert recipe.extract.limits.bytes == 4 << 30
    assert (recipe.dedup.near.threshold, recipe.refine.privacy, recipe.tokenize.eos) == (0.8, "mask", True)


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff" + GOOD.strip()).name == "mine"


def test_off_switches_near_duplicates_off(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD + "dedup: {near: off}\n").dedup.near == "off"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "dedupe: {}\n", r"unknown key 'dedupe'; did you mean dedup\?"),
        (GOOD + "dedup: {near: {treshold: 0.7}}\n", r"unknown key 'dedup.near.treshold'; did you mean threshold\?"),
        (
            GOOD + "dedup: {near: {threshold: high}}\n",
            r"dedup.near.threshold: input should be a valid number, got 'high'",
        ),
        (GOOD + "refine: {privacy: hide}\n", r"refine.privacy: input should be 'mask', 'count' or 'off', got 'hide'"),
        (GOOD + "refine: {blocks: [{a.B: {}, c.D: {}}]}\n", r"refine.blocks: each block is one class path"),
        (GOOD.replace("{pdf: {ruby: keep}}", "{limits: {memory: lots}}"), r"extract.limits.memory: .*got 'lots'"),
        (
            GOOD.replace("licence: CC-BY-4.0}", "license: CC-BY-4.0}"),
            r"'sources\[0\].licence' is missing.*did you mean licence\?",
        ),
        (GOOD.replace("terms,", "files,"), r"sources: two sources have the name 'files'"),
        (GOOD.replace("name: mine", "name: ../mine"), r"name: string should match pattern"),
        (GOOD.replace("text: body", "text: no"), r"sources\[1\].text: YAML reads a bare yes, no, on or off"),
        (GOOD + "name: again\n", r"recipe.yaml:\d+: the key 'name' stands twice"),
        ("sources: [", r"recipe.yaml:1: expected the node content"),
        ("- a\n- b\n", r"a recipe is a mapping"),
        ("name: mine\nsources: []\n", r"sources: list should have at least 1 item"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_what_is_near(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        load(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "recipe.yaml"))
    assert "\n" not in str(error.value)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe(tmp_path / "nothing.yaml")
    (tmp_path / "bad.yaml").write_bytes(b"name: \x83\x66")
    with pytest.raises(RecipeError, match="not UTF-8"):
        load_recipe(tmp_path / "bad.yaml")


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="could not determine a constructor"):
        load(tmp_path, "name: !!python/object/apply:os.system ['true']\n")


def test_changes_from_the_command_line(tmp_path: Path) -> None:
    recipe = load(tmp_path, GOOD, "dedup.near.threshold=0.7", "sources.terms.path=other.jsonl", "sources.0.priority=5")
    assert recipe.dedup.near.threshold == 0.7
    assert [(source.path, source.priority) for source in recipe.sources] == [("files", 5), ("other.jsonl", 3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("dedup.near.threshold", "write KEY=VALUE"),
        ("sources.trems.path=x", r"there is no 'trems'; did you mean terms\?"),
        ("dedup.near.treshold=0.7", r"unknown key 'dedup.near.treshold'"),
        ("name.first=x", "unknown key|valid string"),
    ],
)
def test_a_wrong_change_is_told(tmp_path: Path, change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load(tmp_path, GOOD, change)
