"""Corpus Foundry: the corpus builder that can explain every document.

    import corpus

    built = corpus.build("recipe.yaml", "builds/mine")
    shards = corpus.Shards("builds/mine/shards/train")

Everything here is loaded when it is first used, so that `import corpus` and `corpus --help` stay light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpus.opened import OpenedBuild as OpenedBuild
    from corpus.opened import build as build
    from corpus.opened import open_build as open_build
    from registry.names import rule as register
    from registry.recipe import Recipe as Recipe
    from registry.shards import Shards as Shards

_PUBLIC = {
    "OpenedBuild": "corpus.opened:OpenedBuild",
    "Recipe": "registry.recipe:Recipe",
    "Shards": "registry.shards:Shards",
    "build": "corpus.opened:build",
    "open_build": "corpus.opened:open_build",
    "register": "registry.names:rule",
}
__all__ = ["OpenedBuild", "Recipe", "Shards", "build", "open_build", "register"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'corpus' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
