"""The audit: ledger and shards -> numbers -> report.html, audit.json, and the card.

In: a finished build. Out, in its folder: a page to read (one file, no network), the same numbers for machines, and the
dataset's card. audit.json is written last and records the others, so that an audit that is there is not made again.
A million documents take 1.3 GB, and their page 0.9 MB: it holds sums and a sample.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from corpus.opened import OpenedBuild

Language = Literal["en", "ja"]


def write(opened: OpenedBuild, language: Language | None = None, *, fresh: bool = False) -> dict[str, Any]:
    """Write report, card and audit.json, unless they are there; returns the numbers.

    Args:
        opened: the build.
        language: of the page; default: that of the page that is there, else English.
        fresh: write them anew, and check every file of the build again.

    Raises:
        RecordError: the build's files are damaged, of another version, or contradict each other.
    """
    code = _code()
    known = _known(opened)
    language = language or known.get("record", {}).get("language", "en")
    if not fresh and language == known.get("record", {}).get("language") and _is_whole(opened, code, known):
        return known
    return _write(opened, code, language or "en")


def _write(opened: OpenedBuild, code: str, language: Language) -> dict[str, Any]:
    import hashlib

    from corpus.audit.findings import find
    from corpus.audit.page import render
    from corpus.card import card
    from corpus.opened import open_build
    from registry.mirror import put
    from registry.publish import write_text

    opened.layout.audit.unlink(missing_ok=True)
    opened = open_build(opened.layout.root)  # as it stands on disk: a manifest that was just made has another order
    findings = find(opened)
    pages = {
        "report.html": render(opened, findings, language),
        **{f"card/{name}": text for name, text in card(opened, findings.figures).items()},
    }
    files = {}
    for name, text in pages.items():
        write_text(opened.layout.root / name, text)
        content = text.encode()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    build = opened.manifest.fingerprint
    record = {"build": build, "code": code, "language": language, "files": files}
    figures = {**findings.figures, "record": record}
    put(opened.layout.root / name for name in pages)
    write_text(opened.layout.audit, json.dumps(figures, ensure_ascii=False, indent=1) + "\n")  # rules as they judge
    put([opened.layout.audit])
    return figures


def _known(opened: OpenedBuild) -> dict[str, Any]:
    """What the audit that is there says, or nothing."""
    try:
        figures: dict[str, Any] = json.loads(opened.layout.audit.read_bytes())
    except (OSError, ValueError):
        return {}
    return figures if isinstance(figures, dict) else {}


def _is_whole(opened: OpenedBuild, code: str, figures: dict[str, Any]) -> bool:
    """Whether it is an audit of this very build by this very code, and its files are all there."""
    record = figures["record"]
    try:
        same = record["build"] == opened.manifest.fingerprint and record["code"] == code
        root = opened.layout.root
        return same and all((root / name).stat().st_size == file["bytes"] for name, file in record["files"].items())
    except (OSError, KeyError, TypeError):
        return False


def _code() -> str:
    """A digest of all that decides how an audit looks."""
    from pathlib import Path

    from pipelines.engine.records import code_version, fingerprint

    here = Path(__file__).parent
    looks = [path.read_text(encoding="utf-8") for path in _looks(here)]
    return fingerprint(code_version("corpus.audit", "corpus.explain", "corpus.card", "jinja2=="), looks)


def _looks(here: Path) -> list[Path]:
    return sorted((here / "templates").iterdir())
