"""datatrove's tokenized files, which nanotron's Nanoset reads: ``.ds`` raw tokens, ``.ds.index`` ends of documents.

Layout: datatrove/pipeline/tokens/tokenizer.py and utils/dataset.py; the index has uint64 counts of tokens. There is no
``.metadata``: nanotron refuses a configuration whose tokenizer is not named there by the very same path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

import numpy as np

from corpus.export.split import FILE_TOKENS, Output, Split


def nanotron(splits: Sequence[Split]) -> Iterator[Output]:
    """``SPLIT/00000.ds`` with ``.index``; nanotron's ``dataset_folder`` is ``SPLIT``."""
    for split in splits:
        ends = split.ends
        for number, run in enumerate(split.runs(FILE_TOKENS)):
            name = f"{split.name}/{number:05}.ds"
            begin, end = int(ends[run.start]), int(ends[run.stop])
            write = partial(split.write_tokens, start=begin, stop=end, dtype=split.dtype)
            yield Output(name, write, len(run), end - begin)
            yield Output(f"{name}.index", partial(_index, split=split, run=run))


def _index(file: IO[bytes], split: Split, run: range) -> None:
    """Ends of documents. An empty one is left out: its end, given twice, makes the reader miss the next beginning."""
    ends = split.ends[run.start : run.stop + 1]
    file.write(np.unique(ends[1:] - ends[0]).astype("<u8").data)
