"""The recipe: the YAML that says how a corpus is built, as pydantic models.

In: a recipe file and the `--set key=value` of the command line. Out: a `Recipe` that is known to be well-formed, or one
`RecipeError` that names file, key and the nearest valid word. What the names in it refer to (rules, extractors,
blocks, the tokenizer) is checked by `pipelines.preflight`, which knows them.
"""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from registry.errors import RecipeError, nearest

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
S = TypeVar("S", bound="Section")
_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


class Section(BaseModel):
    """A part of a recipe: no unknown keys, no values of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Use = Literal["training", "redistribution", "retention"]


class Source(Section):
    """A named place that inputs come from, with its licence and terms."""

    name: Name = Field(description="Names the source in ledger, shards and report; unique in the recipe.")
    path: str = Field(
        description="A file, a folder with all in it, or a pattern such as `news/*.html`; from the recipe's folder."
    )
    kind: Name = Field(
        description="Kind of text; names the profile that judges it: filing, textbook, news, record, law, ..."
    )
    licence: str = Field(description="Licence or terms of use, as an SPDX identifier where there is one.")
    terms: str = Field("", description="Where the terms of use stand: an address or a file.")
    allows: list[Use] = Field(
        ["training", "redistribution", "retention"], description="What the licence and the terms allow."
    )
    priority: int = Field(0, description="Of duplicates in several sources, the one with the highest priority is kept.")
    text: str = Field("text", description="Records (JSONL, Parquet): the key that holds the text.")
    title: str = Field("title", description="Records: the key that holds the title.")
    date: str = Field("date", description="Records: the key that holds the date.")
    id: str = Field("", description="Records: the key that identifies a record; without it, its position does.")


class Limits(Section):
    """What a parser may use on one input."""

    seconds: float = Field(120.0, gt=0, description="How long a parser may go without giving a document.")
    memory: str = Field("4GB", pattern=r"^\d+(KB|MB|GB)$", description="Address space of a parser's process.")

    @property
    def bytes(self) -> int:
        """The memory limit in bytes."""
        return int(self.memory[:-2]) * _UNITS[self.memory[-2:]]


class Extract(BaseModel):
    """Stage 2. Besides `limits`, one key per format with the options of its extractor."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    limits: Limits = Field(Limits(), description="What a parser may use on one input before it is ended.")

    @property
    def formats(self) -> dict[str, dict[str, Any]]:
        """Options by format, such as `{"pdf": {"ruby": "drop"}}`."""
        return dict(self.model_extra or {})


class Refine(Section):
    """Stage 3: clean, measure, judge."""

    normalize: dict[str, Any] = Field(
        {}, description="Options of the normalisation of characters, spaces and punctuation."
    )
    privacy: Literal["mask", "count", "off"] = Field(
        "mask", description="Personal data: replaced by placeholders, only counted, or left alone."
    )
    officers: Literal["keep", "mask"] = Field(
        "keep", description="Names of officers beside their titles, which are public in filings."
    )
    profiles: dict[str, dict[str, Any]] = Field(
        {}, description="Changes to profiles: by kind and rule, `{news: {hiragana_ratio: {at_least: 0.2}}}`."
    )
    user_dictionary: str | None = Field(None, description="A compiled MeCab user dictionary, from the recipe's folder.")
    blocks: list[dict[str, dict[str, Any] | None]] = Field(
        [], description="datatrove filters and formatters by class path, each with its arguments."
    )

    @field_validator("blocks")
    @classmethod
    def _one_class_each(cls, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if any(len(block) != 1 for block in blocks):
            raise ValueError("each block is one class path with its arguments")
        return blocks


class Against(Section):
    """A file of benchmark items that must not be in the corpus."""

    path: str = Field(description="JSON or JSON Lines, from the recipe's folder.")
    exempt: list[str] = Field([], description="Keys whose texts may be in the corpus, such as statutes quoted.")


class Decontaminate(Section):
    """Benchmark items, out of the corpus; part of stage 3."""

    against: list[Against] = Field([], description="The benchmarks.")
    remove: Literal["documents", "spans"] = Field(
        "documents", description="Reject a document that holds an item, or cut the item out of it."
    )
    share: float = Field(0.6, gt=0, le=1, description="How much of an item's n-grams a document has to hold.")


class Policy(Section):
    """Which sources may be used, checked before anything of theirs is read."""

    licences: list[str] | None = Field(
        None, description="Licences that may be used, as the sources write them; without it, all."
    )
    requires: list[Use] = Field(["training"], description="What a source has to allow.")
    reservations: Literal["honour", "ignore"] = Field(
        "honour", description="Pages whose own markup reserves text and data mining or forbids AI: reject or read them."
    )


class Near(Section):
    """Near-duplicates by MinHash, each candidate verified by its exact Jaccard similarity."""

    shingle: Literal["words", "chars"] = Field("words", description="Shingles of MeCab words, or of characters.")
    n: int = Field(5, ge=1, le=50, description="Length of a shingle.")
    numbers: Literal["keep", "mask"] = Field(
        "keep", description="Whether texts that differ only in figures are different."
    )
    threshold: float = Field(0.8, gt=0, le=1, description="Jaccard similarity from which two documents are duplicates.")
    bands: int = Field(
        20,
        ge=1,
        le=500,
        description="Bands of the signature; without bands and rows, 120 hashes as the threshold needs.",
    )
    rows: int = Field(6, ge=1, le=50, description="Hashes in a band; more make candidates more alike.")
    planted: int = Field(
        200, ge=0, le=100_000, description="Near-duplicates made for the self-test, whose recall the manifest tells."
    )

    @model_validator(mode="before")
    @classmethod
    def _bands_for_the_threshold(cls, given: Any) -> Any:
        """The most rows with which a pair at the threshold is still a candidate with a probability of 0.985."""
        threshold = given.get("threshold", 0.8) if isinstance(given, dict) else None
        if not isinstance(threshold, int | float) or not 0 < threshold <= 1 or {"bands", "rows"} & set(given):
            return given
        sure = [rows for rows in range(1, 13) if 1 - (1 - threshold**rows) ** (120 // rows) >= 0.985]
        rows = max(sure, default=1)
        return {**given, "bands": 120 // rows, "rows": rows}


class Paragraphs(Section):
    """Paragraphs that stand in many documents: counted, and cut where a kind of text says so. Tables are exempt."""

    more_than: int = Field(10, ge=1, description="In how many documents a paragraph may stand before it is repeated.")
    at_least: int = Field(40, ge=1, description="Characters of a paragraph that is looked at.")
    keep: dict[str, Annotated[int, Field(ge=0)]] = Field(
        {}, description="By kind of text, in how many documents, the best ones, a repeated paragraph stays."
    )


class Dedup(Section):
    """Stage 4: exact duplicates always, near ones unless they are switched off."""

    near: Near | Literal["off"] = Field(Near(), description="How near-duplicates are found, or `off`.")
    paragraphs: Paragraphs = Field(Paragraphs(), description="Paragraphs that stand in many documents.")
    against: list[str] = Field(
        [], description="Folders of earlier builds, from the recipe's folder; what they hold is not kept again."
    )
    memory: str = Field("1GB", pattern=r"^\d+(KB|MB|GB)$", description="What a task of this stage holds at a time.")

    @property
    def bytes(self) -> int:
        """The memory of a task in bytes."""
        return int(self.memory[:-2]) * _UNITS[self.memory[-2:]]

    @field_validator("near", mode="before")
    @classmethod
    def _yaml_off(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML 1.1 reads a bare `off` as false


class Tokenize(Section):
    """Stage 5: kept documents to shards."""

    tokenizer: str = Field(
        description="Folder with a tokenizer.json or SentencePiece `.model`, or the file; from the recipe's folder."
    )
    bos: bool = Field(False, description="Put the beginning-of-text token before each document.")
    eos: bool = Field(True, description="Put the end-of-text token after each document.")
    validation: float = Field(
        0.01, ge=0, lt=1, description="Share of documents, by their ids, that go to the validation split."
    )


class EngineOptions(Section):
    """How tasks are run."""

    retries: int = Field(
        2, ge=0, le=10, description="How often a task is tried again after its process died or was late."
    )
    timeout: float = Field(3600.0, gt=0, description="Seconds that one task may take.")


class Recipe(Section):
    """All of it, with the file that it came from."""

    name: Name = Field(description="Names the corpus.")
    sources: list[Source] = Field(min_length=1, description="Where inputs come from.")
    extract: Extract = Field(Extract(), description="Stage 2: bytes to documents.")
    refine: Refine = Field(Refine(), description="Stage 3: clean, measure, judge.")
    decontaminate: Decontaminate = Field(Decontaminate(), description="Part of stage 3: benchmark items.")
    policy: Policy = Field(Policy(), description="Which sources and pages may be used.")
    dedup: Dedup = Field(Dedup(), description="Stage 4: duplicates.")
    tokenize: Tokenize = Field(description="Stage 5: shards.")
    engine: EngineOptions = Field(EngineOptions(), description="How tasks are run.")

    @field_validator("sources")
    @classmethod
    def _names_are_unique(cls, sources: list[Source]) -> list[Source]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources have the name {twice[0]!r}; a document's id depends on it")
        return sources


def load_recipe(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read the recipe at `path`, with `changes` such as ``("dedup.near.threshold=0.7",)`` on top.

    Raises:
        RecipeError: names file and key, says what is wrong and what is near.
    """
    return load(path, Recipe, changes)


def load(path: Path, model: type[S], changes: tuple[str, ...] = ()) -> S:
    """Read a YAML file as `model`, whatever sections it has; see `load_recipe`."""
    try:
        tree = yaml.load(path.read_text(encoding="utf-8-sig"), _StrictLoader)  # noqa: S506 - a SafeLoader of ours
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise RecipeError(f"{path}{line}: {getattr(error, 'problem', None) or 'not YAML'}") from None
    if not isinstance(tree, dict):
        raise RecipeError(f"{path}: a {model.__name__.lower()} is a mapping of keys to values")
    for change in changes:
        _apply(tree, change)
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        told = [_explain(e, model) for e in _telling(error.errors())[:5]]
        raise RecipeError(f"{path}: " + "; ".join(told)) from None


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error, not a silent loss."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _apply(tree: dict[str, Any], change: str) -> None:
    """Set one key; a step into a list is an index, or the name of the item."""
    key, equals, value = change.partition("=")
    if not equals:
        raise RecipeError(f"--set {change}: write KEY=VALUE, such as dedup.near.threshold=0.7")
    *steps, last = key.split(".")
    place: Any = tree
    for step in steps:
        place = _enter(place, step, change)
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise RecipeError(f"--set {change}: the value is not YAML") from None
    if isinstance(place, dict):
        place[last] = parsed
    else:
        raise RecipeError(f"--set {change}: {'.'.join(steps)} is not a mapping")


def _enter(place: Any, step: str, change: str) -> Any:
    if isinstance(place, dict):
        if not isinstance(place.get(step), (dict, list)):
            place[step] = {}
        return place[step]
    if isinstance(place, list):
        named = {item["name"]: item for item in place if isinstance(item, dict) and "name" in item}
        if step in named:
            return named[step]
        if step.isdigit() and int(step) < len(place):
            return place[int(step)]
        raise RecipeError(f"--set {change}: there is no {step!r}; {nearest(step, map(str, named))}")
    raise RecipeError(f"--set {change}: {step!r} leads nowhere")


def _telling(errors: list[Any]) -> list[Any]:
    """Without "should be 'off'" where a mapping was given: what is wrong in the mapping is told anyway."""
    return [e for e in errors if not (e["type"] == "literal_error" and isinstance(e["input"], dict))]


def _explain(error: Any, model: type[BaseModel]) -> str:
    """One pydantic error as `key: what is wrong; what is near`."""
    location = [step for step in error["loc"] if step not in {"Near", "literal['off']"}]
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {key!r}; {nearest(str(location[-1]), _keys_at(model, location[:-1]))}"
        case "missing":
            return f"{key!r} is missing"
        case "value_error":
            return f"{key}: {error['ctx']['error']}"
        case "string_type" if isinstance(error["input"], bool):
            return f"{key}: YAML reads a bare yes, no, on or off as true or false; put it in quotes"
        case _:
            return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _keys_at(model: type[BaseModel], location: list[Any]) -> list[str]:
    """The valid keys of the section at `location`."""
    section = model
    for step in location:
        if isinstance(step, str):
            section = section_of(section.model_fields[step].annotation) or section
    return list(section.model_fields)


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a key of this type holds, if it holds one: in a list, beside None or a word."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(section_of, typing.get_args(annotation))), None)
