"""Web pages -> Markdown: a chapter as a whole, the main text of any other page.

In: HTML in any encoding. Out: one document with its title, date, author, site, licence, and what it reserves:
robots rules and TDM reservation.

A Japanese page gives the article that outweighs its links (`article`); of another, what most of trafilatura,
readability and that article keep of it (`majority`): on 44 such pages with gold F1 .958, where trafilatura 2.3.1 alone
has .928.

A page is one document, even where an article has several: its text is a function of its own bytes, so that it is read
once, found again by its digest, and does not change when another page is added to a source. `next_page` and
`previous_page` in its metadata tell which pages belong together. All is written by our own walk over the tree:
trafilatura's own Markdown has tables without separator rows.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from lxml import etree

from pipelines.extract import Failure, Part
from pipelines.extract.article import choose, drop_false_names, is_japanese, read_article
from pipelines.extract.book import read_book
from pipelines.extract.code import settle_code
from pipelines.extract.encoding import decode_markup
from pipelines.extract.fidelity import fidelity, missing, visible_text
from pipelines.extract.formulas import settle_formulas
from pipelines.extract.majority import agreed
from pipelines.extract.markup import Ruby, hide_by_style, parse_html, rules, settle_ruby
from pipelines.extract.notes import settle_footnotes
from pipelines.extract.walk import blocks_of, to_markdown
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.extract import Raw
    from pipelines.extract.tables import Block

AUTHOR = "//meta[@name='author' or @property='article:author'][not(contains(@content, '://'))]/@content"
LONGEST_ARTICLE = 1_000_000  # characters shown: a longer page is a list or a book, and extractors take minutes for it
DATES = {"original_date": True, "extensive_search": False, "max_date": "2100-01-01"}  # its default is today


def extract_html(raw: Raw, *, ruby: Ruby = "drop", check: bool = False) -> Iterator[Part | Failure]:
    """The main text of one web page. `ruby`: leave readings out, or keep them as 《》.

    `check`: tell in the metadata which figures of the whole page are not in the main text, and where they stand.

    Raises:
        InputError: ``empty`` where there is no text, ``broken`` where no page can be made of it.
    """
    decoded = decode_markup(raw.path.read_bytes())
    seen = {"undecodable": float(decoded.undecodable)}
    yield read_html(decoded.text, ruby=ruby, check=check, measurements=seen)


def read_html(
    text: str,
    *,
    url: str = "",
    ruby: Ruby = "drop",
    check: bool = False,
    measurements: Mapping[str, float] | None = None,
) -> Part:
    """The main text and metadata of a page that is decoded already, as the part "" of its input.

    `numbers_kept` and `signs_kept` are shares of all that the page shows: what is left out counts as lost.

    Raises:
        InputError: as `extract_html`.
    """
    tree: Any = parse_html(text)
    hide_by_style(tree)
    for shown_later in tree.xpath("/html | /html/body | //*[@role = 'tabpanel']"):  # by a script, or by a click
        shown_later.attrib.pop("style", None)
        shown_later.attrib.pop("hidden", None)
    settle_ruby(tree, ruby)
    settle_code(tree)
    settle_formulas(tree)
    settle_footnotes(tree)
    shown = visible_text(tree)
    for form in tree.iter("form"):
        if 2 * len(visible_text(form)) > len(shown):
            form.tag = "div"  # ASP.NET has one around every page: it is no form to fill in
    is_article = len(shown) <= LONGEST_ARTICLE
    facts = (_metadata(tree, url) if is_article else {}) | _stated(tree)
    main = read_book(tree) or (_choose(tree) if is_article else blocks_of(tree))
    if not main:
        raise InputError("empty", "a page without text")
    output = to_markdown(main)
    title = facts.pop("title", "") or " ".join(tree.xpath("string(//title)").split())
    date = facts.pop("date", "")
    if check and (lost := missing(shown, output)):
        facts["missing"] = lost
    seen = {**(measurements or {}), **fidelity(shown, output)}
    return Part(output, title=title, date=date, metadata=facts, measurements=seen)


def _choose(tree: etree._Element) -> list[Block]:
    """The article of a Japanese page, what most extractors keep of another, or all of a page that has no main text."""
    drop_false_names(tree)
    page, main, readable = blocks_of(tree), _main_text(tree), _readable(tree)
    if is_japanese(page):
        return choose(tree, main, readable) or page
    return agreed(page, [main, readable, read_article(tree)]) or page


def _main_text(tree: etree._Element) -> list[Block]:
    """What trafilatura takes for the main text, in its own element names; nothing where it finds none or gives up."""
    from trafilatura import bare_extraction

    try:
        found: Any = bare_extraction(
            tree, fast=True, include_comments=False, include_formatting=True, deduplicate=False
        )
    except RecursionError:
        return []
    return blocks_of(found.body, names=rules()["trafilatura"]) if found is not None else []


def _readable(tree: etree._Element) -> list[Block]:
    """What readability takes for the main text; nothing where it finds none or gives up."""
    from lxml.html import document_fromstring
    from trafilatura.readability_lxml import Document

    try:
        return blocks_of(document_fromstring(Document(copy.deepcopy(tree)).summary()))
    except (RecursionError, etree.LxmlError, ValueError):
        return []


def _metadata(tree: Any, url: str) -> dict[str, str]:
    from trafilatura.metadata import extract_metadata

    found = extract_metadata(tree, default_url=url or None, date_config=DATES)
    facts = {key: getattr(found, key) for key in ("title", "date", "author", "sitename", "url", "license")}
    facts["author"] = facts["author"] or _first(tree, AUTHOR)  # it drops names without a space, as Japanese ones are
    return {key: str(value) for key, value in facts.items() if value}


def _stated(tree: Any) -> dict[str, str]:
    """What a page says in elements made for it: its reservations, licence, and the pages before and after it."""
    facts = {
        key: ", ".join(dict.fromkeys(value.strip() for value in tree.xpath(path)))
        for key, path in rules()["facts"].items()
    }
    return {key: value for key, value in facts.items() if value}


def _first(tree: Any, path: str) -> str:
    return next(iter(tree.xpath(path)), "").strip()
