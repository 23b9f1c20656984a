"""datatrove's filters and formatters as rules of ours, named in a recipe by class path.

In: a class path such as ``datatrove.pipeline.filters.GopherQualityFilter`` and its options. Out: a `Block` that judges
or changes one document. Anything that would download is refused, and Japanese words are MeCab's.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from datatrove.pipeline.filters.base_filter import BaseFilter, get_filter_result
from datatrove.pipeline.formatters.base import BaseFormatter
from datatrove.utils.word_tokenizers import WordTokenizer, load_word_tokenizer
from loguru import logger

from registry.errors import InputError, UsageError, nearest
from registry.ledger import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datatrove.data import Document

logger.disable("datatrove")  # what it warns of is an error here

JAPANESE = frozenset({"ja", "jpn", "jpn_Jpan", "japanese"})
DOWNLOADS = {
    "C4BadWordsFilter": "lists of words",
    "LanguageFilter": "a language model",
    "UnigramLogProbFilter": "word frequencies",
    "URLFilter": "the list of public suffixes",
}
SENTENCE = re.compile(r"[^。！？\n]*[。！？]+[」』）]*|[^。！？\n]+")


class Block:
    """A filter or a formatter of datatrove, as a rule of ours."""

    def __init__(self, step: Any) -> None:
        self.step = step
        self.name = f"datatrove.{type(step).__name__}"

    def apply(self, document: Document) -> Verdict | None:
        """What a filter says against `document`, if anything; a formatter, and some filters, change its text.

        A filter of datatrove gives yes or no and at most a reason, no measurement; so the verdict's value is 0 (it did
        not pass) against a threshold of 1 (it had to), and the reason stands in the rule's name.

        Raises:
            InputError: ``filter_failed`` where the block raised; the document is one it cannot judge.
        """
        try:
            if isinstance(self.step, BaseFormatter):
                document.text = self.step.format(document.text)
                return None
            passed, reason = get_filter_result(self.step.filter_batch([document])[0])
        except Exception as error:  # noqa: BLE001 - a foreign block may raise anything; one document is at stake
            raise InputError("filter_failed", f"{self.name}: {type(error).__name__}") from None
        return None if passed else Verdict("refine", f"{self.name}:{reason}" if reason else self.name, 0.0, 1.0)


def load_block(path: str, options: Mapping[str, Any]) -> Block:
    """The filter or formatter at a class path such as ``datatrove.pipeline.filters.GopherQualityFilter``.

    Where it takes a `language` and that is Japanese, its words are MeCab's (theirs need spaCy and are 12 times slower).

    Raises:
        UsageError: not such a path or class, an option it does not have, a package it misses, a download it would make.
    """
    found = _class_at(path)
    allowed = {
        key: parameter
        for key, parameter in inspect.signature(found.__init__).parameters.items()
        if key not in {"self", "exclusion_writer"} and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    for key in options:
        if key not in allowed:
            raise UsageError(f"{path} has no option {key!r}; {nearest(key, allowed) if allowed else 'it has none'}")
    for key, parameter in allowed.items():
        if parameter.default is inspect.Parameter.empty and key not in options:
            raise UsageError(f"{path} needs the option {key!r}")
    _refuse_downloads(path, found.__name__, options)
    given = dict(options)
    try:
        if "language" in allowed:
            given["language"] = _language(str(given.get("language", allowed["language"].default)))
        return Block(found(**given))
    except (ImportError, TypeError, ValueError, re.error) as error:
        raise UsageError(f"{path} cannot be used: {error}") from None


def _class_at(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if not re.fullmatch(r"datatrove\.pipeline\.(filters|formatters)(\.[a-z0-9_]+)*", module):
        raise UsageError(f"{path!r} is no block: only datatrove.pipeline.filters and .formatters can be named")
    try:
        members = vars(import_module(module))
    except ImportError as error:
        raise UsageError(f"{path}: {error}") from None
    blocks = {key: value for key, value in members.items() if _is_block(value)}
    if name not in blocks:
        raise UsageError(f"there is no filter or formatter {name!r} in {module}; {nearest(name, blocks)}")
    return blocks[name]


def _is_block(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseFilter | BaseFormatter) and not inspect.isabstract(value)


def _refuse_downloads(path: str, name: str, options: Mapping[str, Any]) -> None:
    """A build touches no network: the same recipe would give another corpus when what it fetched has changed."""
    wanted = DOWNLOADS.get(name)
    if "://" in str(options.get("model_url", "")):
        wanted = "a model"
    if wanted:
        raise UsageError(f"{path} would download {wanted}, and a build downloads nothing")


def _language(language: str) -> str | WordTokenizer:
    """MeCab for Japanese; any other language as it is, once its tokenizer has been seen to load."""
    if language in JAPANESE:
        return MecabWords()
    load_word_tokenizer(language)
    return language


class MecabWords(WordTokenizer):  # type: ignore[misc]
    """Japanese words for datatrove's blocks, by MeCab: 1.6-1.9 MB/s where its own spaCy tokenizer does 0.14."""

    def __init__(self) -> None:
        super().__init__("ja")

    def word_tokenize(self, text: str) -> list[str]:
        """The words of a text, without white space."""
        words: str = _tagger().parse(text)
        return words.split()

    def sent_tokenize(self, text: str) -> list[str]:
        """The sentences of a text, cut after 。！？ and at line ends."""
        return [text[start:end].strip() for start, end in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Where its sentences are: characters [start, end)."""
        return [found.span() for found in SENTENCE.finditer(text) if found.group().strip()]


@cache
def _tagger() -> Any:
    from fugashi import Tagger

    return Tagger("-Owakati")
