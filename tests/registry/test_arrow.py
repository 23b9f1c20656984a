"""pyarrow without pandas, in a process of its own: this one may have loaded it."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import pyarrow as pa
from registry.arrow import forgo_pandas
{first}
forgo_pandas()
pa.array(["a"])
print("pandas" in sys.modules)
print(pa.table({{"a": [1, 2]}}).to_pandas()["a"].sum())
import pandas
print(pa.array(pandas.Series([1.5, 2])).to_pylist())
"""


@pytest.mark.parametrize("first", ["", "import pandas"])
def test_arrow_does_without_pandas_until_somebody_asks_for_it(first: str) -> None:
    pytest.importorskip("pandas")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(first=first)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [str(bool(first)), "3", "[1.5, 2.0]"]
