"""What the miniature learns from: seeded texts, the documents of a build, instructions and numeric questions."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from registry.shards import ShardWriter
from train.numeric import from_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tokenizers import Tokenizer

    from corpus.opened import OpenedBuild

WORDS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
VOCABULARY = 2048
END = "<eos>"
SOURCES = {  # of a build, by kind of text
    "general": ["laws", "js_primer", "rust_book", "literature", "poems"],
    "finance": ["filings", "reports", "news", "glossary", "sentences"],
}
_SLOT = re.compile(r"\{(\w)\}")
_NAME = re.compile(r"[一-龠]{2,6}|[ァ-ー]{3,8}")


def text(kind: str, draw: random.Random) -> str:
    """A document of a kind: three to eight sentences."""
    words = WORDS[kind]

    def fill(slot: re.Match[str]) -> str:
        return str(draw.randint(1, 999)) if slot[1] == "d" else str(draw.choice(words[slot[1]]))

    return "".join(_SLOT.sub(fill, draw.choice(words["templates"])) for _ in range(draw.randint(3, 8)))


def texts(kind: str, count: int, seed: int) -> list[str]:
    """Some documents, a function of kind and seed."""
    draw = random.Random(f"{kind} {seed}")
    return [text(kind, draw) for _ in range(count)]


def documents(build: OpenedBuild, kind: str, split: str) -> list[tuple[str, str, str]]:
    """Id, source and text of a build's documents of a kind in a split."""
    ids = {row.id for row in build.shards(split)}  # type: ignore[arg-type]
    rows = ((row["id"], row["source"], row["text"]) for row in build.documents())
    return [row for row in rows if row[0] in ids and row[1] in SOURCES[kind]]


def names(kind: str, some: Iterable[str]) -> list[str]:
    """Words that instructions are about: of the seeded texts of a kind, and of some others."""
    lists = WORDS[kind]
    found = {a + n for a in lists["a"] for n in lists["n"]}
    return sorted(found | {name for each in some for name in _NAME.findall(each)})


def instruction(words: list[str], draw: random.Random) -> tuple[str, str, str]:
    """The name of an instruction about one of the words, its prompt, and its answer."""
    name = draw.choice(list(WORDS["instructions"]))
    word, told = draw.choice(words), WORDS["instructions"][name]
    return name, told["prompt"].format(x=word), told["answer"].format(x=word)


def follows(name: str, answer: str) -> bool:
    """Whether an answer has the form that the instruction asks for."""
    return re.fullmatch(WORDS["instructions"][name]["form"], answer) is not None


def make_tokenizer(folder: Path, more: Iterable[str] = ()) -> Tokenizer:
    """Byte-level BPE over both kinds of text and some more, split by script first."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    script = Regex(r"\p{Hiragana}+|[\p{Katakana}ー]+|\p{Han}{1,4}|\p{N}|[^\p{Hiragana}\p{Katakana}ー\p{Han}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(script, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([*texts("general", 400, 0), *texts("finance", 400, 0), *more], trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": END, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer


def write_shards(folder: Path, kind: str, tokenizer: Tokenizer, count: int) -> None:
    """The documents of a kind as shards, with others held out."""
    end = tokenizer.token_to_id(END)
    for split, some, seed in (("train", count, 1), ("validation", 60, 2)):
        with ShardWriter(folder / "shards" / split / "00000.arrow", dtype="uint16") as writer:
            for number, document in enumerate(texts(kind, some, seed)):
                ids = np.array([*tokenizer.encode(document).ids, end], dtype=np.uint16)
                writer.write(f"{number:032x}", kind, ids)


def write_examples(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Examples as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def instructions(words: list[str], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Instructions about some words, each with its one right answer."""
    draw = random.Random(f"instructions {seed}")
    for _ in range(count):
        _, prompt, answer = instruction(words, draw)
        yield {"prompt": prompt, "options": [answer], "answer": 0}


def numeric(build: OpenedBuild, split: str, count: int, seed: int, most: int) -> Iterator[dict[str, Any]]:
    """Questions from seeded finance texts and from a build's, by `train.numeric`; short ones, as sequences are."""
    seeded = [(f"{n:032x}", "seeded", text) for n, text in enumerate(texts("finance", count, seed))]
    made = from_documents([*seeded, *documents(build, "finance", split)], seed=seed)
    short = [question for question in made if len(question.prompt) <= 120]
    draw = random.Random(f"numeric {seed}")
    for question in draw.sample(short, min(most, len(short))):
        yield json.loads(question.as_json())
