"""The catalog: corpora that were built on this machine and what they were made of, in one SQLite file.

A convenience for people (`corpus ls`), never a source of truth: every fact in it is read from a manifest, and a build
goes well without it. Its place is ``$CORPUS_HOME/catalog.sqlite``, else ``~/.local/share/corpus-foundry/``.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.storage import is_url

if TYPE_CHECKING:
    from registry.manifest import Manifest

_TABLE = """
CREATE TABLE IF NOT EXISTS corpora (
    path TEXT PRIMARY KEY, name TEXT, fingerprint TEXT, tokenizer TEXT, documents INTEGER, tokens INTEGER,
    built TEXT DEFAULT CURRENT_TIMESTAMP)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One corpus, as it was when it was built."""

    path: str
    name: str
    fingerprint: str
    tokenizer: str
    documents: int
    tokens: int
    built: str

    @property
    def present(self) -> bool:
        """Whether it is still there; of what lies at a URL it is believed."""
        return is_url(self.path) or (Path(self.path) / "manifest.json").is_file()


def catalog_path() -> Path:
    """Where the catalog of this user is."""
    home = os.environ.get("CORPUS_HOME")
    return Path(home or Path.home() / ".local" / "share" / "corpus-foundry").expanduser() / "catalog.sqlite"


def record(folder: str, manifest: Manifest, catalog: Path) -> None:
    """Enter a finished build. Raises OSError or sqlite3.Error where the catalog cannot be written."""
    catalog.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(catalog, timeout=5)) as connection, connection:
        connection.execute(_TABLE)
        connection.execute(
            "REPLACE INTO corpora (path, name, fingerprint, tokenizer, documents, tokens) VALUES (?, ?, ?, ?, ?, ?)",
            (
                folder if is_url(folder) else str(Path(folder).resolve()),
                manifest.name,
                manifest.fingerprint,
                manifest.tokenizer["sha256"],
                manifest.fates.get("kept", 0),
                sum(manifest.tokens.values()),
            ),
        )


def entries(catalog: Path) -> list[Entry]:
    """All corpora on record, the newest first."""
    if not catalog.is_file():
        return []
    with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True, timeout=5)) as connection:
        rows = connection.execute(
            "SELECT path, name, fingerprint, tokenizer, documents, tokens, built FROM corpora ORDER BY built DESC, path"
        )
        return [Entry(*row) for row in rows]
