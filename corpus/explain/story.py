"""A journey as lines for a terminal. Document text is made visible first: nothing in it can act on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from corpus.audit.changes import Change, excerpt
from corpus.audit.visible import visible
from corpus.explain.flips import Judged
from corpus.explain.journey import Journey

_SHOWN = 400  # characters of changes that are shown of one step
_MARKS = {"-": ("[-", "-]"), "+": ("{+", "+}"), "=": ("", "")}
_PLACES = {
    "intermediates": "the text as it was extracted, from the build's intermediates",
    "raw file": "the text as it was extracted, read again from the raw file",
}


def story(told: Journey) -> Iterator[str]:
    """The lines of one document's journey."""
    row = told.row
    yield visible(row["title"] or "(no title)")
    yield f"  id         {row['id']}"
    yield f"  read from  {place(row)}"
    yield f"             {row['kind']}, {row['media_type'] or 'type unknown'}, {row['licence']}"
    yield f"             sha256 {row['sha256']}"
    yield f"  fate       {_fate(told)}"
    if row["fate"] != "failed":
        yield f"  size       {row['chars']:,} characters, {row['words']:,} words, {row['tokens']:,} tokens"
    if told.shard:
        yield f"  tokens in  {told.shard[0]}, row {told.shard[1]}"
    yield from _cleaning(told)
    yield from _twin(told)
    yield from _measurements(told)
    for number, flip in enumerate(told.flips):
        yield f"{_head('to change', number)}{flip.change}"
        yield f"             {flip.effect}"


def place(row: dict[str, Any]) -> str:
    """Source, path within it and part."""
    return visible(f"{row['source']}/{row['uri']}" + (f" [{row['part']}]" if row["part"] else ""))


def marked(found: Iterable[Change]) -> str:
    """Changes on one line: [-gone-]{+new+}, line ends as ⏎."""
    pieces = (f"{_MARKS[sign][0]}{visible(text)}{_MARKS[sign][1]}" for sign, text in found)
    return "".join(pieces).replace("\n", "⏎")


def _fate(told: Journey) -> str:
    row = told.row
    match row["fate"]:
        case "rejected":
            if row["value"] is None or row["threshold"] is None:
                return f"rejected by {row['rule']} in {row['stage']}"
            side = "below" if row["value"] < row["threshold"] else "above"
            return f"rejected: {row['rule']} is {row['value']:.4g}, {side} the threshold {row['threshold']:.4g}"
        case "duplicate" if told.twin:
            twin = told.twin.row
            return f"{_how(row)} {twin['id']} ({place(twin)})"
        case "duplicate":
            return f"{_how(row)} {row['duplicate_of']} in an earlier build"
        case "failed":
            return f"failed in {row['stage']}: {visible(row['error'])}"
        case fate:
            return str(fate)


def _how(row: dict[str, Any]) -> str:
    if row["rule"] == "contained":
        return f"contained: {row['similarity']:.4f} of it stands in"
    return f"{row['rule']} duplicate, similarity {row['similarity']:.4f}, of"


def _cleaning(told: Journey) -> Iterator[str]:
    if told.row["fate"] == "failed":
        return
    if not told.place:
        yield "  cleaned    what it was before is not on record: the build's intermediates and the raw file are gone"
    else:
        yield f"  cleaned    from {_PLACES[told.place]}"
    if not told.agrees:
        yield "             cleaning it again gives another text than the one on record: the code has changed since"
    for step in told.steps:
        if any(sign != "=" for sign, _ in step.changes):
            yield f"             {step.name}: {marked(excerpt(step.changes, _SHOWN))}"
        elif step.name != "privacy":
            yield f"             {step.name}: nothing changed"
    for cut in told.row["cuts"]:
        yield f"             {cut['stage']}: {cut['rule']} masked, characters {cut['start']}-{cut['end']}"


def _twin(told: Journey) -> Iterator[str]:
    twin = told.twin
    if twin is None:
        return
    yield f"  the other  was kept for its {twin.preferred}"
    if twin.similarity is not None:
        word = "share" if told.row["rule"] == "contained" else "similarity"
        yield f"             {word} computed again from the shingles: {twin.similarity:.4f}"
    if twin.partner and twin.partner != twin.row["id"]:
        yield f"             most like {twin.partner}, similarity {twin.partner_similarity:.4f}"
    differs = any(sign != "=" for sign, _ in twin.changes)
    yield f"             {marked(excerpt(twin.changes, 2 * _SHOWN)) if differs else 'the texts are the same'}"


def _measurements(told: Journey) -> Iterator[str]:
    """Measurements that a threshold judges, in the order in which they judge; then the others."""
    for number, limit in enumerate(told.limits):
        decided = told.row["fate"] == "rejected" and limit.rule == told.row["rule"]
        mark = "  <- decided" if decided else "  <- beyond" if limit.broken else ""
        yield f"{_head('measured', number)}{limit.rule:<28} {limit.value:>10.4g}  {_bound(limit)}{mark}"
    judged = {limit.rule for limit in told.limits}
    for rule in sorted(set(told.row["measurements"]) - judged):
        yield f"             {rule:<28} {told.row['measurements'][rule]:>10.4g}"


def _bound(limit: Judged) -> str:
    words = {"at_least": "at least", "at_most": "at most"}
    return " and ".join(f"{words[key]} {limit.limit[key]:g}" for key in words if key in limit.limit)


def _head(word: str, number: int) -> str:
    return f"  {word:<11}" if number == 0 else " " * 13
