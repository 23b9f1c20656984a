"""What a driver holds: it decides what is to be done, and leaves the loops in machine code to its workers."""

from __future__ import annotations

import subprocess
import sys

DRIVER = """
import sys
from pipelines import build
from pipelines.stages import link
link.parts_of({"documents": 10**7, "memory": 1 << 30}, 16), link.rounds(20)
print([name for name in ("numba", "scipy", "pandas") if name in sys.modules])
"""


def test_the_driver_of_a_large_build_loads_no_numba() -> None:
    """It held 120 MB more once a build had over 100,000 documents."""
    done = subprocess.run([sys.executable, "-c", DRIVER], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
