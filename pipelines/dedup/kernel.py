"""A loop as machine code: `kernel` compiles a function for one fixed signature and keeps the result on disk.

In: numba types and a function of arrays and numbers. Out: the compiled function. One signature per function, so that
every process that compiles it at the same moment writes the same code, and none can load another's variant. Arrays are
taken as read-only, which accepts writable ones too. Compiling all kernels takes 18 s once; from the cache they load in
0.2 s, after the 0.6 s of numba itself. Where no folder for a cache is writable, each process compiles. Kernels copy in
loops: one array assigned to a part of another compiles for a second longer, for an error message that nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit, types

F = TypeVar("F", bound=Callable[..., Any])


def vector(dtype: Any, *, dimensions: int = 1, writable: bool = False) -> Any:
    """The numba type of a C-contiguous array."""
    return types.Array(dtype, dimensions, "C", readonly=not writable)


def kernel(returns: Any, *takes: Any) -> Callable[[F], F]:
    """Compile the decorated function for ``returns(*takes)``; it releases the interpreter lock while it runs."""

    def compiled(function: F) -> F:
        machine: Any = njit
        options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
        try:
            code: F = machine([returns(*takes)], cache=True, **options)(function)
        except (RuntimeError, OSError):  # no writable folder for the cache, or its disk is full
            code = machine([returns(*takes)], **options)(function)
        return code

    return compiled
