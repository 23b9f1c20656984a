"""A new domain: a folder that is complete, so that it can be moved, versioned and built anywhere.

In: a name and where the files are. Out: the paths that were made. The templates lie in corpus/templates/; the
tokenizer and what says how models are made are those of the domain that comes with the package. The tokenizer can be
replaced by any folder with a tokenizer.json.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from string import Template

from registry.domain import SHIPPED

_TEMPLATES = Path(__file__).parent / "templates"
_MODEL = SHIPPED / "ja_finance"


def scaffold(folder: Path, *, files: Path | None, kind: str, licence: str) -> list[Path]:
    """Make the domain `folder` for `files`, or for its own files/ where there are none yet.

    Raises:
        UnknownNameError: no profile judges texts of that kind.
    """
    from pipelines.quality.profiles import load_profile

    load_profile(kind, [], {})
    words = {"name": folder.name, "kind": kind, "licence": licence, "folder": str(folder)}
    words["path"] = "files" if files is None else os.path.relpath(files, folder)
    for name in ("profiles", "words", *([] if files else ["files"])):
        (folder / name).mkdir(parents=True)
    made = [
        _fill(folder / name.removesuffix(".txt"), name, words) for name in ("recipe.yaml", "rules.py.txt", "README.md")
    ]
    for name in ("train.yaml", "merge.yaml"):
        made.append(folder / name)
        made[-1].write_text(
            (_MODEL / name).read_text(encoding="utf-8").replace(_MODEL.name, folder.name), encoding="utf-8"
        )
    terms = folder / "words" / "terms.txt"
    terms.touch()
    shutil.copytree(_MODEL / "tokenizer", folder / "tokenizer")
    return [*made, terms, folder / "tokenizer", folder / "profiles"]


def _fill(path: Path, template: str, words: dict[str, str]) -> Path:
    path.write_text(Template((_TEMPLATES / template).read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    return path
