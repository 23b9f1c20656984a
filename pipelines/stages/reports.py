"""What one file of a report says of it -> its other files: of an EDINET report the header file alone names the filer.

In: refined rows in the order of the inventory. Out: what reports say of themselves, and which reports a slice of rows
has files of. The `report` of a file stands in the address of the filer's own taxonomy, which every file declares, so
that the files of a report find each other in a package as well as loose in a folder. Where several files tell the same
thing, the first of them counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipelines.pack import Slice, plain, read_each

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

# What holds for every file of a report.
SHARED = (
    "filer", "fund", "fund_code", "securities_code", "document_type", "accounting_standards", "consolidated",
    "fiscal_year_end",
)  # fmt: skip

Facts = dict[str, str]


def read_reports(slices: Iterable[Slice]) -> tuple[dict[str, Facts], list[list[str]]]:
    """What every report says of itself, by report; and, for each slice, the reports that its rows belong to."""
    known: dict[str, Facts] = {}
    named: list[list[str]] = []
    for batches in read_each(slices, ["id", "metadata"]):
        names: dict[str, None] = {}
        for batch in batches:
            for facts in _facts(batch):
                report = facts["report"]
                names[report] = None
                shared = {key: facts[key] for key in SHARED if facts.get(key)}
                if shared:
                    known[report] = shared | known.get(report, {})
        named.append(list(names))
    return known, named


def _facts(batch: pa.RecordBatch) -> list[Facts]:
    """The metadata of the rows that belong to a report, the same ones once."""
    import pyarrow.compute as pc

    column = batch.column("metadata")
    of_reports = column.filter(pc.is_valid(pc.map_lookup(column, "report", "first")))
    return [dict(pairs) for pairs in dict.fromkeys(tuple(pairs) for pairs in of_reports.to_pylist())]


def complete(metadata: list[tuple[str, str]], reports: Mapping[str, Facts]) -> list[tuple[str, str]]:
    """A row's metadata, and what its report says that it does not; sorted, whatever order the facts came in."""
    own = dict(metadata)
    return plain({**reports.get(own.get("report", ""), {}), **own})
