"""The manifest: what a build was made of and made. Written last, so a folder that has one is a whole build.

The same inputs, recipe and code give the same manifest: it holds digests and counts, no time of day. A reader checks a
shard against the digest that stands here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from registry.errors import RecordError
from registry.mirror import size_of
from registry.publish import write_json

FORMAT: Literal[2] = 2  # 1 kept no order of profiles


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceCount(_Entry):
    """What came of one source: inputs, documents by fate, tokens by split."""

    kind: str
    licence: str
    inputs: int
    bytes: int
    fates: dict[str, int]
    tokens: dict[str, int]


class FileRecord(_Entry):
    """One published file. `rows` and `tokens` are given for shards."""

    bytes: int
    sha256: str
    rows: int | None = None
    tokens: int | None = None


class Manifest(_Entry):
    """All of it. `fingerprint` names everything that the build depends on."""

    format: Literal[2] = FORMAT
    name: str
    version: str
    fingerprint: str
    recipe: dict[str, Any]
    profiles: dict[str, list[dict[str, Any]]]  # kind -> rule, at_least, at_most, because, options; as they judge
    libraries: dict[str, str]
    tokenizer: dict[str, Any]
    sources: dict[str, SourceCount]
    files: dict[str, FileRecord]
    dedup: dict[str, Any] = {}  # how many duplicates there are, and what the self-test found

    @property
    def fates(self) -> dict[str, int]:
        """Documents by fate, over all sources."""
        return _sum(source.fates for source in self.sources.values())

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens by split, over all sources."""
        return _sum(source.tokens for source in self.sources.values())

    def describes(self, root: Path) -> bool:
        """Whether every published file is there with the size that stands here."""
        try:
            return all(size_of(root / name) == file.bytes for name, file in self.files.items())
        except OSError:
            return False

    def write(self, path: Path) -> None:
        """Write it whole, or not at all."""
        write_json(path, self.model_dump(exclude_none=True))


def read_manifest(path: Path) -> Manifest | None:
    """The manifest at `path`, or None where there is none.

    Raises:
        RecordError: it is damaged, or was written by another version.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise RecordError(f"{path} is damaged or of another version; `corpus build --fresh` makes it anew") from error


def _sum(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for key, value in count.items():
            total[key] = total.get(key, 0) + value
    return dict(sorted(total.items()))
