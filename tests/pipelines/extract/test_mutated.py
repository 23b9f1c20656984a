"""Three hundred mutated and hostile inputs: each ends in text or a reason, none in a crash or a traceback."""

from __future__ import annotations

import gzip
import io
import random
import zipfile

import pytest

import pipelines.extract  # noqa: F401 - promises the extractors
from pipelines.extract import Raw
from pipelines.extract.archive import Unpacker, is_archive, list_members
from pipelines.extract.html import read_html
from pipelines.extract.sandbox import Sandbox
from pipelines.extract.sniff import sniff
from registry.errors import InputError
from registry.names import extractor
from registry.recipe import Limits

FILING = (
    '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" xmlns:ix="http://www.xbrl.org/2008/inlineXBRL">'
    '<head><title>x</title></head><body><h3>１【業績】</h3><table><tr><td rowspan="2">利益</td><td>△<ix:nonFraction name="a:b" sign="-">'
    "12</ix:nonFraction></td></tr><tr><td>3</td></tr></table><p>売上は増加した。</p></body></html>"
)
PAGE = f"<!doctype html><html><body><main><h1>題</h1><p>{'文章が続く。' * 40}</p><pre>a\n  b</pre><math><mi>x</mi></math></main></body></html>"
LAW = "<Law><LawBody><LawTitle>法</LawTitle><Article><ArticleTitle>一</ArticleTitle><Sentence>文。</Sentence></Article></LawBody></Law>"
CSV = (
    '"要素ID"\t"項目名"\t"c"\t"y"\t"s"\t"p"\t"u"\t"n"\t"値"\r\n'
    + '"a:bTextBlock"\t"事業"\t""\t""\t""\t""\t""\t""\t"本文。"\r\n' * 5
)
INSTANCE = '<xbrl xmlns="http://www.xbrl.org/2003/instance"><ATextBlock>&lt;p&gt;本文 12&lt;/p&gt;</ATextBlock></xbrl>'


def zipped():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/page.html", PAGE)
        archive.writestr("b.htm", FILING)
    return target.getvalue()


SEEDS = {
    "filing": FILING.encode(),
    "page": PAGE.encode(),
    "page_sjis": PAGE.encode("cp932"),
    "law": LAW.encode(),
    "csv": CSV.encode("utf-16"),
    "instance": INSTANCE.encode(),
    "text": "# 題\n\n```{r}\n#| a\nx\n```\n\n本文。\n".encode(),
    "jsonl": b'{"text": "a"}\n' * 8,
    "gzip": gzip.compress(PAGE.encode()),
    "zip": zipped(),
}
HOSTILE = {
    "laughs": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol">'
    + b"".join(f'<!ENTITY a{n} "{f"&a{n - 1 or str()};" * 10}">'.encode() for n in range(1, 10))
    + b"]><Law><LawTitle>&a9;</LawTitle></Law>",
    "external": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><Law><LawTitle>&a;</LawTitle></Law>',
    "deep": b"<html><body>" + b"<div>" * 100_000 + b"1",
    "deep_table": b"<html><body>" + b"<table><tr><td>" * 3000 + b"1",
    "deep_list": b"<html><body>" + b"<ul><li>" * 1000 + b"1",
    "one_line": b"<html><body><p>" + "一二三".encode() * 300_000 + b"</p></body></html>",
    "nul": b"<html>\0<body>\0<p>a\0b</p>" + "文。".encode() * 50,
    "surrogates": b"<html><body><p>&#xD800;&#xDFFF;&#55296; a \xed\xa0\x80</p></body></html>",
    "spans": b"<html><body><table><tr><td colspan=999999999 rowspan=999999999>1<td>2<tr><td rowspan=0>3</table></body></html>",
    "attributes": b"<html><body><p " + b"a=1 " * 100_000 + b">1</p></body></html>",
    "formulas": b"<html><body>" + b"<math><mrow><mfrac>" * 600 + b"x",
    "notes": b"<html><body>" + b'<a href="#fn1" class="footnote-ref">1</a>' * 2000 + b"<p id=fn1>n</p></body></html>",
    "styles": b"<html><head><style>"
    + b"@media{{{" * 3000
    + b".a{display:none}" * 3000
    + b"</style></head><body>a</body></html>",
    "bom": b"\xef\xbb\xbf",
    "ff": b"\xff" * 5000,
}


LINE = "<p>当期の売上高は1,234百万円となり、前期に比べて増加しました。</p>"
HUGE = {  # 100 MB, all on one line: what is repeated, and what it ends in
    "paragraphs": (LINE, ""),
    "text": ("売上高は1,234百万円となり、", ""),
    "cells": ("<td>売上高 1,234</td>", "too_large"),
    "nested": ("<b>a", "too_large"),
}


def mutated(data, seed):
    """A byte changed, a piece cut out, doubled or overwritten, or the end cut off: a few of these, by `seed`."""
    chance = random.Random(seed)
    made = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at, length = chance.randrange(len(made) + 1), chance.randint(1, 40)
        match chance.randrange(5):
            case 0:
                made[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del made[at : at + length]
            case 2:
                made[at:at] = made[at : at + length] * chance.randint(1, 50)
            case 3:
                made[at : at + length] = chance.randbytes(length)
            case _:
                del made[at + 1 :]
    return bytes(made)


def read(path, folder):
    """The texts and reasons that the bytes at `path` end in."""
    if is_archive(path):
        unpacker = Unpacker(folder)
        for member in list_members(path):
            yield member.error or (read_one(unpacker.fetch(path, member.name)))
    else:
        yield read_one(path)


def read_one(path):
    try:
        sniffed = sniff(path)
        found = list(extractor.get(sniffed.format)(Raw(path, path.name, "", sniffed.media_type)))
    except InputError as error:
        return error.reason
    return " ".join(getattr(one, "text", "") or getattr(one, "reason", "") for one in found)


def outcomes(data, tmp_path):
    path = tmp_path / "input"
    path.write_bytes(data)
    try:
        return list(read(path, tmp_path))
    except InputError as error:
        return [error.reason]


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_inputs_end_in_text_or_a_reason(tmp_path, name):
    for seed in range(30):
        ends = outcomes(mutated(SEEDS[name], f"{name}{seed}"), tmp_path)
        assert ends
        assert all(ends)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_inputs_end_in_text_or_a_reason(tmp_path, name):
    ends = outcomes(HOSTILE[name], tmp_path)
    assert ends
    assert all(ends)
    assert "root:" not in "".join(ends)


def test_a_page_too_long_for_an_article_is_read_whole_and_keeps_its_title():
    part = read_html(f"<html><title>一覧</title><body><nav>案内</nav>{LINE * 40_000}</body></html>")
    assert part.title == "一覧"
    assert part.text.startswith("案内\n\n当期の")
    assert part.measurements["numbers_kept"] == 1


def test_more_elements_than_can_be_walked_are_refused(monkeypatch):
    monkeypatch.setattr("pipelines.extract.markup.MOST_ELEMENTS", 100)
    with pytest.raises(InputError, match="too_large: more than 100 elements"):
        read_html(f"<body>{'<b></b>' * 100}")


@pytest.mark.slow
@pytest.mark.parametrize("name", HUGE)
def test_a_hundred_megabytes_on_one_line_end_within_the_limits(tmp_path, name):
    piece, reason = HUGE[name]
    path = tmp_path / "page.html"
    path.write_text(f"<html><body>{piece * (100_000_000 // len(piece.encode()))}", encoding="utf-8")
    limits = Limits()
    with Sandbox(tmp_path / "log", seconds=limits.seconds / 2, memory=limits.bytes // 2) as sandbox:
        assert end(sandbox, path) == (reason or 1)


def end(sandbox, path):
    """The reason that a page could not be read, or the share of its figures that were kept."""
    try:
        (part,) = sandbox.extract(Raw(path, path.name, "", "text/html"), "html", {})
    except InputError as error:
        return error.reason
    return part.measurements["numbers_kept"]
