"""Documents -> cleaned, measured, judged documents: normalize, privacy, blocks, benchmarks, words, rules, sketch.

In: a document as an extractor left it; its ``kind`` names the profile that judges it. Out: `Refined`, everything that
later stages and the ledger need, for kept and rejected documents alike. One MeCab pass serves the rules and the sketch.

Many documents go through each step together: MeCab's dictionary and the tables of the rules push each other out of the
processor's cache, which document by document costs a seventh of all time. So `together` cuts a stream into lists.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pipelines.dedup.paragraphs import marked
from pipelines.dedup.wrapped import unwrapped
from pipelines.normalize import check_normalize, normalize
from pipelines.privacy import mask
from pipelines.quality.measuring import measure_all
from pipelines.quality.texts import Texts
from pipelines.words import Analyzer
from registry.errors import InputError, UnknownNameError, nearest
from registry.ledger import Cut, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipelines.blocks.filters import Block
    from pipelines.decontaminate import Decontaminator, Overlap
    from pipelines.dedup.minhash import Signer, Sketch
    from pipelines.privacy import Masked
    from pipelines.quality import Profile, Text
    from registry.document import Document

Privacy = Literal["mask", "count", "off"]
Officers = Literal["keep", "mask"]
Remove = Literal["documents", "spans"]
T = TypeVar("T")


AT_ONCE = 1 << 18  # characters; half as many take 2 % longer, 4,096 take 18 % longer


@dataclass(frozen=True, slots=True)
class Refined:
    """What became of one document."""

    text: str
    chars: int
    words: int
    measurements: dict[str, float]  # every rule's, privacy_<type>, "unwanted <word>" for words found, and quality
    verdict: Verdict | None  # None: it is kept, as far as this stage is concerned
    cuts: list[Cut]  # of privacy, in characters of the normalised text; of benchmark items, of the masked text
    content: bytes  # 16 bytes, a hash of the text without white space: exact duplicates share it
    sketch: Sketch
    paragraphs: bytes  # where they stand, with their hashes (pipelines/dedup/paragraphs.py)


@dataclass(frozen=True, slots=True)
class _Cleaned:
    """A document whose text will change no more, before MeCab has read it."""

    profile: Profile
    text: str
    refused: Verdict | None
    masked: Masked
    overlaps: list[Overlap]


class Refiner:
    """Refines documents by one recipe. Built once per worker process; remembers nothing that could change a result."""

    def __init__(
        self,
        *,
        profiles: Mapping[str, Profile],
        normalize: Mapping[str, Any],
        privacy: Privacy,
        signer: Signer,
        user_dictionary: Path | None,
        blocks: Sequence[Block],
        officers: Officers = "keep",
        salt: bytes = b"",
        decontaminator: Decontaminator | None = None,
        remove: Remove = "documents",
    ) -> None:
        """Load what the steps need.

        Raises:
            UsageError: an option of `normalize` is none, or the user dictionary cannot be used.
        """
        self._profiles = profiles
        self._normalize = check_normalize(normalize)
        self._privacy: Privacy = privacy
        self._officers: Officers = officers
        self._salt = salt
        self._signer = signer
        self._analyzer = Analyzer(user_dictionary)
        self._blocks = blocks
        self._decontaminator = decontaminator
        self._remove: Remove = remove

    def refine(self, document: Document) -> Refined:
        """What becomes of `document`, which stays as it is.

        Raises:
            InputError: ``rule_failed``: a rule could not measure it.
            UnknownNameError: the document's kind has no profile.
        """
        (refined,) = self.refine_all([document])
        if isinstance(refined, InputError):
            raise refined
        return refined

    def refine_all(self, documents: Sequence[Document]) -> list[Refined | InputError]:
        """What becomes of each of `documents`, or why a rule could not measure it. All are in memory together.

        Raises:
            UnknownNameError: a document's kind has no profile.
        """
        if not documents:
            return []
        cleaned = [self._cleaned(document) for document in documents]
        texts = [one.text for one in cleaned]
        forms = {place: form for place, text in enumerate(texts) if (form := unwrapped(text)) != text}
        words = self._analyzer.analyze_all([*texts, *forms.values()])  # lines that stay the same are read once
        words, changed = words[: len(texts)], words[len(texts) :]
        sketched = words.copy()
        for place, unbroken in zip(forms, changed, strict=True):
            sketched[place] = unbroken
        sketches = self._signer.sketch_all([one.text for one in sketched], [(one.start, one.end) for one in sketched])
        docs = Texts(words)
        found = measure_all(docs, [one.profile for one in cleaned])
        return list(map(self._refined, cleaned, docs, found, map(sketches.one, range(len(cleaned)))))

    def _cleaned(self, document: Document) -> _Cleaned:
        profile = self._profile(document)
        text = normalize(document.text, **self._normalize)
        masked = mask(text, mode=self._privacy, officers=self._officers, salt=self._salt)
        refused, text = self._passed(document, masked.text)
        text, overlaps = self._decontaminated(text)
        if overlaps and self._remove == "documents":
            worst = max(overlaps, key=lambda overlap: overlap.share)
            refused = refused or Verdict("decontaminate", worst.item, worst.share, worst.needed)
        return _Cleaned(profile, text, refused, masked, overlaps)

    def _refined(
        self, one: _Cleaned, doc: Text, measurements: dict[str, float] | InputError, sketch: Sketch
    ) -> Refined | InputError:
        from pipelines.content import content  # its machine code takes half a second to load

        if isinstance(measurements, InputError):
            return measurements
        measurements |= {f"privacy_{type_}": float(count) for type_, count in one.masked.counts.items()}
        measurements |= {f"unwanted {word}": float(count) for word, count in sorted(doc.phrases["unwanted"].items())}
        measurements["quality"] = round(1.0 - doc.unknown / max(doc.japanese, 1), 2)
        return Refined(
            text=one.text,
            chars=len(one.text),
            words=len(doc.tokens),
            measurements=measurements,
            verdict=one.refused or one.profile.judge(measurements),
            cuts=[*one.masked.cuts, *(Cut("decontaminate", o.item, o.start, o.end) for o in one.overlaps)],
            content=content(doc.tokens.codes),
            sketch=sketch,
            paragraphs=marked(one.text, doc.tokens.start),
        )

    def _decontaminated(self, text: str) -> tuple[str, list[Overlap]]:
        """`text`, without the benchmark items it holds where only these are removed; and the items."""
        from pipelines.decontaminate import without

        overlaps = self._decontaminator.find(text) if self._decontaminator else []
        return (without(text, overlaps) if overlaps and self._remove == "spans" else text), overlaps

    def _profile(self, document: Document) -> Profile:
        kind = str(document.metadata.get("kind", ""))
        if kind not in self._profiles:
            raise UnknownNameError(f"there is no profile for texts of kind {kind!r}; {nearest(kind, self._profiles)}")
        return self._profiles[kind]

    def _passed(self, document: Document, text: str) -> tuple[Verdict | None, str]:
        """The first verdict of a block on `document` with another text; and the text, which blocks may change."""
        if not self._blocks:
            return None, text
        changed = dataclasses.replace(document, text=text, metadata=dict(document.metadata))
        verdicts = (block.apply(changed) for block in self._blocks)
        refused = next((verdict for verdict in verdicts if verdict is not None), None)
        return refused, changed.text


def together(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """`items` in lists of `AT_ONCE` characters, and what the last of a list has beyond these."""
    some: list[T] = []
    characters = 0
    for item in items:
        some.append(item)
        characters += size(item)
        if characters >= AT_ONCE:
            yield some
            some, characters = [], 0
    if some:
        yield some
