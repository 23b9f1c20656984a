"""A tokenizer of one's own: BPE or Unigram, trained on the texts of a build, saved as Hugging Face reads it.

Texts are cut where the script changes (presplit.txt: kanji, hiragana, katakana, Latin words, three digits, signs,
line ends), so no piece crosses from a stem into its ending, figures are cut evenly, and training takes seconds where
whole phrases take minutes (368 s for 14 MB). Both kinds lose nothing: BPE works on bytes, Unigram falls back to them.
Scripts are ranges of characters, because libraries differ in what the script Han is: for fastokens 、 is part of it.
A control token or ``<0x41>`` typed in a text is cut at its signs, and so is never one piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from registry.errors import UsageError
from registry.publish import write_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Model = Literal["bpe", "unigram"]

ROLES = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
_BYTES = [f"<0x{number:02X}>" for number in range(256)]


def train_tokenizer(texts: Iterator[str], *, model: Model, vocabulary: int, special: tuple[str, ...] = ()) -> Tokenizer:
    """Train a tokenizer.

    Args:
        texts: what to train on.
        model: "bpe" on bytes, or "unigram" with byte fallback.
        vocabulary: how many ids it has at most; fewer where the texts do not give as many pieces.
        special: control tokens besides <unk>, <s>, </s> and <pad>.

    Raises:
        UsageError: the vocabulary has no room for all bytes and control tokens, or there is nothing to train on.
    """
    controls = list(dict.fromkeys((*ROLES.values(), *special)))
    least = len(_BYTES) + len(controls) + 1
    if vocabulary < least:
        raise UsageError(f"a vocabulary of {vocabulary} has no room for all bytes and control tokens: at least {least}")
    try:
        tokenizer = (_bpe if model == "bpe" else _unigram)(texts, vocabulary, controls)
    except Exception as error:
        if type(error) is not Exception:  # the Rust library raises that itself; anything else came from reading texts
            raise
        raise UsageError(f"nothing can be trained on these texts: {error}") from None
    if tokenizer.get_vocab_size() < least:
        raise UsageError("nothing can be trained on these texts: they are empty")
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the three files that `AutoTokenizer.from_pretrained` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    extra = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
    roles: dict[str, Any] = {**ROLES, "additional_special_tokens": [t for t in extra if t not in ROLES.values()]}
    write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
    write_json(folder / "special_tokens_map.json", roles)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    write_json(folder / "tokenizer_config.json", {**roles, **settings})


@cache
def _pattern() -> str:
    path = Path(__file__).with_name("presplit.txt")
    return "|".join(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))


def _split() -> Any:
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    return Split(Regex(_pattern()), "isolated")


def _bpe(texts: Iterator[str], vocabulary: int, controls: list[str]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, trainers
    from tokenizers.pre_tokenizers import ByteLevel, Sequence

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = Sequence([_split(), ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=controls, initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _unigram(texts: Iterator[str], vocabulary: int, controls: list[str]) -> Tokenizer:
    """Unigram, with the bytes put among its pieces afterwards: its trainer would take them for control tokens."""
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = _split()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary - len(_BYTES), special_tokens=controls, unk_token=ROLES["unk_token"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tree = json.loads(tokenizer.to_str())
    pieces = tree["model"]["vocab"]
    known = [[piece, 0.0] for piece in controls] + [[piece, 0.0] for piece in _BYTES]
    tree["model"]["vocab"] = known + pieces[len(controls) :]
    tree["model"]["byte_fallback"] = True
    tree["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}
    return Tokenizer.from_str(json.dumps(tree))
