"""Arrow in a process of ours: without pandas.

The first time that pyarrow makes an array of a list it imports pandas, where that is installed, to know its types: in
the driver and in each worker 0.4 s and 30 MB, for types that no list of ours holds.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class _NoPandas(MetaPathFinder):
    """Says that pandas is not installed."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def forgo_pandas() -> None:
    """Let pyarrow find out that there is no pandas. Whatever imports pandas itself gets it, `Table.to_pandas` too."""
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)
