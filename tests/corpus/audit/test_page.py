"""The page in a real browser: it loads nothing, says nothing, filters, prints, and no text can act in it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from webdriver import Browser

from corpus.audit.page import load_words


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def browser(request: pytest.FixtureRequest, address: str) -> Iterator[Browser]:
    found = Browser(address, *request.param)
    yield found
    found.close()


def test_both_languages_have_the_same_words() -> None:
    def keys(tree: dict, path: str = "") -> set[str]:
        found = {path + key for key in tree}
        return found.union(*(keys(value, f"{path}{key}.") for key, value in tree.items() if isinstance(value, dict)))

    extra = keys(load_words("ja")) ^ keys(load_words("en"))
    assert {key for key in extra if not key.startswith("rules")} == set()


def test_the_page_is_whole_and_refers_to_nothing_outside(built: Path) -> None:
    page = (built / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=(?!\"#)", page)
    assert "default-src 'none'" in html.unescape(page)
    assert not re.search(r"<[^>]+ (?:style|on[a-z]+)=", page)


def test_hostile_text_is_neither_markup_nor_control(hostile: Path) -> None:
    page = (hostile / "report.html").read_text(encoding="utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e]", page)
    assert page.count("<script") == page.count("</script>") == 2

    class Elements(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: set[str] = set()

        def handle_starttag(self, tag: str, attrs: list) -> None:
            self.found.add(tag)
            assert not any(name.startswith("on") for name, _ in attrs)

    parser = Elements()
    parser.feed(page)
    assert not parser.found & {"img", "b-", "iframe", "object"}
    assert "{{ 7 * 7 }}" in page
    readme = (hostile / "card" / "README.md").read_text(encoding="utf-8")
    assert "\u202e" not in readme


def test_it_loads_without_a_request_or_a_word_on_the_console(built: Path, browser: Browser) -> None:
    browser.open(built / "report.html")
    assert {url.partition(":")[0] for url in browser.requests()} <= {"file"}
    assert len([url for url in browser.requests() if url.endswith("report.html")]) <= 1
    assert browser.log("browser") == []
    assert browser.run("return document.querySelectorAll('svg').length") > 50
    empty = "return [...document.querySelectorAll('svg')].filter(s => s.checkVisibility() && !s.getBoundingClientRect().height).length"
    assert browser.run(empty) == 0
    assert browser.run("return [...document.querySelectorAll('svg')].every(s => s.querySelector('title').textContent)")
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
    assert len(browser.screenshot()) > 20_000


def test_filters_and_search_work(built: Path, browser: Browser) -> None:
    browser.open(built / "report.html")
    count = "return document.querySelectorAll('#list li').length"
    whole = browser.run(count)
    assert whole > 20
    choose = "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event(arguments[2]))"
    browser.run(choose, "by-fate", "failed", "change")
    failed = browser.run(count)
    assert 0 < failed < whole
    assert browser.run("return [...document.querySelectorAll('#list i')].every(i => i.className === 'failed')")
    browser.run(choose, "by-fate", "", "change")
    browser.run(choose, "search", "encrypted.pdf", "input")
    assert browser.run(count) == 1
    assert "encrypted" in browser.run("return document.getElementById('document').textContent")
    browser.run(choose, "search", "there is no such text", "input")
    assert browser.run(count) == 0


def test_the_masked_and_the_cleaned_stand_side_by_side(built: Path, browser: Browser) -> None:
    browser.open(built / "report.html")
    browser.run(
        "const s = document.getElementById('by-source'); s.value = 'news'; s.dispatchEvent(new Event('change'))"
    )
    assert browser.run("return document.querySelectorAll('#document .side').length") == 2


def test_it_prints(built: Path, browser: Browser) -> None:
    browser.open(built / "report.html")
    assert browser.pdf().startswith(b"%PDF")


def test_hostile_text_cannot_script_or_break_the_page(hostile: Path, browser: Browser) -> None:
    browser.open(hostile / "report.html")
    assert browser.run("return document.title") == "hostile: what is in this corpus"
    assert browser.log("browser") == []
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert browser.run("return getComputedStyle(document.body).display") == "block"
    for number in range(browser.run("return document.querySelectorAll('#list button').length")):
        browser.run("document.querySelectorAll('#list button')[arguments[0]].click()", number)
    assert browser.run("return document.title") == "hostile: what is in this corpus"
    assert "<b>太字</b>" in browser.run("return document.getElementById('data').textContent").replace(
        "\\u003c", "<"
    ).replace("\\u003e", ">")
