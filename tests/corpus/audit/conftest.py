"""The pages that the tests of the audit look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import TOKENIZER, corpus

from corpus.audit.ledger import Ledger, read_ledger

HOSTILE = (
    '</script><script>document.title="scripted"</script><img src=x onerror="document.title=1"><b>太字</b>\n'
    "\u202e右から左\u202c と \u200bゼロ幅 と \x1b[31m制御\x1b[0m と \x00 です。{{ 7 * 7 }} {% raw %}\n"
    "<!-- --> ]]> &amp; &lt; ' \" ` ${1} </style><style>body{display:none}</style>\n"
)


@pytest.fixture(scope="session")
def ledger(built: Path) -> Ledger:
    return read_ledger(built / "ledger")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of texts, titles and names that try to break out of the page."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "files").mkdir()
    prose = "財務諸表は、企業の財政状態を表す書類である。投資家はこれを読んで判断する。"
    for number in range(3):
        (folder / "files" / f"a<b>'\"&{number}.txt").write_text(HOSTILE + prose * (10 + number), encoding="utf-8")
    (folder / "files" / "records.jsonl").write_text(
        '{"text": "%s", "title": "</script><script>document.title=\\"scripted\\"</script>\\u202e"}\n' % (prose * 12),
        encoding="utf-8",
    )
    (folder / "recipe.yaml").write_text(
        "name: hostile\nsources: [{name: files, path: files, kind: textbook, licence: '<script>alert(1)</script>'}]\n"
        f"tokenize: {{tokenizer: {TOKENIZER}}}\n",
        encoding="utf-8",
    )
    done = corpus("build", folder, "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    from webdriver import PRESENT, driver

    if not PRESENT:
        pytest.skip("chromium and chromedriver are not here")
    with driver() as found:
        yield found
