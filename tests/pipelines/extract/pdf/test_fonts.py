"""What PDFs that do not embed their fonts say does not depend on the fonts of the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import sys
from pathlib import Path
from pipelines.extract import Raw
from pipelines.extract.pdf import extract_pdf
for name in sys.argv[1:]:
    print(next(iter(extract_pdf(Raw(Path(name), "name", "report", "application/pdf")))))
"""
HIDE = ["unshare", "--mount", "--map-root-user", "sh", "-c", 'mount -t tmpfs none /usr/share/fonts && exec "$@"', "sh"]


def _read(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.fixture
def without_fonts() -> list[str]:
    """A command's first words, for it to find no fonts on the machine."""
    hidden = subprocess.run([*HIDE, "ls", "/usr/share/fonts"], check=False, capture_output=True, text=True)
    if hidden.returncode or hidden.stdout:
        pytest.skip("no namespace for mounts here")
    return HIDE


def test_the_fonts_of_the_machine_change_nothing(without_fonts, tmp_path, as_pdf, set_text, request):
    text, down, _ = set_text
    pages = [
        [
            text(72, 100, 10, "一。"),
            text(72, 130, 10, "ー"),
            text(92, 130, 10, "Yen 1,234 (56)"),
            text(72, 160, 10, "、"),
        ],
        [down(500, 72, 10, "縦に組む、一つの「文」である。"), down(483, 72, 10, "ー")],
    ]
    files = [tmp_path / "typeset.pdf"]
    files[0].write_bytes(as_pdf(pages))
    shared = request.config.rootpath.parent / "shared/data/pdf"
    files += [*shared.glob("*/samples__jo.pdf"), *shared.glob("*/samples__nonfree__kampo.pdf")]
    child = [sys.executable, "-c", CHILD, *map(str, files)]
    assert _read(*without_fonts, *child) == _read(*child)


def test_a_mark_that_stands_alone_is_read(extract, set_text):
    text, down, _ = set_text
    page = [text(72, 100, 10, "文章である"), text(122, 100, 10, "。"), text(72, 130, 10, "一"), text(72, 160, 10, "―")]
    assert extract([page]).text == "文章である。\n\n一\n\n―"
    assert extract(
        [[down(500, 72, 10, "縦に組む文章"), down(500, 132, 10, "、"), down(500, 142, 10, "である")]]
    ).text == ("縦に組む文章、である")
