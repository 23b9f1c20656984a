"""Seeded texts, instructions and numeric questions of the miniature, as shards and JSONL."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from registry.shards import ShardWriter
from train.numeric import questions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenizers import Tokenizer

WORDS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
VOCABULARY = 2048
END = "<eos>"
_SLOT = re.compile(r"\{(\w)\}")


def text(kind: str, draw: random.Random) -> str:
    """A document of a kind: three to eight sentences."""
    words = WORDS[kind]

    def fill(slot: re.Match[str]) -> str:
        return str(draw.randint(1, 999)) if slot[1] == "d" else str(draw.choice(words[slot[1]]))

    return "".join(_SLOT.sub(fill, draw.choice(words["templates"])) for _ in range(draw.randint(3, 8)))


def texts(kind: str, count: int, seed: int) -> list[str]:
    """Some documents, a function of kind and seed."""
    draw = random.Random(f"{kind} {seed}")  # noqa: S311 - reproducible, not secret
    return [text(kind, draw) for _ in range(count)]


def instruction(kind: str, draw: random.Random) -> tuple[str, str, str]:
    """The name of an instruction about a word of a kind, its prompt, and its answer."""
    name = draw.choice(list(WORDS["instructions"]))
    word = draw.choice(WORDS[kind]["a"]) + draw.choice(WORDS[kind]["n"])
    told = WORDS["instructions"][name]
    return name, told["prompt"].format(x=word), told["answer"].format(x=word)


def follows(name: str, answer: str) -> bool:
    """Whether an answer has the form that the instruction asks for."""
    return re.fullmatch(WORDS["instructions"][name]["form"], answer) is not None


def make_tokenizer(folder: Path) -> Tokenizer:
    """Byte-level BPE over both kinds of text, split by script first."""
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
    tokenizer.train_from_iterator(texts("general", 400, 0) + texts("finance", 400, 0), trainer)
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


def instructions(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Instructions about general words."""
    draw = random.Random(f"instructions {seed}")  # noqa: S311 - reproducible, not secret
    for _ in range(count):
        _, prompt, answer = instruction("general", draw)
        yield {"prompt": prompt, "options": [answer], "answer": 0}


def numeric(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Lookup questions with the figures in view: the right one is that of the item asked for."""
    draw = random.Random(f"numeric {seed}")  # noqa: S311 - reproducible, not secret
    for _ in range(count):
        items = draw.sample(WORDS["finance"]["n"], 2)
        figures = [f"{n}億円" for n in draw.sample(range(10, 100), 4)]
        asked = draw.randrange(2)
        options = draw.sample(figures, 4)
        prompt = f"{items[0]}は{figures[0]}、{items[1]}は{figures[1]}である。質問:{items[asked]}は?"
        yield {"prompt": prompt, "options": options, "answer": options.index(figures[asked]), "numeric": True}


def from_corpus(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Questions that `train.numeric` builds from the finance texts."""
    for number, document in enumerate(texts("finance", count, seed)):
        for question in questions(document, document=f"{number:032x}", source="finance", seed=seed):
            yield json.loads(question.as_json())
