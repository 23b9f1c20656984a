"""What may be used at all, decided before anything is extracted: licences, terms, and what a page reserves for itself.

In: a recipe's policy, a source, the first bytes of an input. Out: the name of the rule that forbids it, if any, which
becomes a `rejected` row of stage `policy`. Reservations are those that a page carries in its own markup: the TDM
Reservation Protocol (``<meta name="tdm-reservation" content="1">``, W3C TDMRep), and ``noai`` in a robots tag.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.recipe import Policy, Source

REFUSED = "policy"  # reason of an extracted row that is none; its detail is the rule
HEAD = 1 << 18  # bytes within which a page has its head
_META = re.compile(rb"<meta\b[^>]{0,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"""\b(name|content)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_ROBOTS = re.compile(rb"\b(noai|noimageai|none-ai)\b", re.IGNORECASE)


def forbids(policy: Policy, source: Source) -> str:
    """The rule that forbids the whole of `source`, or nothing."""
    if policy.licences is not None and source.licence not in policy.licences:
        return "licence"
    missing = [use for use in policy.requires if use not in source.allows]
    return f"terms:{missing[0]}" if missing else ""


def reserved(policy: Policy, path: Path, media_type: str) -> str:
    """The rule by which the page at `path` reserves itself, or nothing. OSError where it cannot be read."""
    if policy.reservations == "ignore" or "html" not in media_type:
        return ""
    with path.open("rb") as file:
        head = file.read(HEAD)
    for tag in _META.findall(head):
        found = {key.lower(): b"".join(value).strip() for key, *value in _ATTRIBUTE.findall(tag)}
        name, content = found.get(b"name", b"").lower(), found.get(b"content", b"")
        if name == b"tdm-reservation" and content == b"1":
            return "tdm_reservation"
        if name in {b"robots", b"ai-robots"} and _ROBOTS.search(content):
            return "robots"
    return ""
