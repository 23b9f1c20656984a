"""Which members of an archive are documents, and in which order: EDINET packages and EPUB books say so themselves.

In: the names of all members, and the bytes of those that are an index: manifest_*.xml, META-INF/container.xml, *.opf.
Out: names. An index that cannot be read says nothing, and then all members are documents, as in any archive.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pipelines.extract.encoding import decode
from pipelines.extract.markup import parse, xml_parser
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml import etree

MANIFEST = re.compile(r"(?:^|/)manifest_(\w+)\.xml$")
FIRST = "PublicDoc"  # the report comes before what the auditors say of it
# What stands in an EDINET package beside the report: taxonomies, their labels, pictures, styles. The instance holds the
# facts of the iXBRL files over again (EDINET 報告書インスタンス作成ガイドライン).
APPARATUS = re.compile(r"\.(?:xsd|xml|gif|jpe?g|png|css|js|xbrl)$", re.IGNORECASE)


def documents_of(names: list[str], indices: Mapping[str, bytes]) -> list[str]:
    """The names of the documents, in order."""
    listed = _edinet(indices) or _epub(indices)
    known = set(names)
    listed = [name for name in dict.fromkeys(listed) if name in known]
    if not listed:
        return names
    if any(MANIFEST.search(name) for name in indices):
        taken = set(listed)
        return listed + [name for name in names if name not in taken and not APPARATUS.search(name)]
    return listed


def _edinet(indices: Mapping[str, bytes]) -> list[str]:
    """The iXBRL files of all manifests, or the instances where a report is in classic XBRL."""
    manifests = [(found.group(1) != FIRST, name) for name in indices if (found := MANIFEST.search(name))]
    listed = []
    for _, name in sorted(manifests):
        folder = PurePosixPath(name).parent
        root = _tree(indices[name])
        if root is not None:
            files = [file.text or "" for file in root.iter("{*}ixbrl")]
            files = files or [instance.get("preferredFilename", "") for instance in root.iter("{*}instance")]
            listed += [normpath(folder / file.strip()) for file in files if file.strip()]
    return listed


def _epub(indices: Mapping[str, bytes]) -> list[str]:
    """The chapters that the spine lists (EPUB 3.3, 5.7)."""
    container = _tree(indices.get("META-INF/container.xml", b""))
    if container is None:
        return []
    opf = next((root.get("full-path", "") for root in container.iter("{*}rootfile")), "")
    book = _tree(indices.get(opf, b""))
    if book is None:
        return []
    folder = PurePosixPath(opf).parent
    files = {item.get("id"): unquote(item.get("href", "")) for item in book.iter("{*}item")}
    chapters = (files.get(reference.get("idref"), "") for reference in book.iter("{*}itemref"))
    return [normpath(folder / chapter) for chapter in chapters if chapter]


def _tree(data: bytes) -> etree._Element | None:
    try:
        return parse(re.sub(r"^\s*<\?xml[^>]*\?>", "", decode(data).text, count=1), xml_parser()) if data else None
    except InputError:
        return None
