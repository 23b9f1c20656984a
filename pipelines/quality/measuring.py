"""Every rule on many documents: measurements by name, for each document.

In: `Texts`, and the profile of each, whose options rules take. A rule that was made by `texts.of_many` is called once
for all of them; any other, such as a domain's, for one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from registry.errors import InputError
from registry.names import rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.quality.profiles import Profile
    from pipelines.quality.texts import Column, Texts

Failed = dict[int, InputError]  # by the place of the document


def measure_all(docs: Texts, profiles: Sequence[Profile]) -> list[dict[str, float] | InputError]:
    """What every rule finds in each of `docs`; or which one failed there, as one document must not end a build."""
    failed: Failed = {}
    different = {id(profile): profile for profile in profiles}
    of = [list(different).index(id(profile)) for profile in profiles]
    names = list(rule)
    table = np.array([_column(name, docs, list(different.values()), of, failed) for name in names])
    for column, place in np.argwhere(~np.isfinite(table)).tolist():
        detail = f"{names[column]}: {table[column, place]} is no measurement"
        failed.setdefault(place, InputError("rule_failed", detail))
    rows = table.T.tolist()
    return [failed.get(place) or dict(zip(names, row, strict=True)) for place, row in enumerate(rows)]


def _column(name: str, docs: Texts, profiles: Sequence[Profile], of: list[int], failed: Failed) -> Column:
    """What a rule finds in each of `docs`, with the options that the profile at the place `of` it has for it."""
    measure, given = rule.get(name), [profile.options.get(name) for profile in profiles]
    if not hasattr(measure, "of_many"):
        return _one_by_one(name, docs, [given[at] or {} for at in of], failed)
    if all(options is given[0] for options in given):  # mostly, as most have none
        found: Column = measure.of_many(docs, **(given[0] or {}))
        return found
    columns: Column = np.array([measure.of_many(docs, **(options or {})) for options in given])
    return columns[of, np.arange(len(docs))]


def _one_by_one(name: str, docs: Texts, options: list[Mapping[str, Any]], failed: Failed) -> Column:
    """The same of a rule on one document; not a number where it fails, which `failed` then tells of."""
    measure, column = rule.get(name), np.full(len(docs), np.nan)
    for place, doc in enumerate(docs):
        try:
            column[place] = measure(doc, **options[place])
        except MemoryError:  # the worker's limit, no trait of the document
            raise
        except Exception as error:  # noqa: BLE001 - a rule of a domain may raise anything
            failed.setdefault(place, InputError("rule_failed", f"{name}: {type(error).__name__}"))
    return column
