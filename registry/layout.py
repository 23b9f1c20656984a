"""Every path inside a build folder, in one place.

BUILD/
  manifest.json              what the build is made of; written last, so a folder without it is not a build yet
  documents/*.parquet        kept text, metadata, measurements
  ledger/*.parquet           one row per document ever seen
  rejects/*.parquet          the text of what was not kept
  signatures/*.arrow         sketches of all documents that no rule rejected; a later build can be compared with them
  shards/{train,validation}/*.arrow
  tokenizer/                 a copy of the tokenizer that the shards were made with
  report.html audit.json     what the audit found, to read and to compute with
  card/                      the dataset's card: README.md, croissant.json
  .work/                     resumable intermediates; safe to delete
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from registry.mirror import mounted, shown

PUBLISHED = ("documents", "ledger", "rejects", "signatures", "shards", "tokenizer")
AUDITED = ("report.html", "audit.json", "card")  # drawn from what is published; made anew at any time


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one build folder."""

    root: Path

    @classmethod
    def at(cls, place: str | Path) -> Layout:
        """The build at a path or URL; what is at a URL has its copy on this machine, see registry/mirror.py."""
        return cls(mounted(place))

    @property
    def shown(self) -> str:
        """How a user calls the build."""
        return shown(self.root)

    @property
    def manifest(self) -> Path:
        """What the build was made of and made; the last file to be written."""
        return self.root / "manifest.json"

    @property
    def documents(self) -> Path:
        """Parquet files of the kept documents."""
        return self.root / "documents"

    @property
    def ledger(self) -> Path:
        """Parquet files with one row per document ever seen."""
        return self.root / "ledger"

    @property
    def rejects(self) -> Path:
        """Parquet files with the text of what was not kept."""
        return self.root / "rejects"

    @property
    def shards(self) -> Path:
        """Folders `train` and `validation` of Arrow files."""
        return self.root / "shards"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer that the shards were made with."""
        return self.root / "tokenizer"

    @property
    def report(self) -> Path:
        """The audit as a page to read."""
        return self.root / "report.html"

    @property
    def audit(self) -> Path:
        """The audit's numbers, and the record of the files that it wrote; the last of them."""
        return self.root / "audit.json"

    @property
    def card(self) -> Path:
        """README.md and croissant.json for whoever publishes the corpus."""
        return self.root / "card"

    @property
    def work(self) -> Path:
        """Intermediates that an interrupted build goes on from."""
        return self.root / ".work"

    @property
    def owner(self) -> Path:
        """Names the recipe that this folder belongs to, and its file, from the first moment on."""
        return self.work / "build.json"

    @property
    def inventory(self) -> Path:
        """Digests of the inputs, remembered from one build to the next."""
        return self.work / "inventory.arrow"

    @property
    def lock(self) -> Path:
        """Held by the one process that may write here."""
        return self.work / "lock"

    @property
    def logs(self) -> Path:
        """What workers and parsers printed."""
        return self.work / "logs"

    @property
    def fetched(self) -> Path:
        """Copies of inputs that lie on a storage, until they are read."""
        return self.work / "fetched"

    def stage(self, name: str) -> Path:
        """The intermediates of one stage: `<task>.json` records beside the outputs they name."""
        return self.work / name
