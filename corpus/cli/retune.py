"""`corpus retune`: what other thresholds would change in a build, on standard output, in seconds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipelines.retune import Change

_MOST = 10


@click.command("retune")
@click.argument("build")
@click.argument("recipe", metavar="RECIPE|DOMAIN")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="A threshold; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per document whose verdict changes.")
def command(build: str, recipe: str, changes: tuple[str, ...], as_json: bool) -> None:
    """Tell what other thresholds would change in a build, from its measurements.

    BUILD is the build folder, RECIPE what it was built from, such as: corpus retune builds/ja_finance ja_finance --set
    refine.profiles.filing.misread.at_most=2. Nothing is extracted or measured again, and nothing is written;
    `corpus build` with the same --set makes the corpus so.
    """
    from corpus.opened import open_build
    from pipelines.preflight import plan
    from pipelines.retune import check_changes, retune
    from registry.domain import find_recipe

    path = find_recipe(recipe)
    measured, changed = plan(path), plan(path, changes)
    check_changes(changes, measured, changed)
    found = list(retune(open_build(build).ledger(), changed.profiles))
    if as_json:
        for change in found:
            click.echo(json.dumps(asdict(change), ensure_ascii=False))
    else:
        _show(found)


def _show(found: list[Change]) -> None:
    lost = Counter((change.kind, change.after) for change in found if change.after)
    back = Counter((change.kind, change.before) for change in found if change.before)
    click.echo(f"{sum(lost.values()):,} documents more would be rejected, {sum(back.values()):,} would be kept")
    for sign, counts in (("rejected by", lost), ("no longer rejected by", back)):
        for (kind, rule), count in counts.most_common():
            click.echo(f"  {kind}: {count:,} {sign} {rule}")
    for change in found[:_MOST]:
        side = f"{change.after or change.before} is {change.value:.4g}, threshold {change.threshold:.4g}"
        click.echo(f"  {change.id} {change.uri}: {side}")
    if len(found) > _MOST:
        click.echo(f"  and {len(found) - _MOST:,} more; --json lists them all")
