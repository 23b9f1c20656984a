"""The bill of sources: one digest per source that stands for all bytes that were read from it.

In: the ledger. Out: source -> SHA-256 of the lines ``<sha256>  <uri>`` of its inputs, sorted: what ``sha256sum`` prints
for the same files, sorted and hashed, so that anybody who has them can check it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path


def bill(ledger: Path) -> dict[str, str]:
    """Digest by source. An input that could not be read at all has an empty digest in its line."""
    paths = sorted(ledger.glob("*.parquet"))
    table = pa.concat_tables([pq.ParquetFile(path).read(["source", "uri", "sha256"]) for path in paths])
    lines = pc.binary_join_element_wise(table.column("sha256"), table.column("uri"), "  ")
    found = {}
    for source in sorted(pc.unique(table.column("source")).to_pylist()):
        own = pc.unique(lines.filter(pc.equal(table.column("source"), source))).to_pylist()
        found[source] = hashlib.sha256("".join(f"{line}\n" for line in sorted(own)).encode()).hexdigest()
    return found
