"""`corpus extract`: what stage 2 makes of one file, on standard output; everything else goes to standard error."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.extract import Failure, Part
    from pipelines.extract.sandbox import Sandbox

_SHORT = 1
_PARTIAL = 3
_MOST = 20  # failures of one file that are told one by one


@click.command("extract")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["md", "text", "jsonl"]), default="md", show_default=True,
              help="Markdown, plain text, or one JSON object per document.")  # fmt: skip
@click.option(
    "--set", "changes", multiple=True, metavar="FORMAT.KEY=VALUE", help="An extractor's option, such as pdf.ruby=keep."
)
@click.option("--check", is_flag=True, help="Tell instead which figures of the source are not in the text, and where.")
def command(files: tuple[Path, ...], form: str, changes: tuple[str, ...], check: bool) -> int:
    """Print the documents of each file, as stage 2 of a build reads them.

    The file's type is told by its bytes, not by its name; of an archive every member is read. The parser runs in a
    process of its own, with limits on time and memory.
    """
    import tempfile

    from pipelines.extract.sandbox import Sandbox
    from registry.recipe import Limits

    options = _checking(_options(changes)) if check else _options(changes)
    shown = Checked() if check else Shown(form)
    limits = Limits()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "parser.log"
        with Sandbox(log, seconds=limits.seconds, memory=limits.bytes) as sandbox:
            for file in files:
                for name, fetch in _inputs(file, sandbox, Path(folder)):
                    failed |= _print(name, fetch, sandbox, shown, options)
    return _PARTIAL if failed else _SHORT if shown.short else 0


def _checking(options: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The options, with the check on in every format that has one."""
    from registry.names import extractor

    checked = [name for name in extractor if "check" in extractor.options(name)]
    return {**options, **{name: {**options.get(name, {}), "check": True} for name in checked}}


def _options(changes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """`pdf.ruby=keep` as {"pdf": {"ruby": "keep"}}, checked against what the extractors take."""
    import yaml

    import pipelines.extract  # noqa: F401 - promises the extractors
    from registry.errors import UsageError
    from registry.names import extractor

    options: dict[str, dict[str, Any]] = {}
    for change in changes:
        key, equals, value = change.partition("=")
        name, dot, option = key.partition(".")
        if not equals or not dot:
            raise UsageError(f"--set {change}: write FORMAT.KEY=VALUE, such as pdf.ruby=keep")
        options.setdefault(name, {})[option] = yaml.safe_load(value)
    return {name: extractor.check(name, given) for name, given in options.items()}


def _inputs(file: Path, sandbox: Sandbox, scratch: Path) -> Iterator[tuple[str, Callable[[], Path]]]:
    """The name of `file`, or of each member where it is an archive, and what gives the place of its bytes."""
    from pipelines.extract.archive import Unpacker, is_archive
    from registry.errors import InputError

    if file.is_dir():
        told = InputError("unsupported", f"a folder; name its files, or build it: corpus new NAME --files {file}")
        yield str(file), partial(_refuse, told)
        return
    if not file.is_file() or not is_archive(file):
        yield str(file), file.resolve
        return
    unpacker = Unpacker(scratch)
    try:
        members = sandbox.list_members(file)
    except InputError as error:
        yield str(file), partial(_refuse, error)
        return
    for member in members:
        reason, _, detail = member.error.partition(": ")
        refuse = partial(_refuse, InputError(reason, detail))
        yield f"{file}!/{member.name}", refuse if reason else partial(unpacker.fetch, file, member.name)


def _refuse(error: Exception) -> Path:
    raise error


def _print(
    name: str, fetch: Callable[[], Path], sandbox: Sandbox, shown: Shown | Checked, options: dict[str, dict[str, Any]]
) -> bool:
    """Print one input; True where some of it, or all of it, could not be read."""
    from pipelines.extract import Part
    from registry.errors import InputError

    failed = 0
    try:
        for number, found in enumerate(_documents(name, fetch(), sandbox, options)):
            if isinstance(found, Part):
                shown.show(found, name, first=number == 0)
                continue
            failed += 1
            if failed <= _MOST:
                place = f"{name} [{found.part}]" if found.part else name
                click.echo(f"corpus: {place}: {found.reason}: {found.detail}", err=True)
    except BrokenPipeError:
        raise
    except (InputError, OSError) as error:
        click.echo(f"corpus: {name}: {error.strerror if isinstance(error, OSError) else error}", err=True)
        return True
    if failed > _MOST:
        click.echo(f"corpus: {name}: and {failed - _MOST:,} more that could not be read", err=True)
    return failed > 0


def _documents(name: str, path: Path, sandbox: Sandbox, options: dict[str, dict[str, Any]]) -> Iterator[Part | Failure]:
    from pipelines.extract import Raw
    from pipelines.extract.sniff import sniff

    sniffed = sniff(path)
    raw = Raw(path, Path(name).name, "", sniffed.media_type)
    return sandbox.extract(raw, sniffed.format, options.get(sniffed.format, {}))


class Shown:
    """Prints documents in the form that was asked for."""

    short = False

    def __init__(self, form: str) -> None:
        self.form = form
        self.begun = False

    def show(self, part: Part, file: str, *, first: bool) -> None:  # noqa: ARG002 - all documents stand in one text
        """One document of `file`."""
        click.echo(_formatted(part, file, self.form, first=not self.begun))
        self.begun = True


class Checked:
    """Prints, once for each file, the shares of its figures that were kept, and where those stand that were not."""

    def __init__(self) -> None:
        self.short = False  # some file lost a figure

    def show(self, part: Part, file: str, *, first: bool) -> None:
        """One document of `file`; all carry the measurements of the whole."""
        if not first:
            return
        seen = {key: value for key, value in part.measurements.items() if key.endswith("_kept")}
        shares = "  ".join(f"{key} {value:.4f}" for key, value in sorted(seen.items()))
        click.echo(f"{file}: {shares or 'is of no format that is checked: HTML and filings are'}")
        for line in part.metadata.get("missing", "").splitlines():
            self.short = True
            click.echo(f"  missing {line}")


def _formatted(part: Part, file: str, form: str, *, first: bool) -> str:
    if form == "jsonl":
        from registry.document import document_id

        uri = Path(file).name
        row = {
            "id": document_id("", uri, part.part),
            "uri": uri,
            "part": part.part,
            "title": part.title,
            "date": part.date,
            "metadata": part.metadata,
            "measurements": part.measurements,
            "text": part.text,
        }
        return json.dumps(row, ensure_ascii=False)
    text = part.text if form == "md" else _plain(part.text)
    return text if first else f"\n{text}"


def _plain(markdown: str) -> str:
    """Markdown without its marks: headings and list items as lines, table cells between tabs."""
    import re

    lines = []
    for line in markdown.splitlines():
        if re.fullmatch(r"\s*\|?[\s:|-]*-{3}[\s:|-]*\|?\s*", line):
            continue  # the rule under a table's head
        if line.lstrip().startswith("|"):
            lines.append(
                "\t".join(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
            )
        else:
            lines.append(re.sub(r"^\s{0,3}(#{1,6}|[-*+]|>)\s+", "", line))
    return "\n".join(lines)
