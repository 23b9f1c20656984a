"""The names `pipelines`, `train` and `registry` are common ones: make sure that they mean ours.

A folder with a train.py in it hides our trainer from `python -m corpus` and from any script that is run there. The
console script `corpus` is safe; everything else is told here what is in the way.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

SIBLINGS = ("pipelines", "train", "registry")


def check_siblings() -> None:
    """Exit with status 2 and a plain message where something else answers to one of our names."""
    home = Path(__file__).resolve().parent.parent
    for name in SIBLINGS:
        spec = find_spec(name)
        place = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if place != home / name / "__init__.py":
            sys.stderr.write(
                f"corpus: `{name}` is {place or 'not installed'}, which hides the package of that name in {home}.\n"
                "Run the `corpus` command instead of `python -m corpus`, or run it in another folder.\n"
            )
            sys.exit(2)
