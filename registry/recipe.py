"""The recipe: the YAML that says how a corpus is built, as pydantic models.

In: a recipe file and the `--set key=value` of the command line. Out: a `Recipe` that is known to be well-formed, or one
`RecipeError` that names file, key and the nearest valid word. What the names in it refer to (rules, extractors,
blocks, the tokenizer) is checked by `pipelines.preflight`, which knows them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from registry.configuration import Section, load
from registry.errors import RecipeError

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
Size = Annotated[str, StringConstraints(pattern=r"^\d+(KB|MB|GB)$")]
LEAST_MEMORY = "512MB"
_UNITS = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


Use = Literal["training", "redistribution", "retention"]


class Source(Section):
    """A named place that inputs come from, with its licence and terms."""

    name: Name = Field(description="Names the source in ledger, shards and report; unique in the recipe.")
    path: str = Field(
        description="A file, a folder with all in it, or a pattern such as `news/*.html`, from the recipe's folder; "
        "or the same at a URL, such as `s3://bucket/news/*.warc.gz`."
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
    memory: Size = Field("4GB", description="Address space of a parser's process.")

    @property
    def bytes(self) -> int:
        """The memory limit in bytes."""
        return _bytes(self.memory)


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
    salt: str | None = Field(
        None,
        description="A file with a secret of 16 bytes or more, from the recipe's folder: the ledger then holds a keyed "
        "hash of every masked value, so that equal values can be told. Without it there is none, for it could be "
        "undone; and none is drawn, for builds of the same inputs would differ.",
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
    containment: float | None = Field(
        None,
        gt=0,
        le=1,
        description="How much of a document's shingles a longer one has to hold for the document to go; without it, "
        "none goes for that.",
    )
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
        """The most rows with which a pair at the threshold is still a candidate with a probability of 0.995."""
        threshold = given.get("threshold", 0.8) if isinstance(given, dict) else None
        if not isinstance(threshold, int | float) or not 0 < threshold <= 1 or {"bands", "rows"} & set(given):
            return given
        sure = [rows for rows in range(1, 13) if 1 - (1 - threshold**rows) ** (120 // rows) >= 0.995]
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
    memory: Size = Field("1GB", description="What a task of this stage holds at a time.")

    @property
    def bytes(self) -> int:
        """The memory of a task in bytes."""
        return _bytes(self.memory)

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


class RayOptions(Section):
    """How tasks are run by `--engine ray`."""

    address: str = Field("", description="HOST:PORT of a cluster's head; without it, a cluster on this machine.")
    memory: str = Field(
        "", pattern=r"^(\d+(KB|MB|GB))?$", description="Memory that Ray sets aside for a task when it places it."
    )

    @property
    def bytes(self) -> int:
        """The memory in bytes; 0 for none asked for."""
        return _bytes(self.memory) if self.memory else 0


_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:,@+-]*$", max_length=200)]


class SlurmOptions(Section):
    """How tasks are run by `--engine slurm`."""

    partition: _Word = Field("", description="Partition of the jobs; without it, the cluster's default.")
    account: _Word = Field("", description="Account that they are charged to.")
    qos: _Word = Field("", description="Quality of service.")
    time: _Word = Field("", description="Time limit of a job, such as `02:00:00`; it covers all its tasks.")
    memory: str = Field("", pattern=r"^(\d+(MB|GB))?$", description="Memory of a job; all its workers share it.")
    cpus: int = Field(1, ge=1, le=1024, description="CPUs of a job, and workers in it.")
    array: int = Field(
        1000, ge=1, le=1_000_000, description="Jobs of an array at most; each does its share of a stage's tasks."
    )
    python: str = Field("", description="Python on the nodes; without it, the path of the one that runs the build.")
    setup: list[str] = Field(
        [], description="Shell commands before a job begins, such as `module load python`; only in an engine.yaml."
    )


class EngineOptions(Section):
    """How tasks are run. An `engine.yaml` beside the recipe has the same keys and goes before the recipe."""

    retries: int = Field(
        2, ge=0, le=10, description="How often a task is tried again after its process died or was late."
    )
    timeout: float = Field(3600.0, gt=0, description="Seconds that one task may take.")
    memory: Size = Field("4GB", description="What a worker may allocate, 512MB at least; a task that needs more fails.")
    task: Size = Field(
        "64MB", description="Bytes of text that a task takes, unless one input has more; shards are made of as many."
    )
    ray: RayOptions = Field(RayOptions(), description="What only Ray is told.")
    slurm: SlurmOptions = Field(SlurmOptions(), description="What only Slurm is told.")

    @field_validator("memory")
    @classmethod
    def _libraries_have_room(cls, memory: str) -> str:
        if _bytes(memory) < _bytes(LEAST_MEMORY):  # OpenBLAS asks for ever where it gets none
            raise ValueError(f"the libraries of a worker alone need {LEAST_MEMORY}")
        return memory

    @property
    def bytes(self) -> int:
        """The memory of a worker in bytes."""
        return _bytes(self.memory)

    @property
    def task_bytes(self) -> int:
        """The size of a task in bytes."""
        return _bytes(self.task)


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

    def made_of(self) -> dict[str, Any]:
        """What the result depends on: all but where tasks run, how often, and how much time and memory they get."""
        return self.model_dump(exclude={"engine": {"ray", "slurm", "retries", "timeout", "memory"}})

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
    recipe = load(path, Recipe, changes)
    if recipe.engine.slurm.setup:
        raise RecipeError(f"{path}: engine.slurm.setup: shell commands stand in an engine.yaml, not in a recipe")
    return recipe


def load_engine(path: Path, recipe: Recipe, changes: tuple[str, ...] = ()) -> EngineOptions:
    """The recipe's section `engine`, with what the file at `path` says on top, and `changes` on top of that.

    Raises:
        RecipeError: as of `load_recipe`.
    """
    prefix = "engine."
    own = tuple(change.removeprefix(prefix) for change in changes if change.startswith(prefix))
    given = load(path, EngineOptions, own).model_dump(exclude_unset=True)
    merged = recipe.engine.model_dump(exclude_unset=True)
    for key, value in given.items():
        merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return EngineOptions.model_validate(merged)


def _bytes(size: str) -> int:
    return int(size[:-2]) * _UNITS[size[-2:]]
