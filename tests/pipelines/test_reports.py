"""What the header file of a report says reaches its other files, wherever they lie."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from pipelines.pack import Slice, write_pack
from pipelines.stages.reports import complete, read_reports

SCHEMA = pa.schema([("id", pa.string()), ("metadata", pa.map_(pa.string(), pa.string()))])
HEADER = [("report", "E01234_2024-03-31_2024-06-28"), ("filer", "架空電機株式会社"), ("securities_code", "99990")]
BODY = [("report", "E01234_2024-03-31_2024-06-28"), ("section", "沿革")]
OTHER = [("report", "E09999_2024-03-31_2024-06-28"), ("filer", "")]
NEWS = [("author", "記者")]


def test_files_of_a_report_learn_what_its_header_says(tmp_path: Path) -> None:
    rows = [BODY, NEWS, HEADER, OTHER]
    with write_pack(tmp_path / "pack", SCHEMA) as pack:
        for number, metadata in enumerate(rows):
            pack.add({"id": str(number), "metadata": metadata})
    slices = [Slice(str(tmp_path / "pack"), 0, 2, 0), Slice(str(tmp_path / "pack"), 2, 2, 0)]
    known, named = read_reports(slices)
    assert known == {"E01234_2024-03-31_2024-06-28": {"filer": "架空電機株式会社", "securities_code": "99990"}}
    assert named == [["E01234_2024-03-31_2024-06-28"], ["E01234_2024-03-31_2024-06-28", "E09999_2024-03-31_2024-06-28"]]
    assert complete(BODY, known) == sorted([*BODY, *HEADER[1:]])
    backwards = {report: dict(reversed(facts.items())) for report, facts in known.items()}
    assert complete(BODY, backwards) == complete(BODY, known), "an engine may hand them over in any order"
    assert complete(HEADER, known) == sorted(HEADER)
    assert complete(NEWS, known) == NEWS
    assert complete(OTHER, known) == sorted(OTHER)


def test_the_first_file_counts_where_two_disagree(tmp_path: Path) -> None:
    second = [HEADER[0], ("filer", "別の名"), ("fund", "架空ファンド")]
    with write_pack(tmp_path / "pack", SCHEMA) as pack:
        for metadata in (HEADER, second):
            pack.add({"id": "x", "metadata": metadata})
    known, _ = read_reports([Slice(str(tmp_path / "pack"), 0, 2, 0)])
    assert known["E01234_2024-03-31_2024-06-28"] == {
        "filer": "架空電機株式会社",
        "securities_code": "99990",
        "fund": "架空ファンド",
    }
