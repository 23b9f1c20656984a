"""Which of a text's characters ask for normalisation at all, found in one pass of machine code.

A text that is clean in some respect, as most are in most, skips the substitutions for it: they cost 35 ms a MB where
the survey costs 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from pipelines.dedup.kernel import kernel, vector
from pipelines.normalize import Need

if TYPE_CHECKING:
    from numpy.typing import NDArray


_CJK, _GAP, _ENDS = Need.CJK, Need.GAP, Need.ENDS
_SPACE, _LINE, _BAR = 32, 10, 124
_BLANKS = (32, 9, 0x3000)


def survey(text: str, table: NDArray[np.uint8]) -> int:
    """The `Need`s of `text`, as a plain number. `table` has the `Need` of each of the 0x110000 code points."""
    needs: int = _survey(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), table)
    return needs


@kernel(types.int64, vector(types.uint32), vector(types.uint8))
def _survey(codes: Any, table: Any) -> Any:
    needs = before = np.int64(0)
    table_row, at_start = False, True
    for i in range(codes.size):
        code = codes[i]
        if code == _LINE:
            if i and codes[i - 1] in _BLANKS:
                needs |= _ENDS
            before, table_row, at_start = np.int64(0), False, True
            continue
        if at_start:
            table_row, at_start = code == _BAR, False
        need = np.int64(table[code])
        needs |= need
        if code == _SPACE:
            continue
        if before & need & _CJK and codes[i - 1] == _SPACE and not table_row:
            needs |= _GAP
        before = need
    return needs
