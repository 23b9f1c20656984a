"""The tokenize stage beside the bare tokenizers: how much of their rate is left, and whether the ids are theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer
from turns import turns

from pipelines.tokenize import Encoded, LanguageTokenizer
from registry.shards import ShardWriter

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
DOMAIN = ROOT / "registry" / "domains" / "ja_finance"


def _texts(size: int) -> list[str]:
    folders = [SHARED / "law" / "2013_text", DOMAIN / "sample" / "laws", DOMAIN / "sample" / "literature"]
    texts = [path.read_text(encoding="utf-8", errors="replace") for f in folders for path in sorted(f.rglob("*.txt"))]
    kept, left = [], size
    for text in texts:
        kept += [text[at : at + 4000] for at in range(0, min(left, 20_000, len(text)), 4000)]
        left -= min(20_000, len(text))
        if left <= 0:
            break
    return kept


def tokenizing(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Texts to a whole shard, beside the bare tokenizer: once with its ids handed out as lists, once only encoding."""
    from pipelines.tokenize.domain import save_tokenizer, train_tokenizer
    from pipelines.tokenize.fast import load_fast

    texts = _texts(400_000 if quick else 3_000_000)
    save_tokenizer(train_tokenizer(iter(texts[::2]), model="bpe", vocabulary=16_000), folder / "bpe")
    ways: dict[str, Callable[[Any], Any]] = {}
    stages: dict[str, LanguageTokenizer] = {}
    for kind, path in (("unigram", DOMAIN / "tokenizer"), ("bpe", folder / "bpe")):
        tokenizer = stages[f"{kind} stage"] = LanguageTokenizer.load(path)
        if fast := load_fast(tokenizer.encoder):
            stages[f"{kind} fastokens stage"] = tokenizer.using(fast)
        one, other = (Tokenizer.from_file(str(path / "tokenizer.json")) for _ in range(2))  # each with its own caches
        ways[f"{kind} encoded"] = partial(one.encode_batch_fast, add_special_tokens=False)
        ways[f"{kind} ids"] = partial(_ids, other)
    ways |= {name: partial(tokenizer.encode, bos=False, eos=True) for name, tokenizer in stages.items()}
    seconds = turns(ways, [texts[at : at + 16] for at in range(0, len(texts), 16)], passes=8)
    for name, tokenizer in stages.items():
        encoded = tokenizer.encode(texts, bos=False, eos=True)
        write = partial(_write_shard, folder / "encoded.arrow", tokenizer.dtype)
        seconds[name] += turns({"write": write}, [encoded], passes=8)["write"]
    size = sum(len(text.encode()) for text in texts) / 1e6
    quickest = seconds.get("bpe fastokens stage")
    return {
        "tokenize_ratio_bare": _least_ratio(seconds, "ids"),
        "tokenize_ratio_bare_encoded_only": _least_ratio(seconds, "encoded"),
        "fastokens_ratio": round(seconds["bpe ids"] / quickest, 2) if quickest else None,
        "tokenize_mb_per_cpu_second": {name: round(size / some, 2) for name, some in seconds.items()},
    }


def _least_ratio(seconds: dict[str, float], bare: str) -> float:
    return round(min(seconds[f"{kind} {bare}"] / seconds[f"{kind} stage"] for kind in ("unigram", "bpe")), 3)


def _ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def _write_shard(path: Path, dtype: Literal["uint16", "uint32"], encoded: Encoded) -> None:
    with ShardWriter(path, dtype=dtype) as writer:
        for begin, end in pairwise(encoded.offsets.tolist()):
            writer.write("0" * 32, "source", encoded.ids[begin:end])


def agreeing(folder: Path, *, quick: bool) -> dict[str, Any]:  # noqa: ARG001 - nothing is written
    """Which real tokenizers give, in the stage, the ids of their own library for every text of the sample corpus."""
    texts = _sample()[:: 4 if quick else 1]
    files = [*(SHARED / "tokenizers").rglob("*.model*"), *(SHARED / "tokenizers").rglob("tokenizer.json")]
    good = []
    for path in sorted(files):
        tokenizer = LanguageTokenizer.load(path)
        encoded = tokenizer.encode(texts, bos=False, eos=False)
        bare = _bare_rows(path, texts)
        if encoded.ids.tolist() == [number for row in bare for number in row]:
            good += [path.relative_to(SHARED / "tokenizers").as_posix()]
    return {"identical_ids": good, "identical_ids_of": len(files), "identical_ids_characters": sum(map(len, texts))}


def _bare_rows(path: Path, texts: list[str]) -> list[list[int]]:
    if path.suffix == ".json":
        return _ids(Tokenizer.from_file(str(path)), texts)
    from sentencepiece import SentencePieceProcessor

    rows: list[list[int]] = SentencePieceProcessor(model_file=str(path)).encode(texts)
    return rows


def _sample() -> list[str]:
    """The sample corpus: the records of its JSON Lines and whatever else of it is UTF-8, markup and all."""
    texts = []
    for path in sorted((DOMAIN / "sample").rglob("*")):
        if path.is_file() and b"\x00" not in (content := path.read_bytes()):
            texts += content.decode("utf-8", "replace").split("\n\n")
    return texts
