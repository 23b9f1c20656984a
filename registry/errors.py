"""What can go wrong, as a tree. A message says what, where and what to do; a user's mistake never shows a traceback.

CorpusError                  told to the user in a few lines
├── UsageError               the command or a file it names is wrong            exit 2
│   ├── RecipeError          a recipe: names file, key and the nearest valid word
│   ├── UnknownNameError     a registered name that nothing answers to
│   └── BuildFolderError     the output folder cannot be used for this build
├── StageError               a stage could not be finished; a later run resumes  exit 1
├── RecordError              something on record is damaged or inconsistent      exit 1
└── InputError               one input could not be read: a `failed` row in the ledger, never the end of a build
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class CorpusError(Exception):
    """Anything a user is told in a few lines. `exit_code` is what the command ends with."""

    exit_code = 1


class UsageError(CorpusError):
    """The command line, or a file that it names, is wrong."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe is wrong; the message names the file and the key."""


class UnknownNameError(UsageError):
    """A name that nothing is registered under."""


class BuildFolderError(UsageError):
    """The output folder cannot be used for this build."""


class StageError(CorpusError):
    """A stage of the build could not be finished. What was done stays; a later run goes on from it."""


class RecordError(CorpusError):
    """Something on record is damaged, of another version, or contradicts itself."""


class InputError(CorpusError):
    """One input, or one part of it, could not be read.

    Attributes:
        reason: one of a few words that can be counted, such as ``encrypted``, ``broken``, ``empty``, ``unsupported``,
            ``no_text_layer``, ``timeout``, ``too_large``.
        detail: what exactly, for the person who looks into it. Never text of the document.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def nearest(word: str, known: Iterable[str]) -> str:
    """The hint that ends a message: the nearest valid word, or all of them where they are few."""
    known = sorted(known)
    close = get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    return "known: " + ", ".join(known) if len(known) <= 30 else f"{len(known)} names are known"
