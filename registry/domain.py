"""A domain is a folder: recipe.yaml, and what it needs beside it (rules.py, profiles/, words/, tokenizer/, sample/).

Its train.yaml, merge.yaml and evaluate.yaml say how models are made of it. In: what a user typed, a path or a name.
Out: the file. A domain's rules.py is code that the user wrote; it is loaded from its path under a private name, never
through `sys.path`, so that it cannot shadow anything.
"""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from registry.errors import RecipeError, UsageError, nearest
from registry.names import rule

SHIPPED = Path(__file__).parent / "domains"
RECIPE = "recipe.yaml"
_MODULE = "corpus_domain_rules"  # what a rules.py is called inside; two domains may be built in one process


def shipped() -> list[str]:
    """Names of the domains that come with the package."""
    return sorted(folder.parent.name for folder in SHIPPED.glob(f"*/{RECIPE}"))


def find_recipe(name: str) -> Path:
    """The recipe file that `name` means: a file, a folder that holds a recipe.yaml, or a shipped domain.

    Raises:
        UsageError: it is none of these.
    """
    return find_file(name, RECIPE, "recipe")


def find_file(name: str, wanted: str, kind: str = "configuration") -> Path:
    """The file that `name` means: itself, or the one called `wanted` of a domain; `kind` is what errors call it.

    Raises:
        UsageError: there is none.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    if (path / wanted).is_file():
        return path / wanted
    if path.is_dir():
        hint = f"; `corpus new NAME --files {name}` makes one for it" if wanted == RECIPE else ""
        raise UsageError(f"{name}: this folder holds no {wanted}{hint}")
    if name in shipped() and (SHIPPED / name / wanted).is_file():
        return SHIPPED / name / wanted
    if path.suffix in {".yaml", ".yml"} or len(path.parts) > 1:
        raise UsageError(f"{name}: no such {kind}")
    raise UsageError(f"there is no {kind} file, folder or domain {name!r}; {nearest(name, shipped())}")


def load_rules(folder: Path) -> None:
    """Run the folder's rules.py, if it has one, so that its rules are registered; those of another domain are dropped.

    Raises:
        RecipeError: it does not run; the message says where it stopped.
    """
    path = folder / "rules.py"
    rule.drop(_MODULE)
    if not path.is_file():
        return
    spec = spec_from_file_location(_MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    try:
        spec.loader.exec_module(module_from_spec(spec))
    except UsageError:
        raise
    except Exception as error:
        line = getattr(error, "lineno", None) or _line_in(error, path)
        raise RecipeError(f"{path}:{line}: {type(error).__name__}: {error}") from error


def _line_in(error: BaseException, path: Path) -> int:
    trace, line = error.__traceback__, 0
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
