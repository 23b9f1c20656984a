"""What a user is told of an exception: one line, whatever it was; a lack of memory is told as one however it shows."""

from __future__ import annotations

import errno

import pytest

from pipelines.engine.worker import describe
from pipelines.stages import naming
from registry.errors import StageError


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        SystemError("error return without exception set"),
        OSError(errno.ENOMEM, "Cannot allocate memory", "/build/.work/refine/0.arrow"),
    ],
)
def test_a_lack_of_memory_names_the_limit_the_place_and_what_to_do(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, naming("filings/report.htm"):
        raise error
    assert describe(raised.value, 512 << 20) == (
        "it needs more than the 512 MB that engine.memory in the recipe allows a worker (at filings/report.htm); "
        "raise it, and lower the number of workers if the machine has no more"
    )


def test_other_errors_are_told_as_what_they_are() -> None:
    assert describe(OSError(errno.ENOSPC, "No space left on device", "x"), 1 << 30) == "No space left on device: x"
    assert describe(SystemError("a bug"), 1 << 30) == "SystemError: a bug"
    assert "needs more than the 1,024 MB" in describe(ImportError("x.so: cannot map zero-fill pages"), 1 << 30)
    assert describe(ImportError("No module named 'x'"), 1 << 30) == "ImportError: No module named 'x'"
    assert describe(SystemError("returned NULL without setting an exception")).startswith("SystemError: ")
    assert describe(StageError("two sentences. With a remedy."), 1 << 30) == "two sentences. With a remedy."
    assert describe(KeyError("x"), 1 << 30) == "KeyError: 'x'"
