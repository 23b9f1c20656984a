"""Names that recipes use: rules, extractors, and whatever else can be registered.

In: a decorated function, or a lazy target ``"package.module:function"`` that is imported only when it is asked for (so
`corpus --help` and `corpus check` stay light). Out: the function, and its options read from its signature: a function's
keyword-only parameters *are* its recipe keys, so there is no second place to document or validate them.

    from registry.names import Reading, rule

    @rule
    def hiragana_ratio(doc: Reading) -> float:
        ...
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Generic, Protocol, TypeVar, cast, overload

from registry.errors import UnknownNameError, UsageError, nearest

F = TypeVar("F", bound=Callable[..., Any])


class Reading(Protocol):
    """What a rule sees of a document: the cleaned text and what one MeCab pass found in it."""

    @property
    def text(self) -> str:
        """The cleaned text."""

    @property
    def lines(self) -> Sequence[str]:
        """Its lines that are not blank, stripped."""

    @property
    def sentences(self) -> Sequence[str]:
        """Its sentences, cut after 。！？ and at line ends."""

    @property
    def words(self) -> Sequence[str]:
        """Its MeCab words; a string each, which costs a fifth of what MeCab does."""

    def share(self, terms: frozenset[str]) -> float:
        """Share of its MeCab words that are among `terms`, counted without making strings."""

    @property
    def unknown(self) -> int:
        """How many of the words the dictionary does not know."""


class Registry(Generic[F]):
    """Functions by name. `what` is the word for one of them in messages, such as "rule"."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._targets: dict[str, str] = {}
        self._functions: dict[str, F] = {}

    @overload
    def __call__(self, function: F, /) -> F: ...
    @overload
    def __call__(self, *names: str) -> Callable[[F], F]: ...
    def __call__(self, *names: Any) -> Any:
        """Register a function under its own name (``@rule``) or under others (``@extractor("text/html")``)."""
        if len(names) == 1 and callable(names[0]):
            return self._add(names[0], [names[0].__name__])
        return lambda function: self._add(function, names)

    def lazy(self, name: str, target: str) -> None:
        """Promise `name`: ``"package.module:function"`` is imported when it is first asked for."""
        self._targets[name] = target

    def _add(self, function: F, names: Iterable[str]) -> F:
        for name in names:
            known = self._functions.get(name)
            if known is not None and known.__code__ != function.__code__:
                raise UsageError(f"two {self.what}s are called {name!r}: {_place(known)} and {_place(function)}")
            self._functions[name] = function
        return function

    def drop(self, module: str) -> None:
        """Forget the functions of `module`."""
        self._functions = {name: f for name, f in self._functions.items() if f.__module__ != module}

    def __contains__(self, name: object) -> bool:
        return name in self._functions or name in self._targets

    def __iter__(self) -> typing.Iterator[str]:
        return iter(sorted({*self._functions, *self._targets}))

    def get(self, name: str) -> F:
        """The function called `name`, imported now if it was lazy.

        Raises:
            UnknownNameError: nothing is registered under that name; the message has the nearest one.
        """
        if name not in self._functions and name in self._targets:
            module, _, attribute = self._targets[name].partition(":")
            self._functions[name] = cast("F", getattr(import_module(module), attribute))
        if name not in self._functions:
            raise UnknownNameError(f"there is no {self.what} {name!r}; {nearest(name, self)}")
        return self._functions[name]

    def options(self, name: str) -> dict[str, inspect.Parameter]:
        """The options of `name`: its keyword-only parameters, with resolved annotations and defaults."""
        function = self.get(name)
        keywords = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
        # Only these are resolved: other annotations may name what is imported for type checkers alone.
        written = SimpleNamespace(__annotations__={p.name: p.annotation for p in keywords})
        hints = typing.get_type_hints(written, function.__globals__)
        return {p.name: p.replace(annotation=hints[p.name]) for p in keywords}

    def check(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """`given` as valid options of `name`: every key known, every value of the annotated type.

        Raises:
            UsageError: the message names the option and what it takes.
        """
        from pydantic import ConfigDict, TypeAdapter, ValidationError

        options = self.options(name)
        checked = {}
        for key, value in given.items():
            if key not in options:
                hint = nearest(key, options) if options else "it has none"
                raise UsageError(f"{self.what} {name!r} has no option {key!r}; {hint}")
            try:
                adapter = TypeAdapter(options[key].annotation, config=ConfigDict(strict=True))
                checked[key] = adapter.validate_python(value)
            except ValidationError as error:
                problem = error.errors()[0]["msg"]
                raise UsageError(f"option {key!r} of {self.what} {name!r}: {problem}, got {value!r}") from None
        return checked


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


rule: Registry[Callable[..., float]] = Registry("rule")
extractor: Registry[Callable[..., Any]] = Registry("extractor")
