"""`corpus check`: a recipe and everything that it names, without building."""

from __future__ import annotations

import click


@click.command("check")
@click.argument("recipe", metavar="RECIPE|DOMAIN")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe; may be repeated."
)
def command(recipe: str, changes: tuple[str, ...]) -> None:
    """Check a recipe and everything that it names, without building.

    Sources, extractor options, profiles, rules, blocks and the tokenizer are looked up; the first thing that is wrong
    is told with file, key and the nearest valid word.
    """
    from pipelines.preflight import plan
    from registry.domain import find_recipe

    made = plan(find_recipe(recipe), changes)
    click.echo(f"{made.path}: {made.recipe.name} is well-formed")
    for source in made.recipe.sources:
        rules = made.profiles[source.kind].limits
        click.echo(f"  {source.name}: {source.path}, judged as {source.kind} by {len(rules)} rules")
