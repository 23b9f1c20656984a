"""Text of documents as a page or a terminal may show it: nothing in it acts, everything in it is seen.

In: any string. Out: the same with control characters, marks of writing direction, zero-width characters and lone
surrogates written as ⟨U+202E⟩. Line ends and tabs stay. Escaping for HTML is not this module's business but the
template engine's.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """`text` with every character that acts or hides written out."""
    return _UNSEEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)
