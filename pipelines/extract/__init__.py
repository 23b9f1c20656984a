"""Bytes -> documents. One registered function per format; what it cannot read it says, with a reason.

In: a `Raw` input (a local file, its name and kind). Out: a stream of `Part`s (one per document found) and `Failure`s
(one per place that could not be read), in the order of the input. An extractor keeps no state and touches no network.

    @extractor("pdf")
    def extract_pdf(raw: Raw, *, ruby: Literal["drop", "keep"] = "drop") -> Iterator[Part | Failure]:
        ...

Its keyword-only parameters are what a recipe may set under ``extract: {pdf: {...}}``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from registry.names import extractor

for _format, _target in {
    "edinet_csv": "pipelines.extract.filing:extract_edinet_csv",
    "filing": "pipelines.extract.filing:extract_filing",
    "html": "pipelines.extract.html:extract_html",
    "jsonl": "pipelines.blocks.readers:extract_jsonl",
    "law": "pipelines.extract.law:extract_law",
    "parquet": "pipelines.blocks.readers:extract_parquet",
    "pdf": "pipelines.extract.pdf:extract_pdf",
    "text": "pipelines.extract.text:extract_text",
    "warc": "pipelines.blocks.readers:extract_warc",
    "xbrl": "pipelines.extract.filing:extract_xbrl",
}.items():
    extractor.lazy(_format, _target)


@dataclass(frozen=True, slots=True)
class Raw:
    """One input as an extractor sees it."""

    path: Path  # where its bytes lie, locally
    name: str  # relative uri, for titles and messages; never trusted for the media type
    kind: str  # kind of text that the source declares: filing, textbook, news, record, law
    media_type: str  # from the bytes


@dataclass(frozen=True, slots=True)
class Part:
    """One document found in an input, before it has an id."""

    text: str
    part: str = ""  # place within the input, unique there and stable: "" for the whole, "2" for a section or record
    title: str = ""
    date: str = ""
    metadata: dict[str, str] = field(default_factory=dict)  # facts of the format: "edinet_code", "pages", "author"
    measurements: dict[str, float] = field(default_factory=dict)  # stored in the ledger: "numbers_kept", "undecodable"


@dataclass(frozen=True, slots=True)
class Failure:
    """A place in an input that could not be read; it becomes a `failed` row of the ledger."""

    reason: str
    detail: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive; `error` says why it cannot be read, as "reason: detail"."""

    name: str
    bytes: int = 0
    sha256: str = ""
    error: str = ""
