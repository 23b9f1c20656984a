"""A text layer for a scanned file, by the OCR command that a recipe names.

In: a PDF without text, and a command such as ``ocrmypdf --skip-text -l jpn {input} {output}``. Out: a PDF with text, in
a folder that is gone afterwards. No shell: the command is split into words once, and a placeholder is a word of its
own, so that no file's name can add an option. Where it runs, in the sandbox's child, memory and file size are limited
for it too; it ends with the child, and with its own time.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.engine.process import die_with_parent
from registry.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACEHOLDERS = ("{input}", "{output}")


@contextmanager
def recognised(path: Path, command: str, seconds: float) -> Iterator[Path]:
    """The file that `command` makes of the one at `path`, while the context lasts.

    Raises:
        InputError: `ocr_failed`, with what went wrong.
    """
    with tempfile.TemporaryDirectory(prefix="ocr-") as folder:
        output = Path(folder) / "recognised.pdf"
        words = _words(command, path.resolve(), output)
        status = _run(words, seconds)
        if status != 0:
            raise InputError("ocr_failed", f"{_name(words)} ended with status {status}")
        if not output.is_file():
            raise InputError("ocr_failed", f"{_name(words)} made no output")
        yield output


def _words(command: str, path: Path, output: Path) -> list[str]:
    """The command's words with the two paths in place."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError("ocr_failed", f"the command cannot be split into words: {error}") from None
    if any(words.count(placeholder) != 1 for placeholder in PLACEHOLDERS) or words[0] in PLACEHOLDERS:
        raise InputError("ocr_failed", "the command needs {input} and {output} once each, as words of their own")
    paths = dict(zip(PLACEHOLDERS, (str(path), str(output)), strict=True))
    return [paths.get(word, word) for word in words]


def _run(words: list[str], seconds: float) -> int:
    """The exit status of a command; what it prints goes to the parsers' log."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=sys.__stderr__,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - the sandbox's child has one thread
        )
    except OSError as error:
        raise InputError("ocr_failed", f"{_name(words)}: {error.strerror}") from None
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise InputError("ocr_failed", f"{_name(words)} took more than {seconds:g} s") from None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started."""
    with suppress(ProcessLookupError):  # all of it may be gone already
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _name(words: list[str]) -> str:
    return Path(words[0]).name
