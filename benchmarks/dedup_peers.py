"""The peers, each by its documented way, given the same MeCab words: signatures alone, and the whole deduplication.

`SIGN[name]` makes signatures of 120 lanes; `WHOLE[name]` returns which documents it would remove. A peer that is not
installed raises ImportError when it is called. None verifies its candidates.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Words = list[list[str]]
LANES, BANDS, ROWS = 120, 20, 6


def _grams(words: list[str]) -> list[str]:
    return [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]


def _datasketch_signature(words: list[str]) -> Any:
    from datasketch import MinHash

    signature = MinHash(num_perm=LANES)
    signature.update_batch([gram.encode() for gram in _grams(words)])
    return signature


def sign_datasketch(documents: Words) -> None:
    for words in documents:
        _datasketch_signature(words)


def datasketch(documents: Words) -> list[int]:
    from datasketch import MinHashLSH

    index, removed = MinHashLSH(num_perm=LANES, params=(BANDS, ROWS)), []
    for number, words in enumerate(documents):
        signature = _datasketch_signature(words)
        if index.query(signature):
            removed.append(number)
        index.insert(number, signature)
    return removed


def _rensa_signature(words: list[str]) -> Any:
    from rensa import RMinHash

    signature = RMinHash(num_perm=LANES, seed=42)
    signature.update(_grams(words))
    return signature


def sign_rensa(documents: Words) -> None:
    for words in documents:
        _rensa_signature(words).digest()


def rensa(documents: Words) -> list[int]:
    from rensa import RMinHashLSH

    index, removed = RMinHashLSH(threshold=0.8, num_perm=LANES, num_bands=BANDS), []
    for number, words in enumerate(documents):
        signature = _rensa_signature(words)
        if index.query(signature):
            removed.append(number)
        index.insert(number, signature)
    return removed


def hojichar(documents: Words) -> list[int]:
    from hojichar import Document
    from hojichar.filters.deduplication import GenerateDedupLSH, InlineDeduplicator

    made = GenerateDedupLSH(tokenizer=str.split, n_grams=5, num_bands=BANDS, band_size=ROWS)
    pool, removed = InlineDeduplicator(), []
    for number, words in enumerate(documents):
        if pool.apply(made.apply(Document(" ".join(words)))).is_rejected:
            removed.append(number)
    return removed


def datatrove(documents: Words) -> list[int]:
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.word_tokenizers import WhitespaceTokenizer

    class Given(MinhashDedupSignature):  # type: ignore[misc]
        """Its own maths on words that are given: it has no MeCab."""

        def get_shingles(self, text: str) -> Any:
            grams = [gram.encode() for gram in _grams(text.split(" "))]  # xxhash 4 takes bytes alone
            return np.fromiter(map(self._hash_func, grams), dtype=np.uint64).reshape((-1, 1))

    config, blanks = MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS), WhitespaceTokenizer()
    with tempfile.TemporaryDirectory() as folder:
        data = (Document(text=" ".join(words), id=str(number)) for number, words in enumerate(documents))
        Given(f"{folder}/signatures", config, blanks).run(data, 0, 1)
        for bucket in range(BANDS):
            MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config).run(None, bucket, BANDS)
        MinhashDedupCluster(f"{folder}/buckets", f"{folder}/removed", config=config).run(None, 0, 1)
        removed = Path(folder, "removed", "000000.remove")  # not there where nothing is removed
        return [int(number) for number in np.frombuffer(removed.read_bytes() if removed.is_file() else b"", "<u4")]


SIGN: dict[str, Callable[[Words], None]] = {"datasketch": sign_datasketch, "rensa": sign_rensa}
WHOLE: dict[str, Callable[[Words], list[int]]] = {
    "datasketch": datasketch,
    "rensa": rensa,
    "hojichar": hojichar,
    "datatrove": datatrove,
}
