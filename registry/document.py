"""The document: datatrove's `Document`, with a fixed set of metadata so that every stage and every reader agree on it.

The id is a 128-bit hash of (source name, relative uri, part): stable across builds and machines, because no absolute
path, no order and no time of day goes into it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from datatrove.data import Document as Document  # noqa: PLC0414 - others take it from here


class Metadata(TypedDict):
    """What every document carries from its source to its shard. All strings; unknown ones are empty."""

    source: str  # name of the source in the recipe
    uri: str  # place within the source, with forward slashes
    part: str  # place within the input: "" for the whole of it, else a section, record or page
    kind: str  # kind of text, which is the name of the profile that judges it
    media_type: str  # from the bytes, such as "application/pdf"
    sha256: str  # of the input's bytes
    title: str
    date: str  # ISO 8601, as far as it is known: "2024", "2024-03-31"
    licence: str


def document_id(source: str, uri: str, part: str = "") -> str:
    """32 hex digits that name one document in every build of it, on any machine."""
    digest = hashlib.blake2b(digest_size=16)
    for field in (source, uri, part):
        encoded = field.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little"))  # lengths, so that ("a", "bc") and ("ab", "c") differ
        digest.update(encoded)
    return digest.hexdigest()


def make_document(text: str, metadata: Metadata) -> Document:
    """A datatrove `Document` whose id follows from its metadata."""
    from datatrove.data import Document

    return Document(
        text=text, id=document_id(metadata["source"], metadata["uri"], metadata["part"]), metadata=dict(metadata)
    )
