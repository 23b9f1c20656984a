"""A recipe and its domain, checked against what is registered, before anything is run.

In: a recipe file and changes from the command line. Out: a `Plan`: the recipe, its folder, and every name in it
resolved (extractors' options, profiles, rules, blocks, tokenizer). Workers make the same plan from the same file, so
that a task carries a path and not a program. `corpus check` is this and nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pipelines.extract  # noqa: F401 - promises the extractors
from registry.domain import load_rules
from registry.errors import RecipeError, UsageError, nearest
from registry.names import extractor
from registry.recipe import Recipe, Source, load_recipe
from registry.storage import is_url

if TYPE_CHECKING:
    from pipelines.blocks.filters import Block
    from pipelines.decontaminate import Decontaminator
    from pipelines.dedup.minhash import Signer
    from pipelines.items import Item
    from pipelines.quality.profiles import Profile
    from pipelines.refine import Refiner

RECORDS = ("jsonl", "parquet")  # formats whose options are keys that a source names


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe whose names all mean something."""

    path: Path
    recipe: Recipe
    profiles: Mapping[str, Profile]

    @property
    def folder(self) -> Path:
        """Where relative paths of the recipe begin."""
        return self.path.parent

    def place(self, name: str) -> Path:
        """The path that the recipe means by `name`."""
        return self.folder / Path(name).expanduser()

    def options(self, format: str, source: Source) -> dict[str, Any]:  # noqa: A002
        """The options of the extractor of `format` for inputs of `source`."""
        options = dict(self.recipe.extract.formats.get(format, {}))
        if format in RECORDS:
            options.update(text=source.text, title=source.title, date=source.date, id=source.id)
        return options

    def refiner(self) -> Refiner:
        """What refines documents by this recipe; built once per worker."""
        from pipelines.refine import Refiner

        refine = self.recipe.refine
        return Refiner(
            profiles=self.profiles,
            normalize=refine.normalize,
            privacy=refine.privacy,
            officers=refine.officers,
            salt=self.salt_file.read_bytes() if self.salt_file else b"",
            signer=self._signer(),
            user_dictionary=self.user_dictionary,
            blocks=self.blocks(),
            decontaminator=self._decontaminator(),
            remove=self.recipe.decontaminate.remove,
        )

    @property
    def user_dictionary(self) -> Path | None:
        """The recipe's MeCab user dictionary, if it names one."""
        name = self.recipe.refine.user_dictionary
        return self.place(name) if name else None

    @property
    def salt_file(self) -> Path | None:
        """The file that holds the secret for digests of masked values, if the recipe names one."""
        name = self.recipe.refine.salt
        return self.place(name) if name else None

    def blocks(self) -> list[Block]:
        """The datatrove blocks that the recipe names."""
        named = [item for block in self.recipe.refine.blocks for item in block.items()]
        if not named:
            return []
        from pipelines.blocks.filters import load_block  # datatrove takes half a second to import

        return [load_block(path, options or {}) for path, options in named]

    def items(self) -> list[Item]:
        """The benchmark items that must not be in the corpus.

        Raises:
            UsageError: a file of them cannot be read.
        """
        from pipelines.items import read_items

        against = self.recipe.decontaminate.against
        return [item for file in against for item in read_items(self.folder / file.path, file.exempt)]

    def _decontaminator(self) -> Decontaminator | None:
        if not self.recipe.decontaminate.against:
            return None
        from pipelines.decontaminate import Decontaminator

        return Decontaminator(self.items(), share=self.recipe.decontaminate.share)

    def _signer(self) -> Signer:
        from pipelines.dedup.minhash import Signer

        near = self.recipe.dedup.near
        if near == "off":
            return Signer()
        return Signer(shingle=near.shingle, n=near.n, numbers=near.numbers, permutations=near.bands * near.rows)


def plan(path: Path, changes: tuple[str, ...] = ()) -> Plan:
    """Read and check the recipe at `path`.

    Raises:
        RecipeError: the message names file and key.
    """
    made = _read(path, changes)
    _check_earlier(made)
    _check_sources(made)
    _check_tokenizer(made)
    _check_refine(made)
    return made


@cache
def plan_once(path: str, changes: tuple[str, ...]) -> Plan:
    """The plan of this process: made when a worker meets its first task.

    That there are sources, a tokenizer, earlier builds and benchmarks, the driver has seen; it takes 0.4 s.
    """
    return _read(Path(path), changes)


def _read(path: Path, changes: tuple[str, ...]) -> Plan:
    recipe = load_recipe(path, changes)
    load_rules(path.parent)
    _check_extractors(path, recipe)
    return Plan(path, recipe, _load_profiles(path, recipe))


def _check_refine(made: Plan) -> None:
    """What only the refine stage would find out. Its signer is left out: loading its kernels takes half a second."""
    from pipelines.normalize import check_normalize
    from pipelines.words import Analyzer

    try:
        check_normalize(made.recipe.refine.normalize)
        _check_salt(made.salt_file)
        if made.user_dictionary:
            Analyzer(made.user_dictionary)
        made.blocks()
        made.items()
    except UsageError as error:
        raise RecipeError(f"{made.path}: {error}") from error


def _check_salt(file: Path | None) -> None:
    from pipelines.privacy import SALT_BYTES

    if file is not None and (not file.is_file() or file.stat().st_size < SALT_BYTES):
        raise UsageError(
            f"refine.salt: {file} must be a file of {SALT_BYTES} secret bytes or more, such as: "
            f"head -c 32 /dev/urandom > {file.name}"
        )


def _check_extractors(path: Path, recipe: Recipe) -> None:
    for name, options in recipe.extract.formats.items():
        if name not in extractor:
            raise RecipeError(f"{path}: extract: there is no format {name!r}; {nearest(name, extractor)}")
        if not isinstance(options, dict):
            raise RecipeError(f"{path}: extract.{name}: options are a mapping, got {options!r}")
        try:
            extractor.check(name, options)
        except UsageError as error:
            raise RecipeError(f"{path}: extract.{name}: {error}") from error


def _check_sources(made: Plan) -> None:
    from pipelines.inventory import matches

    for source in made.recipe.sources:
        if next(iter(matches(made.folder, source)), None) is None:
            place = source.path if is_url(source.path) else normpath(made.place(source.path))  # not recipe/../files
            raise RecipeError(f"{made.path}: sources.{source.name}.path: there is no file at {place}")


def _check_tokenizer(made: Plan) -> None:
    from pipelines.tokenize import load_once

    options = made.recipe.tokenize
    try:
        load_once(made.place(options.tokenizer)).encode([""], bos=options.bos, eos=options.eos)
    except UsageError as error:
        raise RecipeError(f"{made.path}: tokenize: {error}") from error


def _check_earlier(made: Plan) -> None:
    if made.recipe.dedup.against:
        from pipelines.dedup.against import earlier_builds

        earlier_builds(made.path, made.recipe)


def _load_profiles(path: Path, recipe: Recipe) -> dict[str, Profile]:
    from pipelines.quality.profiles import load_profile

    kinds = {source.kind for source in recipe.sources}
    stray = sorted(set(recipe.refine.profiles) - kinds)
    if stray:
        raise RecipeError(f"{path}: refine.profiles: no source is of kind {stray[0]!r}; {nearest(stray[0], kinds)}")
    try:
        return {
            kind: load_profile(kind, [path.parent / "profiles"], recipe.refine.profiles.get(kind, {}))
            for kind in sorted(kinds)
        }
    except UsageError as error:
        raise RecipeError(f"{path}: {error}") from error
