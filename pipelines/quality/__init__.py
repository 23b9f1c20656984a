"""Quality: every rule is one function that measures a document; profiles, which are data, judge the measurements.

In: a `Text`. Out: one float per rule, for kept and rejected documents alike, so that a threshold can be changed later
without reading a document again. Importing this package registers the rules that are built in.
"""

from __future__ import annotations

from pipelines.quality import encoding, lexicon, lines, markers, misread, neighbours, repetition, script
from pipelines.quality.alphabet import Script
from pipelines.quality.profiles import Limit, Profile, load_profile
from pipelines.quality.text import Text

__all__ = [
    "Limit",
    "Profile",
    "Script",
    "Text",
    "encoding",
    "lexicon",
    "lines",
    "load_profile",
    "markers",
    "misread",
    "neighbours",
    "repetition",
    "script",
]
