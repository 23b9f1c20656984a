"""Earlier builds that a new one is compared with: their stored indexes, and what they found among themselves.

In: the build folders that `dedup.against` names. Out: for each its index files and what it was made of. Its documents
come before all new ones in the order of preference; among themselves they are not compared again, and what the earlier
build decided stands. So the new documents have the fates that one build of all, the earlier sources first, gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipelines.dedup.index import read_index
from pipelines.dedup.near import UNKNOWN
from pipelines.dedup.survivors import halves
from registry.errors import RecipeError
from registry.layout import Layout
from registry.ledger import rows
from registry.manifest import read_manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipelines.dedup.shelf import Shelf
    from registry.recipe import Recipe

_COMPARABLE = ("shingle", "n", "numbers", "bands", "rows")  # what makes two sketches comparable


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier build."""

    folder: Path
    fingerprint: str
    indexes: list[Path]
    documents: int


class Known(NamedTuple):
    """What earlier builds decided."""

    links: NDArray[np.int64]  # [m, 3] survivors, their duplicates, and UNKNOWN
    contained: NDArray[np.int64]  # [k, 2] containers and what stands in them
    outside: dict[int, str]  # documents whose survivor is in none of these builds, and its id


def earlier_builds(path: Path, recipe: Recipe) -> list[Earlier]:
    """The builds that the recipe at `path` names.

    Raises:
        RecipeError: one is no build, or its sketches cannot be compared with ours.
    """
    return [_earlier(path, recipe, name) for name in recipe.dedup.against]


def _earlier(path: Path, recipe: Recipe, name: str) -> Earlier:
    layout = Layout(path.parent / name)
    manifest = read_manifest(layout.manifest)
    if manifest is None:
        raise RecipeError(f"{path}: dedup.against: there is no finished build at {layout.root}")
    theirs, ours = manifest.recipe["dedup"]["near"], recipe.dedup.near
    if ours == "off" or theirs == "off":
        if ours != theirs:
            raise RecipeError(f"{path}: dedup.against: near is off here or in {name}, and on in the other")
    else:
        for key in _COMPARABLE:
            if theirs[key] != getattr(ours, key):
                raise RecipeError(
                    f"{path}: dedup.against: {name} was built with dedup.near.{key}: {theirs[key]}, "
                    f"this recipe says {getattr(ours, key)}; their signatures cannot be compared"
                )
    indexes = sorted(layout.root / file for file in manifest.files if file.startswith("signatures/"))
    documents = sum(len(read_index(index)["merit"]) for index in indexes)
    return Earlier(layout.root, manifest.fingerprint, indexes, documents)


def known(shelf: Shelf, folders: list[Path]) -> Known:
    """What the builds in `folders` found among their documents, by ordinal."""
    links, contained = [], []
    for folder in folders:
        for row in rows(Layout(folder).ledger, fate="duplicate"):
            if row["rule"] != "contained":
                links.append((row["duplicate_of"], row["id"]))
            elif row["linked_to"] == row["duplicate_of"]:
                contained.append((row["duplicate_of"], row["id"]))
            else:  # a near-duplicate of what stands in the container
                links.append((row["linked_to"], row["id"]))
    near, far = _pairs(shelf, links)
    inside, beyond = _pairs(shelf, contained)
    return Known(np.column_stack((near, np.full(len(near), UNKNOWN))), inside, far | beyond)


def _pairs(shelf: Shelf, pairs: list[tuple[str, str]]) -> tuple[NDArray[np.int64], dict[int, str]]:
    """The ordinals [m, 2] of pairs on the shelf, and by the second's ordinal the first where that is not there."""
    places = _ordinals(shelf, [name for pair in pairs for name in pair]).reshape(-1, 2)
    outside = {int(b): pair[0] for (a, b), pair in zip(places, pairs, strict=True) if a < 0 <= b}
    return places[(places >= 0).all(axis=1)], outside


def _ordinals(shelf: Shelf, ids: list[str]) -> Any:
    """The ordinal of each id, -1 where it is not on the shelf."""
    high, low = (half.tolist() for half in halves(bytes.fromhex("".join(ids))))
    wanted: dict[tuple[int, int], list[int]] = {}
    for place, name in enumerate(zip(high, low, strict=True)):
        wanted.setdefault(name, []).append(place)
    found = np.full(len(ids), -1, dtype=np.int64)
    for base, index in reversed(list(zip(shelf.bases.tolist(), shelf.indexes, strict=False))):
        for row in np.flatnonzero(np.isin(index["id_high"], np.array(high, dtype=np.uint64))).tolist():
            found[wanted.get((int(index["id_high"][row]), int(index["id_low"][row])), [])] = row + base
    return found
